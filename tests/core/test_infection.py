"""Infection: host and virus as one rule, a mask that spreads, and both taken apart again."""

import math

import pytest
import torch
from helpers.rules import brink, rule
from hypothesis import given, settings
from hypothesis import strategies as st

from planaria.core.infection import Spread, combine, infectable, learnable, parts, strains
from planaria.core.infection_site import InfectionSite
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.engine import run
from planaria.errors import UserError

SPREADS = [
    Spread(), Spread(delay=3), Spread(recovery=5), Spread(delay=2, recovery=4), Spread(contact=False),
    Spread(chance=0.3), Spread(delay=2, recovery=4, chance=0.7),
]  # fmt: skip
LAYOUT = Layout(4, 3, hidden=2)


def pair(**told) -> tuple[Rule, Rule]:
    """A host and another rule for the same cells."""
    host = rule(0.1, **told)
    virus = rule(0.1, **{**told, "hidden": (11,)})
    with torch.no_grad():
        for p in virus.parameters():
            p.mul_(-0.9).add_(0.01)
    return host, virus


def laid(x: torch.Tensor, layout: Layout, mask: torch.Tensor) -> torch.Tensor:
    """A host's states with room for an infection, `mask` infected."""
    y = x.new_zeros(len(x), layout.channels, *x.shape[2:])
    y[:, : x.shape[1]] = x
    y[:, layout.strain] = mask.to(y)
    return y


@pytest.mark.parametrize("spread", SPREADS, ids=str)
@pytest.mark.parametrize(
    "told",
    [
        {},
        {"bias": "all", "edge": "circular"},
        {"bias": "none", "filters": ("learned",), "life": "before"},
        {"life": "none", "filters": ("sobel@2", "gaussian"), "fire_rate": 1.0, "dt": 0.5, "edge": "replicate"},
    ],
    ids=str,
)
def test_each_cell_runs_its_own_strain(spread, told):
    if spread.chance < 1 and told.get("fire_rate") == 1.0:
        told = {**told, "fire_rate": 0.5}  # chance is drawn of who acts
    (host, virus), x = pair(**told), brink()
    layout, both = infectable(LAYOUT, spread), combine(host, virus, spread)
    mask = torch.rand(2, 6, 7, generator=torch.Generator().manual_seed(2)) < 0.4
    y = laid(x, layout, mask)
    acted = both(y, 5, seed=9)[:, :6]
    grown = torch.where(mask[:, None], x + virus(x, 5, seed=9) - x, host(x, 5, seed=9))
    if told.get("life") == "none":
        want = grown
    else:  # who lives is judged once, of all cells together
        free = {"life": "none"}
        loose = [Rule(type(r.config)(**{**r.config.__dict__, **free})).double() for r in (host, virus)]
        for a, b in zip(loose, (host, virus), strict=True):
            a.load_state_dict(b.state_dict())
        after = torch.where(mask[:, None], loose[1](x, 5, seed=9), loose[0](x, 5, seed=9))
        want = host.die(x, after)
    torch.testing.assert_close(acted, want, atol=1e-12, rtol=0)


@pytest.mark.parametrize("spread", SPREADS, ids=str)
def test_where_nobody_is_infected_the_host_lives_on_to_the_bit(spread):
    host, virus = (r.float() for r in pair())
    layout, x = infectable(LAYOUT, spread), brink().float()
    y = run(combine(host, virus, spread), laid(x, layout, torch.zeros(2, 6, 7)), 20, seed=3, engine="reference")
    assert torch.equal(y[:, :6], run(host, x, 20, seed=3, engine="reference"))
    assert not y[:, layout.strain].any()
    assert (spread.chance < 1) == bool(y[:, 6:].any()), "coins alone"


def infected(spread: Spread, steps: int, fire_rate: float = 1.0) -> torch.Tensor:
    """The mask on a still grid of 21 x 21 living cells, each `steps` after its middle was infected, `(n, 21, 21)`."""
    still = [Rule(r.config).float() for r in pair(fire_rate=fire_rate, hidden=(8,))]
    layout = infectable(LAYOUT, spread)
    x = torch.ones(1, 6, 21, 21)
    mask = torch.zeros(1, 21, 21)
    mask[0, 10, 10] = 1
    y, both, seen = laid(x, layout, mask), combine(*still, spread), []
    for k in range(steps):
        y = both(y, k, seed=1)
        seen.append(y[0, layout.strain])
    return torch.stack(seen)


def test_it_goes_one_cell_a_step_where_all_act():
    for k, mask in enumerate(infected(Spread(), 8), 1):
        assert int(mask.sum()) == (2 * k + 1) ** 2


