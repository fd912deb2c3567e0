"""Infection: two rules in one body, a mask that says which of them a cell runs, and how that spreads.

Host and virus become one plain rule: their neurons stand side by side, and each also reads the mask, so strongly that
only those of a cell's own strain can answer. A few more neurons move the mask. So whatever runs a rule runs an
infection. After Randazzo, Mordvintsev, Niklasson and Levin, "Adversarial reprogramming of neural cellular automata",
Distill, 2021.
"""

from dataclasses import dataclass, replace
from itertools import product
from math import comb
from typing import Annotated, NamedTuple

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from planaria import ranges
from planaria.core.filters import bank, split
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError

GATE = 64.0
"""Weight that silences a neuron of the other strain, as long as the neuron's input stays below it."""
LATCH = 128.0
"""Weight that silences a neuron that changes the mask."""
TOUCH = "gaussian"
"""Filter by which a cell perceives infected neighbours: its weights are sixteenths, so sums are exact."""
SLOWEST, LONGEST = 32, 5_000
"""Most updates of a cell until contact infects it, and until it recovers."""
CHANCES = tuple(
    sum(comb(4, e) * comb(4, c) for e in range(5) for c in range(5) if 2 * e + c >= k) / 256 for k in range(13)
)
"""Probabilities of transmission that are possible. Every cell tosses a coin whenever it updates; one that was touched
becomes infected when the coins beside it show enough: two for each of four, one for each of the diagonal ones."""


@dataclass(frozen=True)
class Spread:
    """Parameters of how an infection spreads from cell to cell."""

    contact: bool = True
    """True if a living cell beside an infected one becomes infected; else the mask stays where it was placed."""
    delay: Annotated[int, Ge(1), Le(SLOWEST)] = 1
    """Updates of such a cell until it is infected: if all cells update, an infection spreads 1 / delay cells a step."""
    recovery: Annotated[int, Ge(0), Le(LONGEST)] = 0
    """Updates of an infected cell until it runs the host's rule again, immune from then on; never if 0."""
    chance: Annotated[float, Gt(0), Le(1)] = 1.0
    """Probability that such a cell becomes infected when it then updates; the nearest of `CHANCES` is taken."""

    def __post_init__(self) -> None:
        ranges.check(self)
        object.__setattr__(self, "chance", min(CHANCES, key=lambda known: abs(known - self.chance)))
        if not self.contact and (self.delay > 1 or self.recovery or self.chance < 1):
            raise UserError("an infection that doesn't spread has no speed or chance, and nobody recovers from it")

    @property
    def channels(self) -> int:
        """Number of channels used: the mask, contacts borne, ripeness and a coin, and the time since infection."""
        return 1 + (self.delay > 1) + 2 * (self.chance < 1) + (self.recovery > 0)


class Parts(NamedTuple):
    """Parts that `combine` puts together."""

    host: Rule
    virus: Rule
    spread: Spread


def infectable(layout: Layout, spread: Spread) -> Layout:
    """Layout of a host whose cells may be infected.

    The mask and its companions are the last hidden channels. A mask that doesn't spread is frozen: it stays where it
    was placed, whatever grows there. Raises `UserError` for a layout with frozen channels or an infection.
    """
    if layout.strain is not None:
        raise UserError("this model holds an infection already, and a cell has room for one")
    if layout.frozen:
        raise UserError("a model that repaints photos can't be infected: its cells have no body")
    grown = {"hidden": layout.hidden + spread.channels} if spread.contact else {"frozen": 1}
    return replace(layout, strain=layout.channels, **grown)


