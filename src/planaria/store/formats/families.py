"""The families: the format of each one's published automata, a row each."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from planaria.core.filters import bank
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError
from planaria.store.formats.bounds import within

Order = Literal["interleaved", "stacked", "convolution", "raw first"]
"""Order of the first layer's inputs, of c channels and k kernels: c * K + k; k * C + c; a learned 3x3
convolution; or all channels as they are, and then c * K + k of the other kernels."""

GROWING = RuleConfig(channels=16, edge="zero", life="both")
TORUS = replace(GROWING, edge="circular", life="after")
TEXTURE = RuleConfig(
    channels=12, filters=("identity", "sobel", "laplacian"), hidden=(96,), edge="circular", life="none"
)  # fmt: skip
EDITING = RuleConfig(
    channels=18, filters=("identity", "sobel", "laplacian"), hidden=(90, 90), bias="all", fire_rate=1.0,
    edge="circular", life="none", frozen=9,
)  # fmt: skip
NAMED = {"sobel": "sobel", "scharr": "scharr", "gaussian": "gaussian", "laplacian": "laplacian5", "mean": "mean"}
"""Name of a kernel in a published file's name -> ours."""


@dataclass(frozen=True)
class Family:
    """Format of one family's automata."""

    about: str
    code: str
    """Licence of the code at home, which doesn't cover a file; empty where it has none, "?" where unknown."""
    home: str
    wants: str
    """Description of its files, for users whose file doesn't match."""
    keys: tuple[tuple[str, str], ...]
    """Names of each layer's weight and bias, first to last; a bias of "" is none."""
    config: RuleConfig
    """Configuration of its rules; sizes are taken from the file."""
    layout: Layout
    task: str = "grow"
    suffixes: tuple[str, ...] = (".pt", ".pth")
    order: Order = "interleaved"
    scales: tuple[float, ...] = ()
    """Scale of each of their kernels relative to ours; 1 where not given."""
    down_first: bool = False
    """True if the gradient along rows, downwards, comes before that along columns."""
    states: float = 1.0
    """Scale of their states relative to ours."""
    bound: float = 0.0
    """Bound to which our states are clipped after every step; 0 for none."""
    aliases: tuple[tuple[str, str], ...] = ()
    """Other names of the same layers, which some of its files have."""
    unmarked: bool = False
    """True if its files have names of their own, so that only a person can identify them."""
    besides: str = ""
    """Prefix of the names of other tensors that its files hold."""
    grid: tuple[int, int] = (72, 72)
    own: int = 0
    """Channels before those the rule writes, which it only reads."""
    kernel_in_name: bool = False

    def unlike(self, shapes: Mapping[str, tuple[int, ...]], kind: str, *, asked: bool = False) -> str:
        """Reason why a file of this `kind` with these tensors is not of this family; empty where it may be.

        `asked` is true if a person names this family. A kind is `.pt`, `.json` or `.bin`.
        """
        if self.unmarked and not asked:
            return "no file of it says so"
        if kind not in self.suffixes:
            return f"its files end in {' or '.join(self.suffixes)}"
        if self.suffixes == (".bin",):
            count = sum(math.prod(shape) for shape in self._wanted().values())
            return "" if shapes == {"numbers": (count,)} else f"its files hold {count:,} numbers"
        keys = self._named(shapes)
        weights = [weight for weight, _ in keys]
        biases = [bias for _, bias in keys if bias]
        if missing := [name for name in weights if name not in shapes]:
            return f"it has no {missing[0]}"
        known = (*weights, *biases)
        if odd := [n for n in shapes if n not in known and not (self.besides and n.startswith(self.besides))]:
            return f"it has {odd[0]} besides"
        if missing := [bias for _, bias in keys[:-1] if bias not in shapes]:
            return f"it has no {missing[0]}"
        return self._misfit(shapes, keys)

    def _named(self, shapes: Mapping[str, tuple[int, ...]]) -> tuple[tuple[str, str], ...]:
        """Keys of a file: as usual, by their other names, or, where it has names of its own, by their shapes."""
        names = tuple(shapes)
        weights, biases = ([n for n in names if (len(shapes[n]) > 1) == many] for many in (True, False))
        if self.unmarked and len(weights) == 2 and len(biases) == 1:
            first, last = weights if shapes[weights[0]][1] == 3 * shapes[weights[1]][0] else weights[::-1]
            return (first, biases[0]), (last, "")
        return self.aliases if self.aliases and self.aliases[0][0] in names else self.keys

    def _misfit(self, shapes: Mapping[str, tuple[int, ...]], keys: tuple[tuple[str, str], ...]) -> str:
        """Reason why the shapes don't follow from one another."""
        side = (3, 3) if self.order == "convolution" else (1, 1)
        count = 1 if self.order == "convolution" else len(bank(self.config.filters))
        into = None
        for k, (weight, bias) in enumerate(keys):
            shape = shapes[weight]
            dense = len(shape) == 2 and (k > 0 or side == (1, 1))  # linear layers do what 1x1 convolutions do
            if not dense and (len(shape) != 4 or shape[2:] != (side if k == 0 else (1, 1))):
                return f"{weight} is {'x'.join(map(str, shape))}"
            if into is not None and shape[1] != into:
                return f"{weight} takes {shape[1]} numbers, the layer before gives {into}"
            if bias in shapes and shapes[bias] != (shape[0],):
                return f"{bias} doesn't go with {weight}"
            into = shape[0]
        channels, first = shapes[keys[-1][0]][0] + self.own, keys[0][0]
        if shapes[first][1] != channels * count:
            return f"{first} reads {shapes[first][1]} numbers, not {count} each of {channels} channels"
        if channels - self.own < self.layout.visible:
            return f"it has {channels} channels"
        return ""

    def _wanted(self) -> dict[str, tuple[int, ...]]:
        """Shapes expected in a file without names, in its order."""
        count, (width,) = len(bank(self.config.filters)), self.config.hidden
        shapes = (width, self.config.channels * count), (width,), (self.config.channels, width)
        names = self.keys[0][0], self.keys[0][1], self.keys[1][0]
        return dict(zip(names, shapes, strict=True))

    def build(self, tensors: Mapping[str, Tensor], stem: str, kernel: str) -> tuple[Rule, Layout, str]:
        """Build the rule and the layout from a file's tensors, with a short note on assumptions."""
        if "numbers" in tensors:
            sizes = self._wanted()
            parts = tensors["numbers"].split([math.prod(shape) for shape in sizes.values()])
            tensors = {name: part.view(sizes[name]) for name, part in zip(sizes, parts, strict=True)}
        filters, note = self._filters(stem, kernel)
        keys = self._named({name: tuple(t.shape) for name, t in tensors.items()})
        layers = [tensors[weight].flatten(1) for weight, _ in keys]
        biases = [tensors.get(bias) for _, bias in keys]
        channels = len(layers[-1]) + self.own
        config = replace(
            self.config, channels=channels, filters=filters, hidden=tuple(len(w) for w in layers[:-1]),
            bias="hidden" if biases[-1] is None else "all",
        )  # fmt: skip
        layers[0] = self._ours(layers[0], channels, len(bank(filters))) * self.states
        layers[-1] = layers[-1] / self.states
        biases[-1] = None if biases[-1] is None else biases[-1] / self.states
        rule = Rule(config)
        with torch.no_grad():
            for mine, theirs in zip(rule.weights, layers, strict=True):
                mine.copy_(theirs)
            for mine, theirs in zip(rule.biases, biases, strict=False):
                mine.copy_(theirs)
        if self.bound:
            rule = within(rule, self.bound)
        hidden = channels - self.layout.visible - self.layout.frozen
        turned = ", rows first" if self.down_first else ""
        note = f"{self.order}, {note or ', '.join(filters)}{turned}, {config.edge} edge"
        return rule, replace(self.layout, hidden=hidden), note

    def _filters(self, stem: str, kernel: str) -> tuple[tuple[str, ...], str]:
        """Filters of the rule, which some files have in their names alone."""
        if not self.kernel_in_name:
            if kernel:
                raise UserError(f"no file of this format names a kernel: leave out {kernel!r}")
            return self.config.filters, ""
        words = re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", stem).lower())
        said = list(dict.fromkeys(word for word in words if word in NAMED))
        found = kernel.lower() or (said[0] if len(said) == 1 else "")
        if found not in NAMED:
            raise UserError(
                "its filter is not in the file, only in its name, and "
                f"{stem[:80]!r} says {' and '.join(said) or 'none'}; give --kernel with one of: {', '.join(NAMED)}"
            )
        ours = NAMED[found]
        pair = (ours,) if len(bank((ours,))) == 2 else (ours, ours)
        return ("identity", *pair), found

    def _ours(self, weight: Tensor, channels: int, count: int) -> Tensor:
        """Weight of the first layer, `(out, channels * count)`, in our order, for our kernels and our channels."""
        out = len(weight)
        if self.order == "convolution":
            return weight
        if self.order == "stacked":
            cube = weight.view(out, count, channels).transpose(1, 2)
        elif self.order == "raw first":
            rest = weight[:, channels:].view(out, channels, count - 1)
            cube = torch.cat([weight[:, :channels, None], rest], 2)
        else:
            cube = weight.view(out, channels, count)
        if self.down_first:
            cube = cube[:, :, [0, 2, 1]]
        scales = torch.tensor([*self.scales, *[1.0] * (count - len(self.scales))])
        cube = torch.cat([cube[:, self.own :], cube[:, : self.own]], 1) * scales
        return cube.reshape(out, channels * count)


