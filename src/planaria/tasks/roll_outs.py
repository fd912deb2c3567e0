"""Free roll-outs of a rule that predicts videos: what it makes of them alone, beside the truth.

For validation, for the scores of its card, and for the eye.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from planaria.core.layout import Layout
from planaria.data.clips import Clips
from planaria.engine import run
from planaria.engine.context import charge, shown
from planaria.tasks.about import View
from planaria.types import State

LOOKS = 12
"""Most places in the held-out frames that errors are measured from."""
STARTS = (0.0, 0.25, 0.5)
"""Places in a video, as shares of its frames, that a validation starts from with the whole context."""
VIEW, TAIL = 100, 50
"""Frames over which a validation follows a video, and frames after these whose looks it compares."""
SEEN = (1, 5, 10, 20, 50, 100)
"""Frames ahead that are seen while it trains."""


@dataclass(frozen=True)
class RollOuts:
    """Roll-outs of `rule`, which is shown at most `context` frames and runs `steps` cell steps from frame to frame."""

    rule: nn.Module
    layout: Layout
    clips: Clips
    context: int
    steps: int
    engine: str
    device: torch.device

    @torch.no_grad()
    def missed(self, apart: float, looks: Tensor) -> float:
        """Share of the frames that roll-outs don't follow, and how unlike the video they are afterwards.

        From several starts in a video (the first that was held out, or the only one), and from one frame alone: the
        error of each frame, as a share of half of `apart`, at most 1; the mean over frames. To this is added a quarter
        of the mean distance of log variance and log motion of the frames after these from those of `looks`, at most 1
        each.
        """
        clip = self.clips.clips[self.clips.held[0][0]]
        places = [(round(share * len(clip)), self.context) for share in STARTS] + [(0, 1)]
        places = [(i, n) for i, n in dict.fromkeys(places) if i + n < len(clip)]
        x, missed, pictures = torch.cat([self._charged(clip.stack(i, i + n)[None]) for i, n in places]), [], []
        for k in range(VIEW + TAIL):
            x = self._ahead(x, k, k + 1)
            picture = self.layout.picture(x)
            for j, (i, n) in enumerate(places):
                if k < VIEW and i + n + k < len(clip):
                    wrong = (picture[j] - clip.stack(i + n + k, i + n + k + 1)[0].to(x)).square().mean().item()
                    missed.append(min(1.0, 2 * wrong / apart) if math.isfinite(wrong) else 1.0)
            if k >= VIEW:
                pictures.append(picture)
        seen = torch.stack(pictures).nan_to_num(1e6).clamp(-1e3, 1e3)
        unlike = (moments(seen).log() - looks.log().to(seen)).abs().clamp(max=1).mean()
        return sum(missed) / len(missed) + float(unlike) / 4

    @torch.no_grad()
    def errors(self, horizon: int) -> tuple[list[float], list[float]]:
        """Mean squared error on held-out frames 1, 2, ... ahead, of the rule and of copying the last frame."""
        places = [(c, i) for c, first in self.clips.held for i in range(first - 1, len(self.clips.clips[c]) - 1)]
        places = [(c, i) for c, i in places if i >= self.context - 1][:: -(-len(places) // LOOKS) or 1]
        if not places:
            return [], []
        context = torch.stack([self.clips.clips[c].stack(i + 1 - self.context, i + 1) for c, i in places])
        context = context.to(self.device)
        x, model, copy = self._charged(context), [], []
        for h in range(1, horizon + 1):
            still = [k for k, (c, i) in enumerate(places) if i + h < len(self.clips.clips[c])]
            if not still:
                break
            x = self._ahead(x, h - 1, h)
            truth = [self.clips.clips[c].stack(i + h, i + h + 1)[0] for c, i in (places[k] for k in still)]
            wanted = torch.stack(truth).to(self.device)
            model.append((self.layout.picture(x)[still] - wanted).square().mean().item())
            copy.append((context[still, -1] - wanted).square().mean().item())
        return model, copy

    @torch.no_grad()
    def view(self) -> View:
        """A roll-out from the first frames of the first video, below the true frames."""
        clip = self.clips.clips[0]
        reach = min(SEEN[-1], len(clip) - self.context)
        ahead = sorted({reach, *(h for h in SEEN if h < reach)})
        x, now, made, truth = self._charged(clip.stack(0, self.context)[None]), 0, [], []
        for h in ahead:
            x = self._ahead(x, now, h)
            now = h
            made.append(self.layout.rgb(x)[0].cpu())
            true = clip.stack(self.context + h - 1, self.context + h)
            truth.append(self.layout.rgb(shown(self.layout, true))[0])
        heads = tuple(f"frame {h}" if k == 0 else f"{h}" for k, h in enumerate(ahead))
        rows = {"video": torch.stack(truth), "alone": torch.stack(made)}
        return View(heads, rows, "the video above, what it makes of it alone below")

    def _charged(self, frames: Tensor) -> State:
        """State after the `frames` `(b, n, v, h, w)` that it is shown."""
        return charge(self.rule, self.layout, frames.to(self.device), self.steps, **self._options)

    def _ahead(self, x: State, now: int, then: int) -> State:
        """State at frame `then` of one at frame `now`."""
        return run(self.rule, x, (then - now) * self.steps, t=now * self.steps, **self._options)

    @property
    def _options(self) -> dict[str, Any]:
        return {"seed": 1, "engine": self.engine}


def moments(film: Tensor) -> Tensor:
    """Variance over the grid and mean squared change from frame to frame of `(n, b, v, h, w)`, `(2, b)`."""
    spread = film.var((-2, -1), correction=0).mean((0, 2))
    return torch.stack([spread, film.diff(dim=0).square().mean((0, 2, 3, 4))]).clamp(min=1e-9)
