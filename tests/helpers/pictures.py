"""Pictures that tests share: four unlike corners, a PNG that lies about its size."""

import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

# Four different corners, so that a turned or mirrored picture shows: red, green / blue, white.
CORNERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
RED = 1.0, 0.0, 0.0, 1.0


def save(path: Path, image: Image.Image, **options: object) -> str:
    """Write a picture and return its path as a person would type it."""
    image.save(path, **options)
    return str(path)


def corners(size: int = 16) -> Image.Image:
    return Image.fromarray(CORNERS).resize((size, size), Image.Resampling.NEAREST)


def pixel(x: torch.Tensor, row: int = 0, column: int = 0) -> tuple[float, ...]:
    return tuple(round(v, 4) for v in x[:, row, column].tolist())


def header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds the beginning of nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    ihdr = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )
