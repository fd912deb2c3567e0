"""The families: how each wrote its automata down, a row each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from planaria.core.filters import bank
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError

Order = Literal["interleaved", "stacked", "convolution", "raw first"]
"""How the first layer's inputs are numbered, of c channels and k kernels: c * K + k; k * C + c; a learned 3x3
convolution; or all channels as they are, and then c * K + k of the other kernels."""

GROWING = RuleConfig(channels=16, edge="zero", life="both")
TEXTURE = RuleConfig(
    channels=12, filters=("identity", "sobel", "laplacian"), hidden=(96,), edge="circular", life="none"
)  # fmt: skip
EDITING = RuleConfig(
    channels=18, filters=("identity", "sobel", "laplacian"), hidden=(90, 90), bias="all", fire_rate=1.0,
    edge="circular", life="none", frozen=9,
)  # fmt: skip
NAMED = {"sobel": "sobel", "scharr": "scharr", "gaussian": "gaussian", "laplacian": "laplacian5", "mean": "mean"}
"""A kernel in a published file's name -> ours."""
NO_LICENCE = "no licence: for your own machine, not to be passed on"


@dataclass(frozen=True)
class Family:
    """How one family wrote its automata down."""

    about: str
    licence: str
    home: str
    wants: str
    """What its files hold, for people whose file doesn't."""
    keys: tuple[tuple[str, str], ...]
    """Names of each layer's weight and bias, first to last; a bias of "" is none."""
    config: RuleConfig
    """Sizes are taken from the file."""
    layout: Layout
    task: str = "grow"
    suffixes: tuple[str, ...] = (".pt", ".pth")
    order: Order = "interleaved"
    scale: float = 1.0
    """How many times ours their kernels are, but for the identity."""
    grid: tuple[int, int] = (72, 72)
    own: int = 0
    """Channels that stand before those the rule writes, and that it only reads."""
    kernel_in_name: bool = False

    def unlike(self, shapes: Mapping[str, tuple[int, ...]], suffix: str) -> str:
        """Why a file with these tensors is none of this family; empty where it may be one."""
        if suffix.lower() not in self.suffixes:
            return f"its files end in {' or '.join(self.suffixes)}"
        if self.suffixes == (".bin",):
            count = sum(math.prod(shape) for shape in self._wanted().values())
            return "" if shapes == {"numbers": (count,)} else f"its files hold {count:,} numbers"
        weights = [weight for weight, _ in self.keys]
        biases = [bias for _, bias in self.keys if bias]
        if missing := [name for name in weights if name not in shapes]:
            return f"it has no {missing[0]}"
        if odd := [name for name in shapes if name not in weights + biases]:
            return f"it has {odd[0]} besides"
        if missing := [bias for _, bias in self.keys[:-1] if bias not in shapes]:
            return f"it has no {missing[0]}"
        return self._misfit(shapes)

    def _misfit(self, shapes: Mapping[str, tuple[int, ...]]) -> str:
        """Why the shapes don't follow from one another."""
        side = (3, 3) if self.order == "convolution" else (1, 1)
        felt = 1 if self.order == "convolution" else len(bank(self.config.filters))
        into = None
        for k, (weight, bias) in enumerate(self.keys):
            shape = shapes[weight]
            flat = self.suffixes == (".json",)
            if len(shape) != (2 if flat else 4) or (not flat and shape[2:] != (side if k == 0 else (1, 1))):
                return f"{weight} is {'x'.join(map(str, shape))}"
            if into is not None and shape[1] != into:
                return f"{weight} takes {shape[1]} numbers, the layer before gives {into}"
            if bias in shapes and shapes[bias] != (shape[0],):
                return f"{bias} doesn't go with {weight}"
            into = shape[0]
        channels = shapes[self.keys[-1][0]][0] + self.own
        if shapes[self.keys[0][0]][1] != channels * felt:
            return (
                f"{self.keys[0][0]} reads {shapes[self.keys[0][0]][1]} numbers, not {felt} each of {channels} channels"
            )
        if channels - self.own < self.layout.visible:
            return f"it has {channels} channels"
        return ""

    def _wanted(self) -> dict[str, tuple[int, ...]]:
        """Shapes of what a file without names holds, in its order."""
        felt, (width,) = len(bank(self.config.filters)), self.config.hidden
        shapes = (width, self.config.channels * felt), (width,), (self.config.channels, width)
        names = self.keys[0][0], self.keys[0][1], self.keys[1][0]
        return dict(zip(names, shapes, strict=True))

    def build(self, tensors: Mapping[str, Tensor], stem: str, kernel: str) -> tuple[Rule, Layout, str]:
        """The rule and the layout of a file's tensors, and how it was read in a few words."""
        if "numbers" in tensors:
            sizes = self._wanted()
            parts = tensors["numbers"].split([math.prod(shape) for shape in sizes.values()])
            tensors = {name: part.view(sizes[name]) for name, part in zip(sizes, parts, strict=True)}
        filters, told = self._filters(stem, kernel)
        layers = [tensors[weight].flatten(1) for weight, _ in self.keys]
        biases = [tensors.get(bias) for _, bias in self.keys]
        channels = len(layers[-1]) + self.own
        config = replace(
            self.config, channels=channels, filters=filters, hidden=tuple(len(w) for w in layers[:-1]),
            bias="hidden" if biases[-1] is None else "all",
        )  # fmt: skip
        layers[0] = self._ours(layers[0], channels, len(bank(filters)))
        rule = Rule(config)
        with torch.no_grad():
            for mine, theirs in zip(rule.weights, layers, strict=True):
                mine.copy_(theirs)
            for mine, theirs in zip(rule.biases, biases, strict=False):
                mine.copy_(theirs)
        hidden = channels - self.layout.visible - self.layout.frozen
        told = f"{self.order}, {told or ', '.join(filters)}, {config.edge} edge"
        return rule, replace(self.layout, hidden=hidden), told

    def _filters(self, stem: str, kernel: str) -> tuple[tuple[str, ...], str]:
        """The rule's filters, which some files have in their names alone."""
        if not self.kernel_in_name:
            if kernel:
                raise UserError(
                    f"a kernel is told by no file of this origin, and none is asked for: leave out {kernel!r}"
                )
            return self.config.filters, ""
        words = stem.lower().replace("-", "_").split("_")
        found = kernel.lower() or next((word for word in words if word in NAMED), "")
        if found not in NAMED:
            raise UserError(
                f"its filter is not in the file, only in its name, and {stem!r} says none; give --kernel with one of: "
                + ", ".join(NAMED)
            )
        ours = NAMED[found]
        pair = (ours,) if len(bank((ours,))) == 2 else (ours, ours)
        return ("identity", *pair), found

    def _ours(self, weight: Tensor, channels: int, felt: int) -> Tensor:
        """The first layer's weight `(out, channels * felt)` in our order, for our kernels and our channels."""
        out = len(weight)
        if self.order == "convolution":
            return weight
        if self.order == "stacked":
            cube = weight.view(out, felt, channels).transpose(1, 2)
        elif self.order == "raw first":
            rest = weight[:, channels:].view(out, channels, felt - 1)
            cube = torch.cat([weight[:, :channels, None], rest], 2)
        else:
            cube = weight.view(out, channels, felt)
        scales = torch.tensor([1.0] + [self.scale] * (felt - 1))
        cube = torch.cat([cube[:, self.own :], cube[:, : self.own]], 1) * scales
        return cube.reshape(out, channels * felt)


