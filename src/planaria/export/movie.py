"""Film: what a living run looked like, and how it becomes a `.gif`, `.webp`, `.mp4` or a `.png` strip."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import nn

from planaria.core.damage import Wound
from planaria.core.layout import Layout
from planaria.errors import UserError, missing_extra, unknown
from planaria.export import Options
from planaria.store import card, load, trained_size, write_bytes
from planaria.types import State
from planaria.world import World

SUFFIXES = (".gif", ".mp4", ".png", ".webp")
SIDE = 288
"""Pixels that the longer side of a film has at least, where no scale is given."""
MOST_BYTES = 2_000_000_000
WOUND_AT, WOUND = 160, "left"
"""What a film of a model that was trained to heal shows, where nobody says otherwise."""


@dataclass(frozen=True)
class Film:
    """Frames of a run. Shows itself in a notebook; `save` writes it."""

    frames: np.ndarray
    """`(n, h, w, 3)` uint8."""
    at: tuple[int, ...]
    """The step that each frame shows."""
    events: Mapping[int, str] = field(default_factory=dict)
    """Step -> the wound made there."""
    fps: int = 30
    """Frames a second."""

    def save(self, path: str | Path, *, scale: int | None = None) -> Path:
        """Write as `.gif`, `.webp` (lossless), `.mp4` (extra `video`) or `.png` (a strip), by the suffix.

        `scale` enlarges every cell to a square of that many pixels; by default films get about 288 pixels.
        The file is replaced in one step. Raises `UserError` for other suffixes.
        """
        path = Path(path)
        check_suffix(path)
        if path.suffix == ".png":
            out = io.BytesIO()
            self.strip(scale=scale).save(out, "PNG")
            data = out.getvalue()
        else:
            big = self._enlarged(scale)
            data = self._mp4(big) if path.suffix == ".mp4" else self._pillow(big, path.suffix)
        write_bytes(path, data)
        return path

    def strip(self, columns: int = 8, *, scale: int | None = None) -> Image.Image:
        """Moments of the film side by side, each with its step; every wound is among them."""
        picks = self.moments(columns)
        _, h, w, _ = self.frames.shape
        scale = self._pixels(max(1, round(144 / max(h, w))) if scale is None else scale, len(picks))
        gap, label = 8, 24
        sheet = Image.new("RGB", (gap + len(picks) * (w * scale + gap), h * scale + label + 2 * gap), "white")
        ink, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
        for i, k in enumerate(picks):
            left = gap + i * (w * scale + gap)
            tile = Image.fromarray(self.frames[k]).resize((w * scale, h * scale), Image.Resampling.NEAREST)
            sheet.paste(tile, (left, gap))
            ink.rectangle((left - 1, gap - 1, left + w * scale, gap + h * scale), outline=(225, 225, 230))
            wound = self.events.get(self.at[k]) if self._after_wound(k) else None
            text = f"{self.at[k]}: {wound}" if wound else f"{self.at[k]}"
            ink.text((left + 2, gap + h * scale + 5), text, (170, 40, 60) if wound else (60, 60, 70), font)
        return sheet

    def _after_wound(self, k: int) -> bool:
        """Whether frame `k` shows a wound just made: the second frame of that step."""
        return self.at[k] in self.events and (k == 0 or self.at[k - 1] == self.at[k])

    def moments(self, columns: int) -> list[int]:
        """Places of frames for a strip: the first, the last, the wounds, and others where the gaps are largest."""
        n = len(self.frames)
        wounds = [k for k in range(n) if self._after_wound(k)]
        chosen = {0, n - 1, *wounds[: columns - 2]}
        while len(chosen) < min(columns, n):
            ordered = sorted(chosen)
            gap, start = max((b - a, -a) for a, b in pairwise(ordered))
            chosen.add(-start + gap // 2)
        return sorted(chosen)

    def _enlarged(self, scale: int | None) -> np.ndarray:
        _, h, w, _ = self.frames.shape
        scale = self._pixels(max(1, -(-SIDE // max(h, w))) if scale is None else scale, len(self.frames))
        return self.frames.repeat(scale, 1).repeat(scale, 2)

    def _pixels(self, scale: int, count: int) -> int:
        """`scale`, if `count` frames enlarged by it are something to see and fit in memory."""
        _, h, w, _ = self.frames.shape
        if scale < 1 or count * h * w * 3 * scale**2 > MOST_BYTES:
            raise UserError(f"a film of {len(self.frames)} frames, {w}x{h} cells, can't be enlarged {scale} times")
        return scale

    def _pillow(self, frames: np.ndarray, suffix: str) -> bytes:
        images = [Image.fromarray(f) for f in frames]
        out = io.BytesIO()
        often = {"save_all": True, "duration": round(1000 / self.fps), "loop": 0}
        if suffix == ".gif":
            images = [i.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE) for i in images]
            images[0].save(out, "GIF", append_images=images[1:], disposal=1, **often)
        else:
            images[0].save(out, "WEBP", append_images=images[1:], lossless=True, quality=40, method=2, **often)
        return out.getvalue()

    def _mp4(self, frames: np.ndarray) -> bytes:
        try:
            import av
        except ImportError:
            raise missing_extra("writing .mp4", "video") from None
        _, h, w, _ = frames.shape
        frames = np.pad(frames, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), "edge")  # the codec wants even sides
        out = io.BytesIO()
        with av.open(out, "w", format="mp4") as box:
            stream = box.add_stream("libx264", rate=Fraction(self.fps), options={"crf": "16", "preset": "medium"})
            stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
            for f in frames:
                box.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(f), format="rgb24")))
            box.mux(stream.encode())
        return out.getvalue()

    def _repr_mimebundle_(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> dict[str, str]:  # noqa: ARG002
        _, h, w, _ = self.frames.shape
        text = f"Film of {len(self.frames)} frames, {w}x{h} cells, steps {self.at[0]} to {self.at[-1]}"
        data = base64.b64encode(self._pillow(self._enlarged(None), ".webp")).decode()
        return {"text/html": f'<img alt="{text}" src="data:image/webp;base64,{data}">', "text/plain": text}


def check_suffix(path: Path) -> None:
    """Raise `UserError` unless `path` ends in a suffix that a film can be written with."""
    if path.suffix not in SUFFIXES:
        raise unknown("format", path.suffix or path.name, SUFFIXES)


def film(
    rule: nn.Module,
    layout: Layout,
    *,
    steps: int = 200,
    size: int | tuple[int, int] = 72,
    seed: int = 0,
    erase: Mapping[int, str] | None = None,
    every: int = 2,
    fps: int = 30,
    background: float = 1.0,
    start: State | None = None,
    engine: str = "auto",
) -> Film:
    """Film `steps` steps from the seed, or from `start` `(1, c, h, w)`, with a frame every `every` steps.

    `erase` maps a step to the wound made there (`{150: "left"}`); both the moment before and after it are shown.
    `background` lies behind transparent cells, 0 black to 1 white.
    """
    erase = dict(sorted((erase or {}).items()))
    for step, wound in erase.items():
        Wound.parse(wound)
        if not 0 <= step <= steps:
            raise UserError(f"erase {wound!r} at step {step}: the film has steps 0 to {steps}")
    if every < 1 or fps < 1 or steps < 0 or not 0 <= background <= 1:
        raise UserError("a film needs every >= 1, fps >= 1, steps >= 0 and a background of 0 (black) to 1 (white)")
    if start is not None:
        size = (start.shape[2], start.shape[3])
    world = World(rule, layout, size, seed=seed, engine=engine)
    if start is not None:
        world.x = start
    if (steps // every + 2) * world.size[0] * world.size[1] * 3 > MOST_BYTES:
        raise UserError(
            f"a film of {steps} steps at {world.size} needs too much memory; film fewer: every={every * 10}"
        )
    frames, at = [], []

    def shoot() -> None:
        frames.append(world.image(background).numpy())
        at.append(world.t)

    stops = sorted({*range(0, steps + 1, every), *erase, steps})
    for step in stops:
        world.tick(step - world.t)
        shoot()
        if step in erase:
            world.erase(erase[step])
            shoot()
    return Film(np.stack(frames), tuple(at), erase, fps)


def healing(told: Mapping[str, Any]) -> dict[int, str]:
    """The wounds that a film of a model with this card should show: one, if it was trained to heal."""
    config = told.get("config")
    return {WOUND_AT: WOUND} if isinstance(config, dict) and config.get("regime") == "regenerate" else {}


def shoot(model: Path, options: Options) -> Film:
    """Film a model file or run folder."""
    rule, layout = load(model)
    erase = options.erase
    if erase is None:
        erase = {step: wound for step, wound in healing(card(model)).items() if step < options.steps}
    return film(
        rule, layout, steps=options.steps, size=options.size or trained_size(model), seed=options.seed, erase=erase,
        every=options.every, fps=options.fps, background=options.background, engine=options.engine,
    )  # fmt: skip


def write(model: Path, output: Path, options: Options) -> Path:
    """Film a model into a `.gif`, `.webp`, `.mp4` or a `.png` strip."""
    check_suffix(output)
    return shoot(model, options).save(output, scale=options.scale)
