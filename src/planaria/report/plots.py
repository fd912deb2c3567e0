"""Pictures of scores: plots, a strip and a film of the truth above the model."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from planaria.evaluate.curve import Frames
from planaria.evaluate.scores import Scores, Whole
from planaria.report.tables import decibels

INK, MUTED, PLUM, LIGHT, CORAL, LEAF = "#1d1b26", "#6f6a7d", "#5b2a86", "#b9a7d8", "#d1495b", "#2f8f6b"
AT = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Frames of a strip, besides the last."""
TILE, WIDE = 144, 288
"""Approximate longer side of a picture in pixels, in a strip and in a film."""
RATIOS = (0.05, 20)
"""Limits of a plot of ratios: what lies beyond is drawn at its edge."""
MOST_FRAMES = 300
"""Frames of a film at most; of a longer one, every second or third is taken."""


def plot(scores: Scores, name: str) -> bytes:
    """`scores.png`: held-out PSNR by horizon, the whole film, the long run, the spectrum."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(11, 7.6), dpi=110, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    FigureCanvasAgg(figure)
    figure.suptitle(name, color=INK, fontsize=14, x=0.012, ha="left")
    axes = figure.subplots(2, 2)
    _held_out(axes[0][0], scores)
    _whole(axes[0][1], scores)
    _long(axes[1][0], scores)
    _spectrum(axes[1][1], scores)
    for one in axes.flat:
        one.grid(alpha=0.2)
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(colors=MUTED, which="both")
        one.title.set_color(INK)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _held_out(axes: Any, scores: Scores) -> None:
    style = {"marker": "o", "markersize": 5}
    axes.plot(scores.still.horizons, scores.still.psnr, color=MUTED, label="last frame again", **style)
    axes.plot(scores.line.horizons, scores.line.psnr, color=CORAL, label="linear", **style)
    axes.plot(scores.model.horizons, scores.model.psnr, color=PLUM, linewidth=2.5, label="model", **style)
    axes.set(xscale="log", title="Held-out frames", xlabel="frames ahead", ylabel="PSNR (dB)")
    axes.set_xticks(scores.model.horizons, [str(h) for h in scores.model.horizons])
    axes.minorticks_off()
    axes.legend(frameon=False)


def _whole(axes: Any, scores: Scores) -> None:
    whole = scores.whole
    at = range(whole.first, whole.first + len(whole.psnr))
    axes.plot(at, whole.still, color=MUTED, linewidth=1.2, label="last shown again")
    if scores.alone != whole:
        axes.plot(range(1, 1 + len(scores.alone.psnr)), scores.alone.psnr, color=LIGHT, label="frame 0 alone")
    axes.plot(at, whole.psnr, color=PLUM, linewidth=2.2, label="model")
    axes.axvline(scores.start - 0.5, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate(
        "held out", (scores.start - 0.5, 0), (3, 3), xycoords=("data", "axes fraction"),
        textcoords="offset points", va="bottom", fontsize=8, color=MUTED,
    )  # fmt: skip
    axes.set(title="The whole video, one roll-out from its beginning", xlabel="frame", ylabel="PSNR (dB)")
    axes.legend(frameon=False)


def _long(axes: Any, scores: Scores) -> None:
    axes.set(title="Long run, beside the video", xlabel="frame", ylabel="run / video", yscale="log")
    axes.axhline(1, color=INK, linewidth=0.8, linestyle=":")
    middle = [(k + 0.5) * scores.frames for k in range(len(scores.long))]
    for what, colour in (("motion", LIGHT), ("variance", LEAF), ("mean", PLUM)):
        values = np.array([getattr(window, what) for window in scores.long])
        values = np.where(np.isfinite(values), np.clip(values, *RATIOS), np.nan)
        axes.plot(middle, values, color=colour, linewidth=2, marker="o", markersize=4, label=what)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.5), max(high, 2))
    ticks = [t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if min(low, 0.5) <= t <= max(high, 2)]
    axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, ncols=3)


def _spectrum(axes: Any, scores: Scores) -> None:
    rings = len(scores.data.spectrum)
    at = (np.arange(rings) + 0.5) / (2 * rings)
    axes.plot(at, scores.data.spectrum, color=MUTED, alpha=0.5, linewidth=5, label="film")
    if scores.late is not None and scores.late.spectrum:
        low, high = min(scores.data.spectrum) - 2, max(scores.data.spectrum) + 2
        values = np.array(scores.late.spectrum)
        off = "" if ((low <= values) & (values <= high)).any() else " (off the scale)"
        axes.plot(at, np.clip(values, low, high), color=PLUM, linewidth=2, label=f"model, end of the long run{off}")
    axes.set(title="Detail by scale", xlabel="cycles a cell (coarse to fine)", ylabel="log10 power")
    axes.legend(frameon=False)


def strip(frames: Frames, film: Frames, whole: Whole) -> Image.Image:
    """`rollout.png`: some frames of the truth above, those of the model below, each with its number and decibels."""
    n = len(frames)
    picks = sorted({*(k for k in AT if k < n), n - 1})
    wide, tall = _size(frames, TILE)
    gap, left, top, bottom = 6, 54, 24, 24
    across = max(wide, 58) + gap
    sheet = Image.new("RGB", (left + len(picks) * across + gap, top + 2 * (tall + gap) + bottom), "white")
    ink, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    ink.text((8, top + tall / 2), "truth", MUTED, font, anchor="lm")
    ink.text((8, top + gap + tall * 1.5), "model", PLUM, font, anchor="lm")
    for column, k in enumerate(picks):
        x = left + column * across
        ink.text((x + 1, 5), f"frame {k}" if column == 0 else f"{k}", INK, font)
        for row, picture in enumerate((frames[k], film[k])):
            y = top + row * (tall + gap)
            sheet.paste(_image(picture, (wide, tall)), (x, y))
            ink.rectangle((x - 1, y - 1, x + wide, y + tall), outline=LIGHT if row else "#dedbe6")
        label = "shown" if k < whole.first else f"{decibels(whole.psnr[k - whole.first])} dB"
        ink.text((x + 1, top + 2 * (tall + gap) - 1), label, MUTED, font)
    return sheet


def film(frames: Frames, made: Frames, whole: Whole, fps: float = 20) -> bytes:
    """`rollout.webp`: the whole film, the truth above and the model below, lossless."""
    step = -(-len(frames) // MOST_FRAMES)
    wide, tall = _size(frames, WIDE)
    font = ImageFont.load_default(13)
    images = []
    for k in range(0, len(frames), step):
        sheet = Image.new("RGB", (wide, 2 * tall + 29), "white")
        sheet.paste(_image(frames[k], (wide, tall)), (0, 0))
        sheet.paste(_image(made[k], (wide, tall)), (0, tall + 3))
        label = "shown" if k < whole.first else f"{decibels(whole.psnr[k - whole.first])} dB"
        words = ImageDraw.Draw(sheet)
        words.text((4, 2 * tall + 9), f"{k}", INK, font)
        words.text((wide - 4, 2 * tall + 9), label, MUTED, font, anchor="ra")
        images.append(sheet)
    out = io.BytesIO()
    images[0].save(
        out, "WEBP", save_all=True, append_images=images[1:], duration=round(1000 * step / fps), loop=0, lossless=True,
        quality=40, method=2,
    )  # fmt: skip
    return out.getvalue()


def _size(frames: Frames, side: int) -> tuple[int, int]:
    """Width and height of a picture whose longer side has about `side` pixels; cells are enlarged to whole pixels."""
    h, w = frames.shape[2:]
    scale = max(1, round(side / max(h, w))) if max(h, w) <= side else side / max(h, w)
    return max(1, round(w * scale)), max(1, round(h * scale))


def _image(picture: Tensor, size: tuple[int, int]) -> Image.Image:
    """Render a picture `(visible, h, w)` at that width and height; RGBA over white."""
    p = picture.detach().cpu().float()
    p = p[:3] + 1 - p[3:] if len(p) == 4 else p.expand(3, -1, -1)
    small = Image.fromarray((p.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
    return small.resize(size, Image.Resampling.NEAREST if size[0] >= small.width else Image.Resampling.BOX)