def _layers(names: Sequence[str], last_bias: bool) -> tuple[tuple[str, str], ...]:
    """The keys of layers by their names; the last one may have a bias or can't."""
    return tuple((f"{name}.weight", f"{name}.bias" if last_bias or name != names[-1] else "") for name in names)


GOOGLE_TEXTURE = Family(
    about="Self-Organising Textures in PyTorch; .pt, .pth, w1 and w2",
    licence="Apache-2.0",
    home="github.com/google-research/self-organising-systems",
    wants="w1.weight of 4 kernels, w1.bias, w2.weight",
    keys=_layers(("w1", "w2"), False),
    config=TEXTURE,
    layout=Layout(3, alpha=None, hidden=9, offset=0.5),
    task="texture",
    scale=8.0,
    grid=(128, 128),
)
MONASH_TEXTURE = replace(
    GOOGLE_TEXTURE,
    about="the same taught at Monash, shown without the half; .pt, .pth, w1 and w2",
    home="Monash University",
    layout=Layout(3, alpha=None, hidden=9),
)

FAMILIES: dict[str, Family] = {
    "erikhelmut": Family(
        about="growing MedMNIST pictures by many filters and losses; .pt, update_module.*",
        licence=NO_LICENCE,
        home="erikhelmut on GitHub",
        wants="update_module.0.weight, .0.bias, .2.weight, its filter in the file's name",
        keys=_layers(("update_module.0", "update_module.2"), False),
        config=replace(GROWING, filters=("identity", "sobel")),
        layout=Layout(),
        grid=(28, 28),
        kernel_in_name=True,
    ),
    "differentiable-morphogenesis": Family(
        about="growing and infecting emoji by a learned 3x3 convolution; .pt, model.*",
        licence=NO_LICENCE,
        home="differentiable-morphogenesis on GitHub",
        wants="model.0.weight of 3x3, model.0.bias, model.2.weight, model.2.bias",
        keys=_layers(("model.0", "model.2"), True),
        config=replace(GROWING, filters=("learned",), hidden=(256,), life="before"),
        layout=Layout(),
        order="convolution",
        grid=(40, 40),
    ),
    "image-manipulation": Family(
        about="repainting photos by style images and prompts; .pt, whole modules w1, w2, w3",
        licence=NO_LICENCE,
        home="Image-Manipulation on GitHub",
        wants="w1.weight 90x72, w2.weight, w3.weight of a whole module",
        keys=_layers(("w1", "w2", "w3"), True),
        config=EDITING,
        layout=Layout(3, alpha=None, hidden=6, frozen=9, offset=0.5, shifts=(4, 8, 16)),
        task="style",
        order="raw first",
        scale=8.0,
        grid=(128, 128),
        own=9,
    ),
    "distill": Family(
        about="the demos of Growing Neural Cellular Automata; .json of bytes",
        licence="CC-BY-4.0",
        home="distill.pub/2020/growing-ca",
        wants="a list of two layers with data_b64, in_ch 48, out_ch, weight_scale, bias_scale",
        keys=_layers(("layers.0", "layers.1"), True),
        config=GROWING,
        layout=Layout(),
        suffixes=(".json",),
        order="stacked",
    ),
    "google-texture": GOOGLE_TEXTURE,
    "monash-texture": MONASH_TEXTURE,
    "monash-texture-web": replace(
        MONASH_TEXTURE,
        about="the same for a web page; .bin of bare numbers",
        wants="5,856 little-endian float32: w1, b1, w2",
        suffixes=(".bin",),
    ),
}
