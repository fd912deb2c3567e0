"""Life: free runs of a video model from given frames, and the statistics of their films."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from jaxtyping import Float
from torch import Tensor, nn

from planaria.core.bounds import limits, within
from planaria.core.layout import Layout
from planaria.evaluate.curve import Frames, Progress, as_seen, roll_out
from planaria.evaluate.scores import Whole
from planaria.evaluate.statistics import Stats, measure
from planaria.losses.quality import psnr


@dataclass(frozen=True)
class Life:
    """A model and the settings of its runs."""

    rule: nn.Module
    layout: Layout
    steps: int
    """Cell steps a frame."""
    seed: int = 0
    engine: str = "auto"
    progress: Progress | None = None
    bursts: dict[str, int] = field(default_factory=dict)
    """Name of the run -> the picture, counted from 1, at which it was first seen to have burst."""

    def pictures(self, clip: Frames, count: int, what: str) -> Iterator[Float[Tensor, "1 v h w"]]:
        """The `count` pictures that follow `clip`, unclamped; `what` is the name that `progress` gets."""
        made = roll_out(self.rule, self.layout, clip, self.steps, count, seed=self.seed, engine=self.engine)
        for k, picture in enumerate(made, 1):
            if self.progress is not None:
                self.progress(what, k, count)
            if what not in self.bursts and not within(picture, limits(self.layout)[0]):
                self.bursts[what] = k
            yield picture.to(clip)

    def whole(self, frames: Frames, context: int) -> tuple[Whole, Frames]:
        """Scores from the first `context` frames to the end, beside those of repeating the last one; and the film."""
        film = frames.clone()
        for k, picture in enumerate(self.pictures(frames[:context], len(frames) - context, "whole video"), context):
            film[k] = as_seen(picture[0])
        made = psnr(film[context:], frames[context:])
        still = psnr(frames[context - 1].expand_as(frames[context:]), frames[context:])
        return Whole(context, tuple(made.tolist()), tuple(still.tolist())), film

    def long(self, clip: Frames, times: int, length: int) -> list[Stats]:
        """Statistics of each of `times` windows of `length` frames, up to one with a value that is not a number."""
        pictures = self.pictures(clip, times * length, "long run")
        last, windows = clip[-1:], []

        def window() -> Iterator[Tensor]:
            nonlocal last
            for picture in islice(pictures, length):
                last = picture
                yield picture

        for _ in range(times):
            windows.append(measure(window(), last))
            if not windows[-1].finite:
                break
        return windows

    def later(self, clip: Frames, count: int, what: str) -> Stats:
        """Statistics of the later half of `count` frames from `clip`; of no frame at all if it broke down before."""
        pictures = self.pictures(clip, count, what)
        before = clip[-1:]
        for picture in islice(pictures, count - (count + 1) // 2):
            if not picture.isfinite().all():
                return measure([picture])
            before = picture
        return measure(pictures, before)
