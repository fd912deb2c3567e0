"""Files as others publish them, of numbers by chance."""

import base64
import json
from pathlib import Path

import torch

CHEST = {
    "update_module.0.weight": (20, 48, 1, 1), "update_module.0.bias": (20,), "update_module.2.weight": (16, 20, 1, 1)
}  # fmt: skip
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
