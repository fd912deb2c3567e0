"""ClipLoss: distance of pictures from prompts, by CLIP."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from planaria.errors import UserError
from planaria.files import open_regular
from planaria.losses.clip import Clip
from planaria.losses.cutouts import cutouts
from planaria.types import PerSample

FARTHEST = math.pi**2 / 2
"""Value of `spherical` between opposite points."""
SHORT = 0.05
"""Length of a change at which its direction counts half."""
MOST_BYTES = 1_000_000


def spherical(a: Float[Tensor, "... d"], b: Float[Tensor, "... d"]) -> Float[Tensor, "..."]:
    """Half the squared angle between unit vectors, `2 asin(|a - b| / 2)^2`: 0 the same, pi^2 / 2 opposite.

    As Crowson et al. guide by CLIP ("VQGAN-CLIP", 2022).
    """
    return 2 * ((a - b).norm(dim=-1) / 2).clamp(max=1 - 1e-6).asin().square()


def turned(change: Float[Tensor, "... d"], wanted: Float[Tensor, "... d"]) -> Float[Tensor, "..."]:
    """One minus the cosine between a change and the wanted one: 0 the same way, 2 the opposite.

    Gal et al., "StyleGAN-NADA", 2021. A change of nearly no length has nearly no direction: 1.
    """
    along = (change * wanted).sum(-1) / wanted.norm(dim=-1).clamp(min=1e-6)
    return 1 - along / (change.square().sum(-1) + SHORT**2).sqrt()


@final
class Head:
    """Aesthetic score of an embedding, by a linear head `weight` `(1, d)`, `bias` `(1,)`; higher is better."""

    def __init__(self, weight: Float[Tensor, "1 d"], bias: Float[Tensor, "1"]):
        self.weight, self.bias = weight, bias

    def __call__(self, embedding: Float[Tensor, "... d"]) -> Float[Tensor, "..."]:
        """Score of each embedding."""
        return embedding @ self.weight[0] + self.bias[0]


def load_head(path: Path, width: int, device: torch.device) -> Head:
    """Load an aesthetic head from safetensors or JSON with `weight`, `width` numbers, and optionally `bias`, one.

    Raises `UserError` for anything else.
    """
    try:
        with open_regular(path) as opened:
            data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise UserError(f"{path} is too large for an aesthetic head of {width} numbers")
        if path.suffix.lower() == ".json":
            header = json.loads(data)
            held = {key: torch.tensor(header[key], dtype=torch.float32) for key in ("weight", "bias") if key in header}
        else:
            with safe_open(path, "pt") as file:
                held = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except (SafetensorError, ValueError, TypeError, RuntimeError, RecursionError) as error:
        raise UserError(f"{path} is no aesthetic head in safetensors or JSON: {error}") from None
    weight, bias = held.get("weight", torch.zeros(0)), held.get("bias", torch.zeros(1))
    if (
        weight.numel() != width
        or bias.numel() != 1
        or not torch.cat([weight.flatten(), bias.flatten()]).isfinite().all()
    ):
        raise UserError(
            f"{path}: an aesthetic head of this CLIP is a weight of {width} finite numbers and a bias of one"
        )
    return Head(weight.reshape(1, width).to(device), bias.reshape(1).to(device))


@final
class ClipLoss:
    """Loss of pictures by prompts.

    `aims` `(p, d)` are the prompts' unit vectors, `weights` their factors, below 0 to push away. With `origins`
    `(p, d)` it is the change from the photo to the picture that should go the way from origin to aim.
    """

    def __init__(
        self,
        clip: Clip,
        aims: Float[Tensor, "p d"],
        weights: Sequence[float],
        *,
        origins: Float[Tensor, "p d"] | None = None,
        count: int = 8,
        strength: float = 1.0,
        head: Head | None = None,
        goal: float = 10.0,
    ):
        self.clip, self.aims, self.origins = clip, aims, origins
        self.weights = torch.tensor(list(weights), device=aims.device)
        self.count, self.strength, self.head, self.goal = count, strength, head, goal

    def __call__(
        self, rgb: Float[Tensor, "b 3 h w"], photo: Float[Tensor, "b 3 h w"], seed: int
    ) -> dict[str, PerSample]:
        """Terms for pictures in 0..1 that repaint `photo`: `text`, and `aesthetic` where there is a head.

        `text` is the mean over random cutouts by `seed`, and over prompts by their weights: of 0..pi^2 / 2, or 0..2
        by direction; what pushes away counts its nearness. `aesthetic` is the shortfall of the score from the goal.
        """
        seen = self._seen(rgb, seed)
        if self.origins is None:
            far, most = spherical(seen[:, :, None], self.aims), FARTHEST
        else:
            with torch.no_grad():
                before = self._seen(photo, seed)
            far, most = turned((seen - before)[:, :, None], self.aims - self.origins), 2.0
        wrong = torch.where(self.weights > 0, far, most - far) * self.weights.abs() / self.weights.abs().sum()
        terms = {"text": wrong.sum(-1).mean(1)}
        if self.head is not None:
            terms["aesthetic"] = (self.goal - self.head(seen)).clamp(min=0).mean(1)
        return terms

    def _seen(self, rgb: Tensor, seed: int) -> Tensor:
        """Embeddings of the cutouts of each picture, `(b, n, d)`."""
        cut = cutouts(rgb, self.count, self.clip.size, seed, self.strength)
        return self.clip.image(cut.flatten(0, 1)).unflatten(0, cut.shape[:2])
