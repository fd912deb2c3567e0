"""Small films that are drawn for tests, `(n, 3, h, w)` in 0..1, and written as a folder of pictures."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image


def texture(seed: int, h: int = 48, w: int = 64, smooth: int = 2) -> np.ndarray:
    """Smooth noise `(h, w, 3)` from 0 to 1 that goes on at the other side."""
    v = np.random.default_rng(seed).random((h, w, 3))
    for _ in range(smooth):
        v = sum(np.roll(v, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    v -= v.min()
    return v / v.max()


def drift(seed: int, n: int = 40, way: tuple[int, int] = (0, 1), h: int = 48, w: int = 64) -> np.ndarray:
    """Texture that moves by `way`, down and to the right, each frame: `(n, h, w, 3)`."""
    still = texture(seed, h, w)
    return np.stack([np.roll(still, (way[0] * k, way[1] * k), (0, 1)) for k in range(n)])


def ball(
    n: int = 60, h: int = 36, w: int = 48, *, ground: float = 0.1, within: tuple[int, int] = (0, 0)
) -> np.ndarray:  # fmt: skip
    """A ball of radius 4 that bounces in `within` rows and columns, or in all: `(n, h, w, 3)`."""
    last, r = np.array(within if within[0] else (h, w)) - 1.0, 4.0
    place, speed = np.array([12.0, 10.0]), np.array([0.9, 1.3])
    rows, columns = np.mgrid[:h, :w]
    frames = []
    for _ in range(n):
        cover = np.clip(r + 0.5 - np.hypot(rows - place[0], columns - place[1]), 0, 1)[..., None]
        frames.append(ground + cover * (np.array([0.9, 0.4, 0.2]) - ground))
        place = place + speed
        out = (place < r) | (place > last - r)
        speed = np.where(out, -speed, speed)
        place = np.where(out, place + 2 * speed, place)
    return np.stack(frames)


def tensor(frames: np.ndarray) -> torch.Tensor:
    """Frames `(n, 3, h, w)` float32."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float().contiguous()


def folder(path: Path, frames: np.ndarray) -> str:
    """Write a film `(n, h, w, 3)` in 0..1 as pictures; gives the name of the folder."""
    path.mkdir(parents=True)
    for k, frame in enumerate(frames):
        Image.fromarray((frame.clip(0, 1) * 255).round().astype(np.uint8)).save(path / f"{k:04d}.png")
    return str(path)