def combine(host: Rule, virus: Rule, spread: Spread | None = None) -> Rule:
    """Combine two rules: infected cells run `virus`, all others `host`; `infectable` gives the layout of its states.

    Both are plain rules on the same channels with one hidden layer and the activation relu, and alike in fire rate,
    edge and life; filters and widths may differ. Raises `UserError` if they don't fit.
    """
    spread = spread or Spread()
    config = _combined(host.config, virus.config, spread)
    rule = Rule(config).to(host.weights[0])
    own, here = host.config.channels, _numbers(config.filters)
    first, bias, last = (torch.zeros_like(p) for p in (_first(rule), rule.biases[0], rule.weights[1]))
    moving = movers(spread)  # first, so that a host's last bias is added before all else, as it was alone
    at = len(moving)
    for strain, gate, row in ((host, -GATE, HEALTHY), (virus, GATE, INFECTED)):
        to = slice(at, at + strain.config.hidden[0])
        first[to, :own, [here[kernel] for kernel in _numbers(strain.config.filters)]] = _first(strain).to(first)
        first[to, own, here["identity", 0]] = gate
        bias[to] = (strain.biases[0].detach().to(bias) if len(strain.biases) else 0.0) - max(gate, 0.0)
        speed = strain.config.dt / host.config.dt
        last[:own, to] = speed * strain.weights[1].detach().to(last)
        if len(strain.biases) > 1:
            last[:own, row] = speed * strain.biases[1].detach().to(last)
        at = to.stop
    for row, mover in enumerate(moving):
        bias[row] = mover.bias
        for channel, kernel, weight in mover.reads:
            first[row, own + channel, here[kernel, 0]] = weight
        for channel, weight in mover.writes:
            last[own + channel, row] = weight / host.config.dt
    with torch.no_grad():
        for p, v in ((rule.weights[0], first.flatten(1)), (rule.biases[0], bias), (rule.weights[1], last)):
            p.copy_(v)
    return rule


def parts(rule: Rule, layout: Layout, spread: Spread | None = None) -> Parts:
    """Split `rule` into the plain rules that `combine` made it of; raises `UserError` if it holds no infection.

    `spread` gives the infection's known parameters; they are read from the weights if it is None or disagrees.
    """
    spread = spread_in(rule, layout, spread)
    if spread is None or layout.strain is None:
        raise UserError("this model holds no infection")
    rows = _rows(rule, layout.strain)
    host, virus = (_taken(rule, layout.strain, found, k) for found, k in zip(rows, (HEALTHY, INFECTED), strict=True))
    return Parts(host, virus, spread)


def spread_in(rule: Rule, layout: Layout, known: Spread | None = None) -> Spread | None:
    """Spread of a rule's infection: `known` if its weights agree, else as read from them; None without an infection."""
    config, own = rule.config, layout.strain
    here = _numbers(config.filters)
    if own is None or own >= config.channels or ("identity", 0) not in here or len(rule.biases) != 1:
        return None
    rows = _rows(rule, own)
    n = config.hidden[0] - len(rows[0]) - len(rows[1])
    if min(map(len, rows)) < 1:
        return None
    return known if known is not None and _moves(rule, own, n, known) else _spread_of(rule, own, n)


def _rows(rule: Rule, own: int) -> list[Tensor]:
    """Neurons of the host and of the virus, distinguished by their weights on the mask, which is channel `own`."""
    gates = _first(rule)[:, own, _numbers(rule.config.filters)["identity", 0]]
    return [(gates == gate).nonzero()[:, 0] for gate in (-GATE, GATE)]


def strains(rule: Rule, layout: Layout, spread: Spread | None = None) -> tuple[Rule, Layout, Rule, Spread]:
    """Host and its layout, virus and its spread; for a rule that holds no infection, itself twice, by contact."""
    if layout.strain is None:
        return rule, layout, rule, Spread()
    host, virus, spread = parts(rule, layout, spread)
    hidden = host.config.channels - layout.visible
    return host, replace(layout, hidden=hidden, frozen=0, strain=None), virus, spread


def learnable(rule: Rule, layout: Layout, virus: RuleConfig) -> list[Tensor]:
    """Masks over the parameters of a rule that `combine` made: 1 for weights of the virus, else 0."""
    own, neurons = layout.strain or 0, rule.config.hidden[0]
    rows = slice(neurons - virus.hidden[0], neurons)
    here = _numbers(rule.config.filters)
    first, bias, last = (torch.zeros_like(p) for p in (_first(rule), rule.biases[0], rule.weights[1]))
    first[rows, :own, [here[kernel] for kernel in _numbers(virus.filters)]] = 1.0
    bias[rows] = float(virus.bias != "none")
    last[:own, rows] = 1.0
    last[:own, INFECTED] = float(virus.bias == "all")
    of = {"weights.0": first.flatten(1), "biases.0": bias, "weights.1": last}
    return [of[name] for name, _ in rule.named_parameters()]


Reads = tuple[tuple[int, str, float], ...]
"""Channel, counted from the mask; filter; weight."""


class Mover(NamedTuple):
    """Neuron that changes the mask, or the channels beside it."""

    name: str
    bias: float
    reads: Reads
    writes: tuple[tuple[int, float], ...] = ()
    """Channel, counted from the mask; weight."""


