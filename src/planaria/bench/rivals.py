"""Baselines that engines are measured against: plain eager PyTorch, and a module of the user's own."""

import importlib.util
import inspect
import sys
from itertools import groupby
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from planaria.core.rule import ACTIVATIONS, Rule, RuleConfig
from planaria.errors import UserError, unknown


@final
class Eager(nn.Module):
    """Rule in its usual implementation: every cell, every step, autograd over the whole loop."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.config = config = rule.config
        if config.blurs:
            raise UserError("a rule that blurs channels has no rival here to be measured against")
        self.reaches = []
        kernels = zip(rule.kernels, rule.reaches, strict=True)
        for i, ((_, reach), run) in enumerate(groupby(kernels, lambda pair: (len(pair[0]), pair[1]))):
            self.reaches.append(reach)
            self.register_buffer(f"kernels{i}", torch.stack([k[None] for k, _ in run]).repeat(config.channels, 1, 1, 1))
        self.bend = ACTIVATIONS[config.activation]
        self.layers = nn.ModuleList()
        count = len(rule.kernels) * config.channels
        for i, weight in enumerate(rule.weights):
            weight = weight.detach()[:, :count] if i == 0 else weight.detach()  # no condition here
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=i < len(rule.biases), dtype=weight.dtype)
            with torch.no_grad():
                layer.weight.copy_(weight[:, :, None, None])
                if layer.bias is not None:
                    layer.bias.copy_(rule.biases[i])
            self.layers.append(layer)

    def forward(self, x: Tensor) -> Tensor:
        """State `(b, c, h, w)` after one step."""
        config = self.config
        dx = self.perceive(x)
        for i, layer in enumerate(self.layers):
            dx = layer(dx)
            if i < len(config.hidden):
                dx = self.bend(dx)
        dx = F.pad(dx, (0, 0, 0, 0, 0, config.frozen))
        acts = torch.rand(len(x), 1, *x.shape[2:], device=x.device) <= config.fire_rate
        y = x + config.dt * dx * acts
        if config.life == "none":
            return y
        lives = [self.alive(state) for state, when in ((x, "before"), (y, "after")) if config.life in (when, "both")]
        life = lives[0] & lives[-1]
        own = config.channels - config.frozen
        return torch.cat([y[:, :own] * life, y[:, own:]], 1) if config.frozen else y * life

    def perceive(self, x: Tensor) -> Tensor:
        """Perception: every filter of every channel, those of one channel next to each other."""
        parts, mode = [], {"zero": "constant"}.get(self.config.edge, self.config.edge)
        for i, n in enumerate(self.reaches):
            padded, kernels = F.pad(x, (n, n, n, n), mode=mode), self.get_buffer(f"kernels{i}")
            apart = n // (kernels.shape[-1] // 2)
            parts.append(F.conv2d(padded, kernels, groups=self.config.channels, dilation=apart))
        if len(parts) == 1:
            return parts[0]
        return torch.cat([p.unflatten(1, (self.config.channels, -1)) for p in parts], 2).flatten(1, 2)

    def alive(self, x: Tensor) -> Tensor:
        """Mask of the cells with a living cell around them."""
        k = self.config.life_channel
        if self.config.edge == "circular" and self.config.life_edge == "same":
            x = F.pad(x[:, k : k + 1], (1, 1, 1, 1), mode="circular")
            return F.max_pool2d(x, 3, 1) > self.config.life_threshold
        return F.max_pool2d(x[:, k : k + 1], 3, 1, 1) > self.config.life_threshold


@final
class Rival:
    """Module of the user's own, called once a step, or once for all steps if its `forward` takes `steps`.

    The file is the user's own and is run. Raises UserError for whatever is wrong with it.
    """

    def __init__(self, given: str, config: RuleConfig, device: torch.device) -> None:
        self.given = given
        cls = _class(given)
        offered = {"channels": config.channels, "hidden": config.hidden[0] if config.hidden else 0}
        try:
            taken = inspect.signature(cls).parameters
            self.module = cls(**{name: value for name, value in offered.items() if name in taken}).to(device)
        except Exception as e:
            raise UserError(
                f"--against {given}: can't be made with no more than channels and hidden: {_line(e)}"
            ) from e
        self.all_at_once = "steps" in inspect.signature(self.module.forward).parameters

    def __call__(self, x: Tensor, steps: int) -> Tensor:
        """State after `steps` steps."""
        if self.all_at_once:
            return self._call(x, steps=steps)
        for _ in range(steps):
            x = self._call(x)
        return x

    def _call(self, x: Tensor, **more: int) -> Tensor:
        try:
            y = self.module(x, **more)
        except Exception as e:
            raise UserError(f"--against {self.given}: fails on a state {tuple(x.shape)}: {_line(e)}") from e
        if not isinstance(y, Tensor) or y.shape != x.shape:
            got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise UserError(f"--against {self.given}: makes {got} of a state {tuple(x.shape)}; a step keeps the shape")
        return y

    def check(self, x: Tensor, trains: bool) -> None:
        """Run two steps, with a backward pass if it is going to be trained."""
        y = self(x, 2)
        if not trains:
            return
        if not y.requires_grad:
            raise UserError(f"--against {self.given}: nothing in it can be trained; try --works inference,tick")
        try:
            y.square().mean().backward()
        except Exception as e:
            raise UserError(f"--against {self.given}: its backward pass fails: {_line(e)}") from e


def parts(given: str) -> tuple[Path, str]:
    """File and class of `FILE.py:Class`."""
    file, _, name = given.rpartition(":")
    if not file or not name.isidentifier():
        raise UserError(f"--against {given!r}: write FILE.py:Class")
    path = Path(file)
    if not path.is_file():
        raise UserError(f"--against: no file {file!r}")
    return path, name


def _class(given: str) -> type[nn.Module]:
    path, name = parts(given)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UserError(f"--against: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as e:
        raise UserError(f"--against: {path} fails: {_line(e)}") from e
    classes: dict[str, Any] = {
        key: value for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, nn.Module)
    }
    if name not in classes:
        raise unknown(f"nn.Module in {path}:", name, classes)
    return classes[name]


def _line(e: Exception) -> str:
    return " ".join(f"{type(e).__name__}: {e}".split())[:300]