def _layers(names: Sequence[str], last_bias: bool) -> tuple[tuple[str, str], ...]:
    """Keys of the layers by their names; the last one may have a bias or can't."""
    return tuple((f"{name}.weight", f"{name}.bias" if last_bias or name != names[-1] else "") for name in names)


GOOGLE_TEXTURE = Family(
    about="Self-Organising Textures in PyTorch; .pt, .pth, w1 and w2",
    code="Apache-2.0",
    home="github.com/google-research/self-organising-systems",
    wants="w1.weight of 4 kernels, w1.bias, w2.weight",
    keys=_layers(("w1", "w2"), False),
    config=TEXTURE,
    layout=Layout(3, alpha=None, hidden=9, offset=0.5),
    task="texture",
    scales=(1.0, 8.0, 8.0, 8.0),
    grid=(128, 128),
)
MONASH_TEXTURE = replace(
    GOOGLE_TEXTURE,
    about="the same trained at Monash, shown without the half; .pt, .pth, w1 and w2",
    home="Monash University",
    layout=Layout(3, alpha=None, hidden=9),
    aliases=_layers(("layers.0", "layers.2"), False),
)
MONASH_GROWING = Family(
    about="growing pictures on a torus, trained at Monash; .pt, .pth, update_network.*",
    code="Apache-2.0",
    home="Monash University",
    wants="update_network.0.weight of 48 inputs, .0.bias, .2.weight",
    keys=_layers(("update_network.0", "update_network.2"), False),
    config=replace(TORUS, life_edge="zero"),
    layout=Layout(straight=True, lean=True),
    order="stacked",
    scales=(1.0, 8.0, -8.0),
    grid=(32, 32),
)

