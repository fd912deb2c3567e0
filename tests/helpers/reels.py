"""Films that tests make: GIFs written byte by byte, films through a codec, one long flat film."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

PALETTE = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
"""What the numbers 0 to 3 of a `gif` are: black, red, green, blue."""


def gif(size: tuple[int, int], frames: list[dict]) -> bytes:
    """A GIF of rectangles: each frame has `at` (left, top), `size`, `colour` (or rows of them), `disposal`, `delay`."""
    w, h = size
    data = b"GIF89a" + bytes([w, 0, h, 0, 0x81, 0, 0]) + bytes(v for colour in PALETTE for v in colour)
    for frame in frames:
        (x, y), (fw, fh) = frame.get("at", (0, 0)), frame.get("size", size)
        delay, clear = frame.get("delay", 10), frame.get("clear")
        flags = frame.get("disposal", 0) << 2 | (clear is not None)
        data += b"\x21\xf9\x04" + bytes([flags]) + delay.to_bytes(2, "little") + bytes([clear or 0, 0])
        data += b"\x2c" + bytes([x, 0, y, 0, fw, 0, fh, 0, 0]) + _lzw([frame["colour"]] * (fw * fh))
    return data + b"\x3b"


def _lzw(pixels: list[int]) -> bytes:
    """Pixels 0 to 3 as GIF packs them, without packing: the table is thrown away after every second one."""
    codes = [code for k in range(0, len(pixels), 2) for code in (4, *pixels[k : k + 2])] + [5]
    bits = sum(code << 3 * k for k, code in enumerate(codes))
    packed = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
    blocks = [packed[k : k + 255] for k in range(0, len(packed), 255)]
    return b"\x02" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def encode(
    path: Path, frames: Iterable[np.ndarray], codec: str = "libx264", pixels: str = "yuv420p", *, rate: int = 25,
    rotation: int = 0, aspect: int = 1, options: dict[str, str] | None = None,
) -> str:  # fmt: skip
    """Write frames `(h, w, 3)` uint8 through a codec; gives the path as a person would type it."""
    import av

    with av.open(str(path), "w", options=options or {}) as box:
        stream = box.add_stream(codec, rate=rate)
        stream.pix_fmt = pixels
        for k, frame in enumerate(frames):
            if not k:
                stream.height, stream.width = frame.shape[:2]
                if rotation:
                    stream.set_display_rotation(rotation)
                if aspect != 1:
                    stream.codec_context.sample_aspect_ratio = aspect
            form = "rgba" if frame.shape[2] == 4 else "rgb24"
            box.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=form)))
        box.mux(stream.encode())
    return str(path)


def steps(n: int, h: int = 48, w: int = 64) -> list[np.ndarray]:
    """`n` flat frames, a codec's friend: red to the left, to the right a green that rises by 4 a frame."""
    frames = np.zeros((n, h, w, 3), np.uint8)
    frames[:, :, : w // 2, 0] = 255
    for k in range(n):
        frames[k, :, w // 2 :, 1] = 4 * k % 256
    return list(frames)
