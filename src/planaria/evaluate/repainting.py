"""Evaluation of a texture, style or text model along its life: distance to its aim, and stability."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from planaria.core.bounds import burst
from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.evaluate.curve import Progress
from planaria.evaluate.stops import life
from planaria.losses.backbones import Backbone
from planaria.losses.clip import Clip
from planaria.losses.clip_loss import spherical
from planaria.losses.style import content_distance, style_distance
from planaria.types import Picture

STEPS = (60, 200, 1000)
"""Steps after which a life is measured; the start is too."""
CHUNK = 20
"""Steps between two reports of progress."""

Judge = Callable[[Float[Tensor, "1 3 h w"], Float[Tensor, "1 3 h w"]], float]
"""`judge(shown, photo)`: distance of the shown picture from its aim; without a photo, `photo` is the start."""


@dataclass(frozen=True)
class Painted:
    """Measurements of a model's lives, a number a moment: the first is the start."""

    steps: tuple[int, ...]
    photos: tuple[str, ...]
    """Names of the repainted photos; empty for a texture."""
    sizes: tuple[tuple[int, int], ...]
    """Rows and columns of each life."""
    distances: dict[str, tuple[float, ...]]
    """Name of the judge -> distance from its aim, mean over all lives."""
    wished: tuple[str, ...]
    """Those of `distances` that should fall."""
    largest: tuple[float, ...]
    """The largest value in any cell of any life."""
    pictures: list[list[Float[Tensor, "3 _ _"]]] = field(repr=False, compare=False)
    """Pictures of every life at each moment, `(3, h, w)` in 0..1."""
    burst: int | None = None
    """The first step at which a life was seen to have burst, looked at every 20 steps; None where none did."""

    @property
    def bounded(self) -> bool:
        """True if no cell burst."""
        return self.burst is None

    def nearer(self, name: str) -> tuple[float, ...]:
        """Ratio of the distance at the start to that at each moment: how many times nearer it has come."""
        first = self.distances[name][0]
        return tuple(first / now if now > 0 else math.inf for now in self.distances[name])

    def to_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON: one that is not a number is None."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "pictures"}
        distances = {name: [_finite(v) for v in values] for name, values in self.distances.items()}
        return {**plain, "distances": distances, "largest": [_finite(v) for v in self.largest], "bounded": self.bounded}


def by_style(backbone: Backbone, image: Picture) -> Judge:
    """Distance to a style image, in the features of a backbone."""
    return lambda shown, _: float(style_distance(backbone, shown, image))


def by_content(backbone: Backbone) -> Judge:
    """Distance to the content of the photo, in the features of a backbone: 0 the same."""
    return lambda shown, photo: float(content_distance(backbone.content(shown), backbone.content(photo)))


def by_prompt(clip: Clip, aim: Float[Tensor, " d"]) -> Judge:
    """Half the squared angle between a picture and a prompt in CLIP's embedding: 0 the same, pi^2 / 2 the opposite."""
    return lambda shown, _: float(spherical(clip.image(shown)[0], aim))


@torch.no_grad()
def painted(
    rule: nn.Module,
    layout: Layout,
    photos: Mapping[str, Picture],
    wished: Mapping[str, Judge],
    kept: Mapping[str, Judge] | None = None,
    *,
    steps: Sequence[int] = STEPS,
    size: tuple[int, int] = (256, 256),
    seed: int = 0,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Painted:
    """Repaint each of `photos`, name -> `(3, h, w)` in 0..1, and judge it at the start and after each of `steps`.

    Without photos, one life begins from the empty start, on `size` rows and columns. `wished` are judges of what should
    come nearer, `kept` of what is given up for it. `seed` draws where the cells begin, and which fire. Raises
    `UserError` for steps below 1, and where the model and the photos don't fit.
    """
    if not steps or min(steps) < 1:
        raise UserError("a life is looked at after 1 step or more")
    if bool(photos) != bool(layout.photo):
        raise UserError("this model repaints photos: give some" if layout.photo else "this model repaints no photos")
    moments = (0, *sorted(set(steps)))
    stops = sorted({*moments, *range(0, moments[-1], CHUNK)})
    judges = {**wished, **(kept or {})}
    device = next(rule.parameters(), torch.zeros(())).device
    lives = list(photos.items()) or [("texture", torch.zeros(3, *size))]
    found = {name: [0.0] * len(moments) for name in judges}
    largest, pictures, bursts = [0.0] * len(moments), [], []
    for number, (name, photo) in enumerate(lives):
        photo = photo[None].to(device)
        x = layout.pose(photo, seed=seed) if photos else layout.seed(1, size, device=device)
        begun, seen = layout.rgb(x), []
        for t, state in life(rule, x, stops, seed=seed, engine=engine):
            if progress is not None:
                progress(name, number * moments[-1] + t, len(lives) * moments[-1])
            bursts += [t] if burst(state, layout) else []
            if t not in moments:
                continue
            k, shown = moments.index(t), layout.rgb(state)
            for what, judge in judges.items():
                found[what][k] += judge(shown, photo if photos else begun) / len(lives)
            largest[k] = max(largest[k], float(state.abs().nan_to_num(math.inf, math.inf).max()))
            seen.append(shown[0].cpu())
        pictures.append(seen)
    return Painted(
        moments, tuple(photos), tuple((p[0].shape[1], p[0].shape[2]) for p in pictures),
        {name: tuple(values) for name, values in found.items()}, tuple(wished), tuple(largest), pictures,
        min(bursts, default=None),
    )  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