FAMILIES: dict[str, Family] = {
    "erikhelmut": Family(
        about="growing MedMNIST pictures by many filters and losses; .pt, update_module.*",
        code="",
        home="erikhelmut on GitHub",
        wants="update_module.0.weight, .0.bias, .2.weight, its filter in the file's name",
        keys=_layers(("update_module.0", "update_module.2"), False),
        config=replace(GROWING, filters=("identity", "sobel")),
        layout=Layout(),
        grid=(28, 28),
        kernel_in_name=True,
    ),
    "chenmingxiang110": Family(
        about="Growing-Neural-Cellular-Automata in PyTorch and its many copies; .pt, .pth, fc0 and fc1",
        code="",
        home="github.com/chenmingxiang110/Growing-Neural-Cellular-Automata",
        wants="fc0.weight of 3 inputs a channel, fc0.bias, fc1.weight",
        keys=_layers(("fc0", "fc1"), True),
        config=GROWING,
        layout=Layout(),
        order="stacked",
        down_first=True,
    ),
    "differentiable-morphogenesis": Family(
        about="growing and infecting emoji by a learned 3x3 convolution; .pt, model.*",
        code="",
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
        code="",
        home="Image-Manipulation on GitHub",
        wants="w1.weight 90x72, w2.weight, w3.weight of a whole module",
        keys=_layers(("w1", "w2", "w3"), True),
        config=EDITING,
        layout=Layout(3, alpha=None, hidden=6, frozen=9, offset=0.5, shifts=(4, 8, 16)),
        task="style",
        order="raw first",
        scales=(1.0, 8.0, 8.0, 8.0),
        grid=(128, 128),
        own=9,
    ),
    "image-manipulation-notebook": Family(
        about="the same by its newer notebooks, three channels blurred; .pt, whole modules w1, w2, w3",
        code="",
        home="Image-Manipulation on GitHub",
        wants="w1.weight 90x72, w2.weight, w3.weight 15x90 of a whole module",
        keys=_layers(("w1", "w2", "w3"), True),
        config=replace(EDITING, frozen=3, blurs=("13@3", "12@7", "11@15")),
        layout=Layout(3, alpha=None, hidden=12, frozen=3, offset=0.5),
        task="style",
        order="raw first",
        scales=(1.0, 8.0, 8.0, 8.0),
        grid=(128, 128),
        own=3,
        besides="blur_layers.",
    ),
    "google-growing": Family(
        about="Growing Neural Cellular Automata as its notebook exports them; .json, a graph of TensorFlow",
        code="Apache-2.0",
        home="github.com/google-research/self-organising-systems",
        wants="a graph with two 1x1 convolutions, 48 to any to 16, and their biases",
        keys=_layers(("graph.0", "graph.1"), True),
        config=GROWING,
        layout=Layout(),
        suffixes=(".json",),
    ),
    "google-texture-web": replace(
        GOOGLE_TEXTURE,
        about="the textures of Self-Organising Textures' page, one of them by --net; .json, tiles of two PNGs",
        wants="layers with scale, data, shape and layout, 48 to 96 to 12",
        keys=_layers(("tiles.0", "tiles.1"), True),
        suffixes=(".json",),
        order="stacked",
        scales=(),
        states=2.0,
        bound=1.0,
    ),
    "monash-growing": MONASH_GROWING,
    "monash-growing-web": replace(
        MONASH_GROWING,
        about="the same for a web page; .bin of bare numbers",
        wants="8,320 little-endian float32: w1, b1, w2",
        suffixes=(".bin",),
    ),
    "nca-tutorial": Family(
        about="the growing notebook of NCA-tutorial, whose cells don't feel themselves; .pt, .pth, net.*",
        code="?",
        home="github.com/MECLabTUDA/NCA-tutorial",
        wants="net.0.weight, net.0.bias, net.2.weight",
        keys=_layers(("net.0", "net.2"), False),
        config=TORUS,
        layout=Layout(straight=True, lean=True),
        scales=(0.0, 8.0, 8.0),
        grid=(40, 40),
    ),
    "johnromanelis": Family(
        about="NeuralCellularAutomata-PyTorch; .pt, .pth of any names: say --from johnromanelis",
        code="Apache-2.0",
        home="github.com/JohnRomanelis/NeuralCellularAutomata-PyTorch",
        wants="a weight of 48 inputs, its bias, a weight of 16 outputs, in this order",
        keys=_layers(("net.0", "net.2"), False),
        config=TORUS,
        layout=Layout(straight=True),
        scales=(1.0, 8.0, 8.0),
        unmarked=True,
    ),
    "distill": Family(
        about="the demos of Growing Neural Cellular Automata; .json of bytes",
        code="CC-BY-4.0",
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