@pytest.mark.parametrize("delay", [2, 3, 7])
def test_a_delay_divides_its_speed_to_the_step(delay):
    for k, mask in enumerate(infected(Spread(delay=delay), 21), 1):
        assert int(mask.sum()) == (2 * (k // delay) + 1) ** 2


def test_by_chance_it_goes_slower_and_a_mask_is_whole_numbers():
    masks = infected(Spread(), 12, fire_rate=0.4)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert 1 < int(masks[3].sum()) < 81
    assert bool((masks.diff(dim=0) >= 0).all())


@pytest.mark.parametrize("chance", [0.1, 0.4, 0.8])
def test_a_cell_yields_with_the_chance_that_was_asked_for(chance):
    """Cells whose whole block is infected but for themselves, ripe: the share that yields of those that act."""
    spread = Spread(chance=chance)
    assert abs(spread.chance - chance) < 0.1
    still = [Rule(r.config).float() for r in pair(hidden=(8,))]
    layout, both = infectable(LAYOUT, spread), combine(*still, spread)
    mask = torch.ones(1, 64, 64)
    mask[:, 1::3, 1::3] = 0
    x = laid(torch.ones(1, 6, 64, 64), layout, mask)
    yielded = acted = 0
    for t in range(60):
        ripe = (x[:, layout.strain + 1] > 0) & (x[:, layout.strain] == 0)
        before = x
        x = both(x, t, seed=5)
        acts = x[:, layout.strain + 2] != before[:, layout.strain + 2]  # its coin has turned
        if t > 8:
            acted += int((ripe & acts).sum())
            yielded += int((ripe & (x[:, layout.strain] > 0)).sum())
        x = torch.cat([x[:, :6], laid(x[:, :6], layout, mask)[:, 6:7], x[:, 7:]], 1)
        x[:, layout.strain + 1][mask == 0] = 1
    assert abs(yielded / acted - spread.chance) < 0.03


def test_chance_is_the_nearest_there_is_and_needs_cells_that_act_by_chance():
    assert Spread(chance=0.3) == Spread(chance=0.26)
    assert Spread(chance=0.999) == Spread()
    for bad in (0.0, -1.0, 1.5, math.nan):
        with pytest.raises(UserError, match="chance must be above 0 and at most 1"):
            Spread(chance=bad)
    with pytest.raises(UserError, match="needs cells that act at random: the host has fire_rate=1"):
        combine(*pair(fire_rate=1.0), Spread(chance=0.5))


def test_who_recovers_is_immune():
    masks = infected(Spread(recovery=3), 16)
    assert int(masks[2].sum()) == 49
    assert int(masks[3].sum()) == 81 - 1, "the first acted three times, and once to recover"
    assert not bool(masks[15, 10, 10])
    assert not masks[15].any() or int(masks[15].sum()) < 21 * 21
    ring = masks[6]
    assert bool(ring[3, 10])
    assert not bool(ring[10, 10])


def test_a_mask_that_does_not_spread_stays_whatever_dies_there():
    host, virus = pair()
    spread = Spread(contact=False)
    layout = infectable(LAYOUT, spread)
    assert (layout.frozen, layout.hidden, layout.photo, layout.strain) == (1, 2, 0, 6)
    mask = torch.rand(2, 6, 7, generator=torch.Generator().manual_seed(2)) < 0.4
    y = run(combine(host, virus, spread), laid(0 * brink(), layout, mask), 3)
    assert torch.equal(y[:, 6] > 0, mask)
    assert not y[:, :6].any()


@settings(deadline=None, max_examples=40)
@given(
    delay=st.integers(1, 32), recovery=st.integers(0, 300), chance=st.floats(0.01, 1),
    bias=st.sampled_from(["none", "hidden", "all"]),
    names=st.sampled_from([("identity", "sobel"), ("learned",), ("gaussian", "sobel@3"), ("mean",)]),
)  # fmt: skip
def test_what_was_put_together_comes_apart(delay, recovery, chance, bias, names):
    host, virus = pair(bias=bias, filters=names)
    spread = Spread(True, delay, recovery, chance)
    whole, layout = combine(host, virus, spread), infectable(LAYOUT, spread)
    found = parts(whole, layout)
    assert found.spread == spread
    x = brink()
    for mine, theirs in ((found.host, host), (found.virus, virus)):
        torch.testing.assert_close(mine(x, seed=4), theirs(x, seed=4), atol=1e-12, rtol=0)
    y = laid(x, layout, torch.ones(2, 6, 7))
    torch.testing.assert_close(combine(*found)(y), whole(y), atol=1e-12, rtol=0)


def test_a_host_without_an_infection_is_its_own_strain():
    host, _ = pair()
    assert strains(host, LAYOUT) == (host, LAYOUT, host, Spread())
    spread = Spread(delay=2)
    bare, layout, virus, found = strains(combine(*pair(), spread), infectable(LAYOUT, spread))
    assert (layout, found) == (LAYOUT, spread)
    assert (bare.config.channels, virus.config.hidden) == (6, (11,))


@pytest.mark.parametrize("spread", SPREADS, ids=str)
@pytest.mark.parametrize("bias", ["none", "hidden", "all"])
def test_only_the_virus_learns(spread, bias):
    host, virus = pair(bias=bias)
    layout, both = infectable(LAYOUT, spread), combine(host, virus, spread)
    masks = learnable(both, layout, virus.config)
    assert sum(int(mask.sum()) for mask in masks) == sum(p.numel() for p in virus.parameters())
    with torch.no_grad():
        for p, mask in zip(both.parameters(), masks, strict=True):
            p.add_(0.125 * mask)
    found = parts(both, layout)
    before = parts(combine(host, virus, spread), layout).host
    for mine, was in zip(found.host.parameters(), before.parameters(), strict=True):
        assert torch.equal(mine, was)
    for name, was in virus.named_parameters():
        torch.testing.assert_close(dict(found.virus.named_parameters())[name], was + 0.125, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("theirs", "says"),
    [
        ({"edge": "circular"}, "the host has edge=zero, the virus edge=circular"),
        ({"life": "none"}, "the host has life=both, the virus life=none"),
        ({"channels": 7}, "the host has channels=6, the virus channels=7"),
        ({"fire_rate": 1.0}, "fire_rate=0.5, the virus fire_rate=1.0"),
        ({"activation": "gelu"}, "activation gelu; infection takes rules with one, and relu"),
        ({"hidden": (8, 8)}, "infection takes rules with one"),
        ({"cond": 2}, "reads frozen channels or a condition"),
        ({"blurs": ("4@3",)}, "blurs channels"),
    ],
)
def test_strains_that_do_not_fit(theirs, says):
    with pytest.raises(UserError, match=says):
        combine(rule(), rule(**theirs))


def test_what_cannot_be_infected_or_is_no_infection():
    with pytest.raises(UserError, match="no body"):
        infectable(Layout(3, alpha=None, hidden=12, frozen=3), Spread())
    with pytest.raises(UserError, match="an infection already"):
        infectable(infectable(LAYOUT, Spread()), Spread())
    for wrong, layout in ((rule(), LAYOUT), (rule(channels=7), infectable(LAYOUT, Spread()))):
        with pytest.raises(UserError, match="holds no infection"):
            parts(wrong, layout)
    for bad in ({"delay": 0}, {"delay": 33}, {"recovery": -1}, {"contact": False, "delay": 2}):
        with pytest.raises(UserError, match=r"(delay|recovery) must be in \d|an infection that doesn't spread"):
            Spread(**bad)


@pytest.mark.parametrize("engine", ["native", "sparse"])
@pytest.mark.parametrize("spread", SPREADS, ids=str)
def test_engines_spread_it_alike(engine, spread):
    host, virus = pair()
    layout, both = infectable(LAYOUT, spread), combine(host, virus, spread)
    x = brink(2, 6, 12, 13)
    mask = torch.zeros(2, 12, 13)
    mask[:, 2:4, 3:5] = 1
    y = laid(x, layout, mask).requires_grad_()
    direction = torch.randn(2, 6, 12, 13, generator=torch.Generator().manual_seed(9), dtype=torch.double)
    found = []
    for name in ("reference", engine):
        z = run(both, y, 8, seed=4, engine=name)
        assert set(z[:, layout.strain].detach().unique().tolist()) <= {0.0, 1.0}
        found.append((z, *torch.autograd.grad((z[:, :6] * direction).sum(), [y, *both.parameters()])))
    for a, b in zip(*found, strict=True):
        scale = 1 + b.abs().max()
        torch.testing.assert_close(a / scale, b / scale, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "kind", "numbers"),
    [("20,20", "disc", (20, 20)), (" 3.5, 4,2 ", "disc", (3.5, 4, 2)), ("middle", "middle", ()), ("all", "all", ())],
)
def test_where_it_begins_is_read(text, kind, numbers):
    assert InfectionSite.parse(text) == InfectionSite(kind, numbers)


@pytest.mark.parametrize("text", ["", "20", "1,2,3,4", "0%", "101%", "nan,1", "1e9,2", "inf,3", "left", "1;2"])
def test_where_it_cannot_begin(text):
    with pytest.raises(UserError, match="is no place where an infection begins: ROW,COLUMN, ROW,COLUMN,RADIUS"):
        InfectionSite.parse(text)


def test_an_outbreak_falls_on_the_living():
    living = torch.zeros(9, 9, dtype=torch.bool)
    living[1:4, 1:4] = True
    assert int(InfectionSite.parse("1,1,1").mask(living).sum()) == 3
    assert int(InfectionSite.parse("8,8").mask(living).sum()) == 0
    assert InfectionSite.parse("middle").mask(living)[3, 3]
    assert torch.equal(InfectionSite.parse("all").mask(living), living)
    share = InfectionSite.parse("25%").mask(torch.zeros(64, 64, dtype=torch.bool), seed=3)
    assert math.isclose(float(share.double().mean()), 0.25, abs_tol=0.03)
    assert not torch.equal(share, InfectionSite.parse("25%").mask(torch.zeros(64, 64, dtype=torch.bool), seed=4))
    assert not InfectionSite.parse("middle").mask(torch.zeros(3, 3, dtype=torch.bool)).any()
