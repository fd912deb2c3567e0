"""The training loop: draw, damage, run, compute the loss, learn, put back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from planaria.config import TrainConfig
from planaria.core.damage import Damage
from planaria.core.noise import TrainingStream, derive
from planaria.core.rule import Rule
from planaria.errors import UserError
from planaria.tasks.base import Batch, Task, TaskConfig
from planaria.training import guardian
from planaria.training.dist import Ranks
from planaria.training.inherit import inherit
from planaria.training.optimiser import OPTIMISERS
from planaria.training.pool import Pool, pack
from planaria.training.restoring import points, pooled
from planaria.training.state import TrainingState
from planaria.types import State

GOOD_EVERY = 25
"""Healthy iterations between the guardian's own safe points."""
LEAST_CAUTION = 1 / 16
"""The lowest share of its learning rate that rescues leave; every safe point doubles it again."""
MOST_RESCUES = 12
"""Rescues without a safe point between them after which training gives up."""


@dataclass(frozen=True)
class Report:
    """Report of one iteration."""

    step: int
    """Iterations done, this one included."""
    loss: float
    """Sum of the terms, mean over the batch."""
    terms: dict[str, float]
    """Each named term, mean over the batch."""
    lr: float
    rollout: int
    """Cell steps run."""
    event: str = ""
    """Event caused by the guardian or the schedule, in one line; empty in most iterations."""
    validation: float | None = None
    """Error of the rule on held-out data, where it was measured."""