HEALTHY, INFECTED = 0, 1
"""Rows of the two movers that answer 1 in a cell of the host, and in an infected one, else 0."""


def movers(spread: Spread) -> list[Mover]:
    """Neurons that change the mask, row by row; docs/infect.md has a picture of them.

    | name | answers 1 in a cell that updates where | so that |
    |---|---|---|
    | healthy, infected | the mask is 0, is 1 | last biases of host and virus count; `since` rises where infected |
    | touched | an infected cell lies beside a healthy one | `borne`, `ripe` or the mask rises |
    | ripens | it was touched `delay - 1` times | `ripe` or the mask rises |
    | to heads, to tails | the coin is 0, is 1 | the coin turns over |
    | yields | it is ripe, and enough coins beside it are 1 | the mask rises |
    | recovers | it has been infected for `recovery` updates | the mask falls |

    All from "touched" on but the coin's are switches: two neurons, what the first answers beyond the second is 0 or 1,
    to the bit.
    """
    rare = spread.chance < 1
    mask, borne = 0, 1
    ripe = borne + (spread.delay > 1)
    coin, since = ripe + 1, ripe + 2 * rare
    not_ill: Reads = ((mask, "identity", -LATCH),) + (((since, "identity", -LATCH),) if spread.recovery else ())
    found = [
        Mover("healthy", 1.0, ((mask, "identity", -1.0),)),
        Mover("infected", 0.0, ((mask, "identity", 1.0),), ((since, 1.0),) if spread.recovery else ()),
    ]
    if not spread.contact:
        return found

    def switch(name: str, bias: float, reads: Reads, channel: int, weight: float = 1.0) -> None:
        found.append(Mover(name, bias, reads, ((channel, weight),)))
        found.append(Mover(f"{name}, at most once", bias - 1, reads, ((channel, -weight),)))

    goal = ripe if rare else mask
    waiting: Reads = (*not_ill, (ripe, "identity", -LATCH)) if rare else not_ill
    switch("touched", -2.5, ((mask, TOUCH, 64.0), *waiting), borne if spread.delay > 1 else goal)
    if spread.delay > 1:
        switch("ripens", 2.5 - 4 * (spread.delay - 1), ((borne, "identity", 4.0), *waiting), goal)
    if rare:
        found.append(Mover("to heads", 1.0, ((coin, "identity", -2.0),), ((coin, 1.0),)))
        found.append(Mover("to tails", 0.0, ((coin, "identity", 1.0),), ((coin, -1.0),)))
        heads: Reads = ((coin, TOUCH, 64.0), (coin, "identity", -16.0), (ripe, "identity", LATCH))
        switch("yields", 2.5 - 4 * CHANCES.index(spread.chance) - LATCH, (*heads, *not_ill), mask)
    if spread.recovery:
        long_ill = ((since, "identity", 4.0), (mask, "identity", LATCH))
        switch("recovers", 2.5 - 4 * spread.recovery - LATCH, long_ill, mask, -1.0)
    return found


def _spread_of(rule: Rule, own: int, n: int) -> Spread | None:
    """Spread of the infection of a rule whose first `n` neurons are its movers; None if none fits."""
    config, bias = rule.config, rule.biases[0].detach()[:n]
    if config.channels - config.frozen - own < 1:
        return Spread(contact=False) if n == 2 else None
    for slow, rare, heals in product((False, True), repeat=3):
        names = [mover.name for mover in movers(Spread(True, 1 + slow, int(heals), 0.5 if rare else 1.0))]
        if len(names) != n:
            continue

        def acts(name: str, less: float = 0.0, names: list[str] = names) -> int:
            """Number of updates that a switch's bias stands for."""
            return round((2.5 - less - float(bias[names.index(name)])) / 4)

        level = acts("yields", LATCH) if rare else 0
        delay, recovery = acts("ripens") + 1 if slow else 1, acts("recovers", LATCH) if heals else 0
        if not 0 <= level < len(CHANCES) or not 1 <= delay <= SLOWEST or not 0 <= recovery <= LONGEST:
            continue
        spread = Spread(True, delay, recovery, CHANCES[level])
        if _moves(rule, own, n, spread):
            return spread
    return None


