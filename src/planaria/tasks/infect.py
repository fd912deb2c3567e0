"""Infect: a second rule takes over a living body and turns it into something else, for good.

After Randazzo, Mordvintsev, Niklasson and Levin, "Adversarial reprogramming of neural cellular automata", Distill,
2021.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from planaria import ranges, store
from planaria.commands import command
from planaria.config import TrainConfig, parse, to_dict
from planaria.core.infection import LONGEST, SLOWEST, Spread, combine, infectable, learnable, strains
from planaria.core.infection_site import disc
from planaria.core.layout import Layout
from planaria.core.noise import TrainingStream, derive
from planaria.core.rule import Rule, RuleConfig
from planaria.data import keying
from planaria.data.images import name_of, picture, remarks
from planaria.engine import run
from planaria.errors import UserError, concerning
from planaria.losses.pixel import pixel_loss
from planaria.ranges import CellsOrNone, Share
from planaria.store.cards import Card
from planaria.synonyms import Also
from planaria.tasks import base, grow
from planaria.tasks.about import Body, Form, Need, Words
from planaria.tasks.base import Batch
from planaria.types import State

LIVES = 8
"""Lives of the host that its bodies are taken from."""
MOMENTS = 24
"""Bodies of each life, of ages drawn anew."""
TAKEN = 0.99
"""Share of the living cells whose infection is a take-over."""
HELD = 1000
"""Steps after the take-over for which a new picture must hold, where the metrics are taken."""
CURED = 200
"""Steps that the host's own rule is given on an infected body."""


Age = Annotated[int, Ge(1), Le(10_000)]


@dataclass(frozen=True)
class Config:
    """Train a rule to take over another model's living body and turn it into a picture."""

    host: Annotated[str, Also("model target_model body base_model")] = "butterfly"
    """Model to infect, one that grows: a file, a run folder or one of the gallery. Its rule is not trained."""
    picture: str = "ladybird"
    """Picture to turn it into: a file, URL, emoji, text:WORD, medmnist:FLAG/INDEX (or FILE.npz/INDEX), or built in."""
    size: CellsOrNone = 0
    """Longest side of the picture, in cells; 0 is as large as the host was trained on its own, or 4/7 of the grid."""
    background: str = "none"
    """Background to remove from an opaque picture: none, auto (a plain background), a colour by name or #rrggbb."""
    trim: bool = False
    """Cut off the picture's empty margins before it is measured."""
    virus: Annotated[str, Also("adversary adversarial infection parasite")] = "host"
    """Initial weights of the infecting rule: the host's rule, fresh weights, or those of a model by name."""
    spread: Literal["contact", "still"] = "contact"
    """contact: from an infected cell to the living ones beside it. still: a fixed share of cells is infected."""
    speed: Annotated[float, Ge(0.03), Le(1)] = 1.0
    """Cells that it goes in a step in which every cell acts: 1, 0.5, 0.33, ... 0.03."""
    chance: Annotated[float, Gt(0), Le(1)] = 1.0
    """Probability that a cell beside infected ones becomes infected when it acts."""
    recovery: Annotated[int, Ge(0), Le(LONGEST)] = 0
    """Times an infected cell acts until it runs the host's rule again, immune from then on; never if 0."""
    share: Annotated[float, Ge(0.0001), Le(1)] = 0.1
    """Share of the grid's cells that are infected, where the spread is still."""
    ages: tuple[Age, Age] = (8, 200)
    """Steps that a host has lived when it is infected, at least and at most: growing ones and grown ones."""
    starts: tuple[str, ...] = ("point", "all", "seed")
    """Starts of an infection, drawn alike: point (a few cells), all (every cell at once), seed (an infected seed)."""
    loss: Literal["l1", "l2", "rms", "manhattan", "hinge"] = "l2"
    """Loss that compares the picture; `planaria list losses` describes the effect of each on training."""
    damage: Annotated[int, Ge(0)] = 0
    """Samples of a batch that are damaged, the best ones: so it learns to heal as well."""
    damage_from: Share = 0.0
    """Share of the training after which damage begins."""
    damage_shape: Literal["disc", "cut", "hole", "mixed", "any", "strokes"] = "disc"
    """Damage: a disc as published, one side of a line, a rectangle; mixed: the first two; strokes: of a brush."""
    train: TrainConfig = TrainConfig(steps=2000, pool=256, lr_drops=(0.5, 0.7, 0.82, 0.92), lr_factor=0.4)
    """Training parameters."""

    def __post_init__(self) -> None:
        ranges.check(self)
        if self.spread == "still" and (self.speed, self.chance, self.recovery) != (1.0, 1.0, 0):
            raise UserError(
                "speed, chance and recovery say how an infection spreads, and spread=still is one that doesn't",
                "spread",
            )
        if self.ages[0] > self.ages[1]:
            raise UserError(f"ages are two numbers of steps, least first, got {self.ages}", "ages")
        if not self.starts or not set(self.starts) <= {"point", "all", "seed"}:
            raise UserError(f"starts are some of point, all and seed, got {', '.join(self.starts) or 'none'}", "starts")
        if not self.train.pool:
            raise UserError(
                "train.pool=0: an infection is trained to last on bodies that live on; take 256", "train.pool"
            )
        if self.train.init:
            raise UserError("train.init: say virus=MODEL for weights that the infection begins from", "train.init")
        grow.leaves_one_whole(self.damage, self.train)
        with concerning("background"):
            keying.parse(self.background)

    @property
    def rule(self) -> RuleConfig:
        """Placeholder for the host's rule, which only the task knows."""
        return RuleConfig()

    @property
    def spreading(self) -> Spread:
        """Spread of the infection from cell to cell."""
        if self.spread == "still":
            return Spread(contact=False)
        return Spread(True, min(SLOWEST, max(1, round(1 / self.speed))), self.recovery, self.chance)