class Trainer:
    """Complete state of a training, and the one step that changes it.

    All random numbers are derived from (`train.seed`, rank, iteration), so no generator's state is part of it.
    """

    def __init__(self, task: Task, config: TaskConfig, ranks: Ranks, parent: Rule | None = None):
        self.task, self.ranks = task, ranks
        self.settings: TrainConfig = config.train
        self.rule = task.init(derive(self.settings.seed, TrainingStream.WEIGHTS)).to(ranks.device)
        self.reused = [] if parent is None else inherit(self.rule, parent)
        self.model: nn.Module = task.wrap(self.rule)
        self.learned = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = OPTIMISERS[self.settings.optimiser](self.learned, self.settings.lr, self.settings.betas)
        self.step_count = 0
        self.recent: list[float] = []
        self.caution = 1.0
        self.rescues = 0
        self.best_loss = float("inf")
        self.best = self._weights()
        self.stale, self.falls = 0, 0
        self.good = self._safe_point()
        first = task.fresh(task.pool, self._rng(TrainingStream.POOL)) if task.pool else None
        self.pool = Pool(first.x, first.at) if first is not None else None
        self.shown: State | None = None

    def step(self) -> Report:
        """Run one iteration."""
        k, settings = self.step_count, self.settings
        if (k - 1) / settings.steps < self.task.harder <= self.progress:
            self.best_loss, self.recent = float("inf"), []
        rng = self._rng(TrainingStream.BATCH)
        batch, places = self._draw(rng)
        n = self._length()
        seed = derive(settings.seed, TrainingStream.FIRE, self.ranks.rank, k)
        y, terms = self.task.live(self.model, batch, n, seed=seed, progress=self.progress)
        each = torch.stack(list(terms.values())).sum(0)
        values = torch.stack([each.detach().mean(), *(v.detach().mean() for v in terms.values())])
        self.ranks.mean([values])
        loss, *means = values.tolist()
        self.step_count = k + 1
        self.shown = y.detach()
        wrong = guardian.trouble(self.shown, loss, self.recent, self.task.layout) if settings.guardian else ""
        codes = ["", "jump of the loss", "extinction", "explosion"]
        wrong = codes[self.ranks.any(codes.index(wrong))]
        lr = self._lr()
        event, validation = "", None
        if wrong:
            event = self._rescue(wrong, places)
        else:
            self._learn(each.mean(), lr)
            self._remember(loss, y, batch.at, places)
            if settings.validate and self.step_count % settings.validate == 0:
                validation, event = self._validate()
        return Report(k + 1, loss, dict(zip(terms, means, strict=True)), lr, n, event, validation)

    @property
    def progress(self) -> float:
        """Share of training done, 0 to 1."""
        return min(1.0, self.step_count / self.settings.steps)

    def _draw(self, rng: torch.Generator) -> tuple[Batch, Tensor | None]:
        """Draw the next batch, and the places in the pool that its samples are for, -1 where it is none."""
        new = self.task.fresh(self.settings.batch, rng)
        if self.pool is None:
            return new, None
        places = self.pool.draw(self.settings.batch, rng)
        old = Batch(self.pool.x[places.to(self.pool.x.device)], new.cond, new.target, self.pool.at[places])
        batch, order = self.task.draw(old, new, rng, self.progress)
        order = order.cpu()
        return batch, torch.where(order < 0, -1, places[order])

    def _length(self) -> int:
        """Number of cell steps in this iteration, the same on every rank."""
        low, high = self.settings.rollout
        if self.step_count < self.settings.warmup:
            share = 0.25 + 0.75 * self.step_count / self.settings.warmup
            low, high = max(1, round(low * share)), max(1, round(high * share))
        rng = torch.Generator().manual_seed(derive(self.settings.seed, TrainingStream.LENGTH, self.step_count))
        return self.task.length(int(torch.randint(low, high + 1, (), generator=rng)), self.progress)

    def _learn(self, loss: Tensor, lr: float) -> None:
        self.optimiser.zero_grad()
        loss.backward()
        grads = [p.grad for p in self.learned if p.grad is not None]
        self.ranks.mean(grads)
        if self.settings.normalise:
            for g in grads:
                g /= g.norm() + 1e-8
        if self.settings.clip:
            nn.utils.clip_grad_norm_(self.learned, self.settings.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.step()

    def _validate(self) -> tuple[float | None, str]:
        """Measure the held-out error: keep the best weights, and lower the rate where no new best came for long."""
        with torch.no_grad():
            wrong = self.task.validate(self.model)
        if wrong is None:
            return None, ""
        if wrong < self.best_loss:
            self.best_loss, self.best, self.stale = wrong, self._weights(), 0
            return wrong, ""
        self.stale += 1
        if not self.settings.plateau or self.stale < self.settings.plateau:
            return wrong, ""
        self.stale, self.falls = 0, self.falls + 1
        return wrong, f"iteration {self.step_count}: no better on what is held out, learning rate {self._lr():.2g}"

    def _remember(self, loss: float, y: State, at: Tensor | None, places: Tensor | None) -> None:
        if self.pool is not None and places is not None:
            kept = places >= 0
            revived = self._revived(y.detach())
            self.pool.put(places[kept], revived[kept.to(y.device)], None if at is None else at[kept])
        if math.isfinite(loss):
            self.recent = [*self.recent, loss][-guardian.MEMORY :]
        smooth = sum(self.recent) / max(1, len(self.recent))
        if not self.settings.validate and len(self.recent) == guardian.MEMORY and smooth < self.best_loss:
            self.best_loss, self.best = smooth, self._weights()
        if self.step_count % GOOD_EVERY == 0:
            self.good, self.rescues = self._safe_point(), 0
            self.caution = min(1.0, 2 * self.caution)

    def _revived(self, y: State) -> State:
        """Replace every sample of `y` that has died out by a seed."""
        alpha = self.task.layout.alpha
        if alpha is None:
            return y
        lives = (y[:, alpha, None] > 0).any((1, 2, 3), keepdim=True)
        return torch.where(lives, y, self.task.fresh(len(y), self._rng(TrainingStream.REBIRTH)).x)

    def _rescue(self, wrong: str, places: Tensor | None) -> str:
        """Return to the last safe point with half the rate; the samples at fault become seeds."""
        self.rescues += 1
        if self.rescues > MOST_RESCUES:
            raise UserError(
                f"iteration {self.step_count}: {wrong} again and again, though the learning rate was lowered to "
                f"{self._lr():.2g}; try another loss or filter, a lower train.lr, or a smaller rule.dt"
            )
        self._go_back(self.good)
        self.caution = max(LEAST_CAUTION, self.caution / 2)
        self.recent = []
        if self.pool is not None and places is not None:
            places = places[places >= 0]
            if len(places):
                new = self.task.fresh(len(places), self._rng(TrainingStream.RESCUE))
                self.pool.put(places, new.x, new.at)
        return f"iteration {self.step_count}: {wrong}; went back to the last good weights, learning rate halved"

    @torch.no_grad()
    def damage(self, damage: Damage, number: int) -> int:
        """Cut `damage` out of a random quarter of the pool, but no sample that it would kill; gives the count damaged.

        The random numbers depend on (`train.seed`, iteration, `number`). Without a pool there is nothing to damage.
        """
        if self.pool is None:
            return 0
        seed = derive(self.settings.seed, TrainingStream.DAMAGE, self.step_count, number)
        count = -(-len(self.pool.x) // 4)
        places = self.pool.draw(count, torch.Generator().manual_seed(seed)).to(self.pool.x.device)
        x, layout = self.pool.x[places], self.task.layout
        alpha = layout.alpha
        alive = None if alpha is None else x[:, alpha, None] > 0
        damaged = damage.apply(x, seed=seed, frozen=layout.spared(damage.kind), alive=alive)
        if alpha is not None:
            lives = (damaged[:, alpha] > self.rule.config.life_threshold).flatten(1).any(1)
            places, damaged = places[lives], damaged[lives]
        self.pool.put(places, damaged)
        return len(places)

    def _lr(self) -> float:
        s = self.settings
        falls = self.falls + sum(self.step_count > drop * s.steps for drop in s.lr_drops)
        return s.lr * s.lr_factor**falls * self.caution

    def _rng(self, purpose: TrainingStream) -> torch.Generator:
        seed = derive(self.settings.seed, purpose, self.ranks.rank, self.step_count)
        return torch.Generator().manual_seed(seed)

    def _weights(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.learned]

    def _safe_point(self) -> list[Tensor]:
        """Weights, then the optimiser's tensors for each (blank ones before its first step)."""
        flat = self._weights()
        for p in self.learned:
            state = self.optimiser.state.get(p) or self.optimiser.blank(p)
            flat += [state[name].detach().clone() for name in self.optimiser.names]
        return flat

    @torch.no_grad()
    def _go_back(self, point: Sequence[Tensor]) -> None:
        names, states = self.optimiser.names, iter(point[len(self.learned) :])
        for p, weights in zip(self.learned, point, strict=False):
            p.copy_(weights)
            held = {name: next(states).clone() for name in names}
            self.optimiser.state[p] = {name: t.cpu() if name == "step" else t.to(p.device) for name, t in held.items()}

    def best_rule(self) -> Rule:
        """The rule with the weights of the lowest smoothed loss so far (the newest before there is one)."""
        kept = self._weights()
        best = self.best if self.best_loss < float("inf") else kept
        with torch.no_grad():
            for p, w in zip(self.learned, best, strict=True):
                p.copy_(w)
            rule = Rule(self.rule.config)
            rule.load_state_dict({name: p.cpu().clone() for name, p in self.rule.state_dict().items()})
            for p, w in zip(self.learned, kept, strict=True):
                p.copy_(w)
        return rule

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Complete state, as tensors and JSON; on ranks that don't write, nothing. All ranks must call it together."""
        pools = [] if self.pool is None else self.ranks.gather(self.pool.x)
        places = [] if self.pool is None else self.ranks.gather(self.pool.at.to(self.ranks.device))
        if not self.ranks.writes:
            return {}, {}
        tensors = {f"task.{name}": t.cpu() for name, t in self.task.tensors.items()}
        for kind, point in (("now", self._safe_point()), ("good", self.good), ("best", self.best)):
            tensors |= {f"{kind}.{i}": t.cpu().contiguous() for i, t in enumerate(point)}
        for rank, (pool, at) in enumerate(zip(pools, places, strict=True)):
            tensors |= {f"pool.{rank}.{name}": t for name, t in {**pack(pool), "at": at.cpu()}.items()}
        state = TrainingState(
            step=self.step_count, recent=tuple(self.recent), caution=self.caution, rescues=self.rescues,
            best_loss=self.best_loss, ranks=self.ranks.size, stale=self.stale, falls=self.falls,
            reused=tuple(self.reused),
        )  # fmt: skip
        return tensors, state.as_dict()

    def restore(self, tensors: Mapping[str, Tensor], state: object) -> None:
        """Resume from `state`. Raises `UserError` for an invalid one, and then changes nothing."""
        kept = TrainingState.read(state)
        if kept.ranks != self.ranks.size:
            raise UserError(f"the run has {kept.ranks} processes, so it can't go on with {self.ranks.size}")
        now, good, best = (
            points(tensors, kind, like) for kind, like in (("now", self.good), ("good", self.good), ("best", self.best))
        )
        if self.pool is not None:
            x, at = pooled(tensors, f"pool.{self.ranks.rank}.", self.pool.x)
            self.pool = Pool(x.to(self.ranks.device), at)
        self._go_back([t.to(self.ranks.device) for t in now])
        self.good, self.best = ([t.to(self.ranks.device) for t in point] for point in (good, best))
        self.step_count, self.recent = kept.step, list(kept.recent)
        self.caution, self.rescues, self.best_loss = kept.caution, kept.rescues, kept.best_loss
        self.stale, self.falls, self.reused = kept.stale, kept.falls, list(kept.reused)
