"""Files as others publish them, of random numbers, and the parts of their definitions in float64."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from planaria.engine import run
from planaria.store import formats

CHEST = {
    "update_module.0.weight": (20, 48, 1, 1), "update_module.0.bias": (20,), "update_module.2.weight": (16, 20, 1, 1)
}  # fmt: skip
TEXTURES = ("bubbly", "chequered", "dotted", "grid_0002", "mesh")
TEXTURE = {"w1.weight": (96, 48, 1, 1), "w1.bias": (96,), "w2.weight": (12, 96, 1, 1)}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(shapes: dict[str, tuple[int, ...]], spread: float = 0.2) -> dict[str, torch.Tensor]:
    g = rng(3)
    return {name: spread * torch.randn(shape, generator=g) for name, shape in shapes.items()}


def layers(path: Path, sizes: list[tuple[int, int]]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Layers of bytes in a JSON file, and what they stand for: `(in + 1, out)` weights with the bias last."""
    told, meant = [], []
    for k, (into, out) in enumerate(sizes):
        bytes_ = torch.randint(0, 256, (into + 1, out), generator=rng(k), dtype=torch.uint8)
        scales = 0.8 + k, 0.3
        data = base64.b64encode(bytes(bytes_.flatten().tolist())).decode()
        told.append(
            {"data_b64": data, "in_ch": into, "out_ch": out, "weight_scale": scales[0], "bias_scale": scales[1]}
        )
        v = bytes_.double() / 255 - 0.5
        meant.append((v[:-1] * scales[0], v[-1] * scales[1]))
    path.write_text(json.dumps(told))
    return meant


def textures(path: Path, names=TEXTURES, **changes) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Five textures as tiles of two pictures; of the fourth, what they stand for: `(in, out)` weights and biases."""
    layers, meant = [], []
    for k, ((across, down), (rows, out)) in enumerate(zip(((3, 2), (5, 1)), ((49, 96), (97, 12)), strict=True)):
        g = np.random.default_rng(k)
        pixels = g.integers(97, 158, (down * rows, across * out // 4, 4), dtype=np.uint8)
        scale = (2.2094, 1.3146)[k]
        file = io.BytesIO()
        Image.fromarray(changes.get("pixels", lambda p: p)(pixels)).save(file, "PNG")
        data = "data:image/PNG;base64," + base64.b64encode(file.getvalue()).decode()
        layers.append({"scale": scale, "data": data, "shape": [rows, out], "layout": [across, down]})
        top, left = 3 // across * rows, 3 % across * out // 4
        tile = pixels[top : top + rows, left : left + out // 4].reshape(rows, out).astype(np.float64)
        v = (torch.from_numpy(tile) - 127) / 255 * scale
        meant.append((v[:-1], v[-1]))
    told = {"model_names": list(names), "layers": layers}
    path.write_text(json.dumps(changes.get("told", lambda t: t)(told)))
    return meant


def constant(name: str, numbers: torch.Tensor) -> dict[str, object]:
    """A node of a graph of TensorFlow that holds numbers."""
    shape = {"dim": [{"size": str(n)} for n in numbers.shape]}
    data = base64.b64encode(numbers.float().numpy().tobytes()).decode()
    tensor = {"dtype": "DT_FLOAT", "tensorShape": shape, "tensorContent": data}
    return {"name": name, "op": "Const", "attr": {"value": {"tensor": tensor}, "dtype": {"type": "DT_FLOAT"}}}


SX = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]).double()
SCHARR = torch.tensor([[-3.0, 0, 3], [-10, 0, 10], [-3, 0, 3]]).double()
LAP9 = torch.tensor([[1.0, 2, 1], [2, -12, 2], [1, 2, 1]]).double()
LAP5 = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).double()
BLUR = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]).double()
ONE = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]).double()
KERNELS = {
    "sobel": SX / 8,
    "scharr": SCHARR / 16,
    "gaussian": BLUR / 16,
    "laplacian": LAP5 / 8,
    "mean": ONE * 0 + 1 / 9,
}


def felt(x: torch.Tensor, kernels: list[torch.Tensor], edge: str) -> list[torch.Tensor]:
    """What each kernel makes of every channel: one `(c, h, w)` a kernel."""
    padded = F.pad(x[None], (1, 1, 1, 1), "circular" if edge == "circular" else "constant")[0]
    return [F.conv2d(padded[:, None], k[None, None])[:, 0] for k in kernels]


def dense(p: torch.Tensor, w: torch.Tensor, b: torch.Tensor | None) -> torch.Tensor:
    y = torch.einsum("oi,ihw->ohw", w.double().flatten(1), p)
    return y if b is None else y + b.double()[:, None, None]


def alive(x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(x[None, 3:4], 3, 1, 1)[0] > 0.1


def stacked(maps: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat(maps)


def interleaved(maps: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(maps, 1).flatten(0, 1)


def ours(path: Path, x: torch.Tensor, name: str = "") -> tuple[torch.Tensor, formats.Imported]:
    """What our rule makes of a state in a step in which every cell acts, in float64."""
    made = formats.load(path, name)
    rule = made.rule.double()
    told = dict(rule.config.__dict__) | {"fire_rate": 1.0}
    object.__setattr__(rule, "config", type(rule.config)(**told))
    return run(rule, x[None], 1, engine="reference")[0], made


def state(c: int, h: int = 9, w: int = 7, spread: float = 0.3) -> torch.Tensor:
    return spread * torch.randn(c, h, w, generator=rng(1)).double()