class Task(grow.Task):
    """One picture, learned by a rule that runs in the infected cells of a host."""

    keeps: ClassVar = {"target": (torch.float32, 3), "host": (torch.uint8, 1)}
    also: ClassVar = "infection adversarial reprogramming adversarial_reprogramming virus takeover"
    form: ClassVar = Form(
        "picture", "picture", "What shall it become?", "The body of another model is taken over, and turns into this.",
        first={"host": "The model to infect", "size": "Size, in cells", "background": "Background to leave out",
               "trim": "Cut empty margins", "train.steps": "Iterations"},
    )  # fmt: skip

    @classmethod
    def needs(cls, config: Any) -> Iterator[Need]:
        """Files that it opens: the picture, at any size, as a size left open doesn't matter for opening it."""
        yield Need("picture", "picture", {"source": config.picture, "size": config.size or 40, "padding": 0,
                                          "background": config.background, "trim": config.trim})  # fmt: skip

    @classmethod
    def named(cls, config: Any) -> str:
        """Name after the picture that it makes of its host: `lizard-virus`."""
        return f"{name_of(config.picture)}-virus"

    @classmethod
    def words(cls, card: Card) -> Words:
        """Instructions for infecting a host with it, in its own animation and in the host's."""
        config, run = card.config, f"runs/{card.name}"
        still = config.spread == "still"
        place, where = (f"{100 * (config.share or 0):g}%",) * 2 if still else ("20,20", "middle")
        return Words(
            f"grows {card.host}, and infected becomes {config.picture}",
            (
                command("run", run, "-o", Path(f"{card.name}.gif"), "--at", f"{place}@100"),
                command("run", config.host, "--infect", run, "--at", f"{where}@100", "-o", "battle.gif"),
            ),
            (
                f"model = {base.loading(run)}",
                f'model.film(steps=200, infect={{100: "{where}"}}).save("battle.gif")',
            ),
            "`target.png`",
            "drag over it to infect cells" if still else "click to infect it",
        )

    def __init__(self, config: Config, device: torch.device, tensors: dict[str, Tensor] | None = None):
        base.Goal.__init__(self, config, device, tensors)
        if "target" not in self.tensors:
            self.tensors = dict(_kept(config))
            found = remarks(config.picture, config.background, config.trim)
            self.remarks = [remark.text for remark in found]
        host = json.loads(bytes(self.tensors["host"].tolist()))
        self.name, self.bare = str(host["name"]), parse(Layout, (host["layout"], "the host"))
        self.host = _rule(host["rule"], self.tensors, "host").to(device)
        self.layout = infectable(self.bare, config.spreading)
        self.target = grow.target(self.tensors).to(device)
        self.pool, self.damaged = config.train.pool, config.damage
        self.harder = config.damage_from if self.damaged else 0.0
        self.renewed = max(1, config.train.batch // 4)
        self.threshold, self.mix = self.host.config.life_threshold, {}
        self._loss = pixel_loss(config.loss)
        self._virus = _rule(host["virus"], self.tensors, "virus") if "virus" in host else None
        self._bodies: State | None = None

    def examined(self) -> Body | None:
        """The picture that an infected seed becomes, where the infection spreads with the body."""
        return Body(self.target.cpu()) if self.config.spreading.contact else None

    def init(self, seed: int) -> Rule:
        """Rule of host and virus."""
        virus = self._virus
        if virus is None:
            virus = Rule(self.host.config, seed=seed)
        return combine(self.host, virus.to(self.device), self.config.spreading)

    def wrap(self, rule: Rule) -> nn.Module:
        """Wrap the rule, of which only the virus is trained."""
        virus = (self._virus or self.host).config
        for p, mask in zip(rule.parameters(), learnable(rule, self.layout, virus), strict=True):
            p.register_hook(mask.mul)
        return rule

    def fresh(self, n: int, rng: torch.Generator) -> Batch:
        """`n` hosts of random ages, infected in one of the ways that `starts` names; and infected seeds."""
        bodies = self._hosts()
        picks = torch.randint(len(bodies), (n,), generator=rng)
        x = bodies[picks.to(self.device)].clone()
        ways = torch.randint(len(self.config.starts), (n,), generator=rng).tolist()
        for i, way in enumerate(self.config.starts[k] for k in ways):
            if way == "seed":
                x[i : i + 1] = self.layout.seed(1, self.size, device=self.device)
            x[i, self.layout.strain] = self._mask(x[i : i + 1], way, rng)
        return Batch(x)

    def _mask(self, x: State, way: str, rng: torch.Generator) -> Tensor:
        """Mask of the cells of a body `x` `(1, c, h, w)` that are infected first, `(h, w)` of 0 and 1."""
        h, w = self.size
        if not self.config.spreading.contact:
            return (torch.rand(h, w, generator=rng) < self.config.share).to(x)
        if way != "point":
            return self.host.alive(x[:, : self.bare.channels])[0, 0].to(x)
        mask = torch.zeros(h, w, dtype=torch.bool)
        places = (x[0, self.layout.alpha or 0] > self.threshold).cpu().nonzero()
        for _ in range(int(torch.randint(1, 4, (), generator=rng))):
            row, column = places[int(torch.randint(len(places), (), generator=rng))].tolist()
            radius = int(torch.randint(1, 4, (), generator=rng))
            mask |= disc(mask, row, column, radius)
        return mask.to(x)

    def _hosts(self) -> State:
        """Bodies of the host, growing and grown, not infected: the same in every process that trains this."""
        if self._bodies is None:
            seed, (young, old) = self.config.train.seed, self.config.ages
            ages = torch.randint(young, old + 1, (MOMENTS,), generator=torch.Generator().manual_seed(seed)).sort()[0]
            fires = derive(seed, TrainingStream.HOSTS)
            x, found, at = self.bare.seed(LIVES, self.size, device=self.device), [], 0
            with torch.no_grad():
                for age in ages.tolist():
                    x = run(self.host, x, age - at, t=at, seed=fires, engine=self.config.train.engine)
                    found.append(x)
                    at = age
            lives = torch.cat(found)
            lives = lives[(lives[:, self.bare.alpha or 0] > self.host.config.life_threshold).flatten(1).any(1)]
            if not len(lives):
                raise UserError(f"host {self.name}: nothing of it lives after {young} to {old} steps; ages=FROM,TO")
            self._bodies = self.widened(lives)
        return self._bodies

    def widened(self, x: Tensor) -> Tensor:
        """A host's state with room for an infection, of which it has none."""
        return F.pad(x, (0, 0, 0, 0, 0, self.layout.channels - x.shape[1]))

    def card(self) -> dict[str, Any]:
        """Name of the host, and parameters of the infection's spread."""
        return {"host": self.name, "infection": to_dict(self.config.spreading)}

    def measure(self, rule: nn.Module) -> dict[str, float]:
        """Measure the duration of a take-over, the picture's error after it, and the effect of the host's own rule."""
        assert isinstance(rule, Rule)
        return dict(self._metrics(rule))

    @torch.no_grad()
    def _metrics(self, rule: Rule) -> Iterator[tuple[str, float]]:
        options = {"seed": 1, "engine": self.config.train.engine}
        own, strain = self.bare.channels, self.layout.strain or 0
        rng = torch.Generator().manual_seed(0)
        for what, age in (("grown", 200), ("half-grown", 30)):
            body = run(self.host, self.bare.seed(4, self.size, device=self.device), age, **options)
            x = self.widened(body).clone()
            for i in range(len(x)):
                x[i, strain] = self._mask(x[i : i + 1], "point", rng)
            t = age
            if self.config.spreading.contact:
                while float(self.infected(x).min()) < TAKEN and t < age + HELD:
                    x, t = run(rule, x, 2, t=t, **options), t + 2
                if t < age + HELD:
                    yield f"steps to take over, {what}", float(t - age)
            for steps, later in ((100, 100), (HELD - 100, HELD)):
                x, t = run(rule, x, steps, t=t, **options), t + steps
                yield f"mse {later} steps later, {what}", self._mse(x)
            if what == "grown":
                again = run(self.host, x[:, :own].contiguous(), CURED, t=t, **options)
                healthy = run(self.host, body, CURED, t=age, **options)
                shown = self.bare.picture(again), self.bare.picture(healthy)
                yield "mse to the host, its own rule again", (shown[0] - shown[1]).square().mean().item()
                yield "cells left alive by it", self._living(again).flatten(1).sum(1).float().mean().item()

    def _living(self, x: State) -> Tensor:
        return x[:, self.layout.alpha or 0] > self.threshold

    def infected(self, x: State) -> Tensor:
        """Share of the living cells that are infected, `(b,)`; 0 where none lives."""
        living = self._living(x).flatten(1)
        ill = (x[:, self.layout.strain or 0] > 0.5).flatten(1)
        return (living & ill).sum(1) / living.sum(1).clamp(min=1)


def _kept(config: Config) -> Iterator[tuple[str, Tensor]]:
    """Inputs that a checkpoint keeps of a config's files: the picture, the host, the virus's initial weights."""
    theirs = store.read(config.host)
    host, layout, _, _ = strains(theirs.rule, theirs.layout, theirs.spread)
    if layout.alpha is None or layout.visible != 4:
        raise UserError(f"host {config.host}: an infection is trained on a body that grows: a model of task grow")
    about: dict[str, Any] = {"name": theirs.name, "rule": to_dict(host.config), "layout": to_dict(layout)}
    virus = host
    if config.virus not in ("host", "fresh"):
        given = store.read(config.virus)
        _, _, virus, _ = strains(given.rule, given.layout, given.spread)
    combine(host, virus, config.spreading)
    if config.virus != "fresh":
        about["virus"] = to_dict(virus.config)
        yield from ((f"virus.{name}", p.detach().clone()) for name, p in virus.named_parameters())
    yield from ((f"host.{name}", p.detach().clone()) for name, p in host.named_parameters())
    yield "host", torch.tensor(list(json.dumps(about).encode()), dtype=torch.uint8)
    yield "target", _placed(config, theirs)


def _placed(config: Config, host: store.Saved) -> Tensor:
    """The picture on the host's grid, in the middle, or so that the seed lies on it."""
    size = host.size
    cells = config.size or host.card.config.size or max(1, min(size) * 4 // 7)
    shown = picture(config.picture, cells, background=config.background, trim=config.trim)
    _, h, w = shown.shape
    down, right = size[0] - h, size[1] - w
    if min(down, right) < 0:
        raise UserError(f"a picture of {w}x{h} cells is larger than the host's grid, {size[1]}x{size[0]}: size={cells}")
    target = F.pad(shown, (right // 2, right - right // 2, down // 2, down - down // 2))
    return grow.centred(target, min(down, right) // 2)


def _rule(config: dict[str, Any], tensors: dict[str, Tensor], name: str) -> Rule:
    rule = Rule(parse(RuleConfig, (config, f"the {name}")))
    rule.load_state_dict({key.removeprefix(f"{name}."): v for key, v in tensors.items() if key.startswith(f"{name}.")})
    return rule.requires_grad_(False)