def _moves(rule: Rule, own: int, n: int, spread: Spread) -> bool:
    """True if the first `n` neurons of a rule change the mask, which is channel `own`, as `spread` says."""
    config, bias, first = rule.config, rule.biases[0].detach()[:n], _first(rule)[:n]
    count, here, moving = config.channels - config.frozen - own, _numbers(config.filters), movers(spread)
    if not spread.contact or count < 1:
        return not spread.contact and count < 1 and n == len(moving)
    if spread.channels != count or len(moving) != n or (TOUCH, 0) not in here:
        return False
    wanted = torch.zeros_like(first)
    for row, mover in enumerate(moving):
        for channel, kernel, weight in mover.reads:
            wanted[row, own + channel, here[kernel, 0]] = weight
    return torch.equal(wanted, first) and bias.tolist() == [mover.bias for mover in moving]


def _combined(host: RuleConfig, virus: RuleConfig, spread: Spread) -> RuleConfig:
    """Settings of the combined rule. Raises `UserError` if the two don't fit."""
    for name, config in (("host", host), ("virus", virus)):
        if len(config.hidden) != 1 or config.activation != "relu":
            raise UserError(
                f"the {name} has hidden layers {config.hidden} with activation {config.activation}; infection takes "
                "rules with one, and relu"
            )
        if config.frozen or config.cond or config.blurs:
            does = "blurs channels" if config.blurs else "reads frozen channels or a condition"
            raise UserError(f"the {name} {does}; infection takes rules that don't")
    for key in ("channels", "fire_rate", "edge", "life", "life_channel", "life_threshold", "life_edge"):
        ours, theirs = getattr(host, key), getattr(virus, key)
        if ours != theirs:
            raise UserError(f"host and virus don't fit: the host has {key}={ours}, the virus {key}={theirs}")
    if spread.chance < 1 and not 0 < host.fire_rate < 1:
        raise UserError(f"a chance below 1 needs cells that act at random: the host has fire_rate={host.fire_rate:g}")
    if virus.dt <= 0 or host.dt <= 0:
        raise UserError("host and virus need a dt above 0")
    filters = {_canonical(name): name for name in (*host.filters, *virus.filters)}
    if not spread.contact:
        filters.setdefault("identity", "identity")
    else:
        filters |= {name: name for name in ("identity", TOUCH) if name not in filters}
    return replace(
        host,
        channels=host.channels + spread.channels,
        frozen=0 if spread.contact else 1,
        filters=tuple(filters.values()),
        hidden=(host.hidden[0] + virus.hidden[0] + len(movers(spread)),),
        bias="hidden",
    )


def _taken(rule: Rule, own: int, rows: Tensor, answers: int) -> Rule:
    """Strain whose neurons are `rows`, as a rule of its own; row `answers` has its last bias.

    Filters that it doesn't read are left out.
    """
    config, first = rule.config, _first(rule)[rows, :own]
    numbers = _numbers(config.filters)
    gate = float(_first(rule)[rows[0], own, numbers["identity", 0]])
    called = {_canonical(name): name for name in config.filters}
    used = [n for n in called if any(bool(first[..., i].any()) for (base, _), i in numbers.items() if base == n)]
    names = tuple(called[n] for n in used or ["identity"])
    last, shift = rule.weights[1].detach()[:own], rule.weights[1].detach()[:own, answers]
    biased = "all" if bool(shift.any()) else "hidden"
    strain = Rule(replace(config, channels=own, frozen=0, filters=names, hidden=(len(rows),), bias=biased)).to(
        rule.weights[0]
    )
    with torch.no_grad():
        strain.weights[0].copy_(first[..., [numbers[kernel] for kernel in _numbers(names)]].flatten(1))
        strain.biases[0].copy_(rule.biases[0].detach()[rows] + max(gate, 0.0))
        strain.weights[1].copy_(last[:, rows])
        if biased == "all":
            strain.biases[1].copy_(shift)
    return strain


def _first(rule: Rule) -> Tensor:
    """Weights of the first layer as `(neurons, channels, kernels)`."""
    return rule.weights[0].detach().unflatten(1, (rule.config.channels, -1))


def _canonical(name: str) -> str:
    base, reach = split(name)
    return base if reach == 1 else f"{base}@{reach}"


def _numbers(filters: tuple[str, ...]) -> dict[tuple[str, int], int]:
    """Filter and number of the kernel within it -> number of the kernel in the rule."""
    kernels = [(_canonical(name), k) for name in filters for k in range(len(bank((name,))))]
    return {kernel: i for i, kernel in enumerate(kernels)}
