"""Damage and burdens: what is done to a body, and what becomes of it."""

import math

import pytest
import torch
from helpers.bodies import LAYOUT, SIZE, disc, grown, linear, still

from planaria.core.damage import LEFT, fragment
from planaria.evaluate.health import bears, heals
from planaria.evaluate.health.trial import Check, perform


def checks_of(organism, *, quick: bool = False) -> dict[str, Check]:
    planned = [*heals.checks(organism, quick=quick), *bears.checks(organism, grown(3), quick=quick)]
    return {test.name: test for test in planned}


def outcome(name: str, bodies: int = 6, steps: int = 4, organism=None):
    """What becomes of a disc that stays as it is."""
    mine = organism or still()
    test = checks_of(mine)[name]
    short = Check(test.name, test.group, bodies, test.begin, test.organism, test.between, test.age, steps)
    return perform(mine, grown(3), short, 1e-4, seed=5, tick=lambda _: None)


def test_there_is_a_test_for_every_kind_of_damage():
    names = list(checks_of(still()))
    assert names[:6] == ["brush strokes", "left half", "right half", "top half", "bottom half", "centre cut out"]
    for strength in ("5%", "10%", "20%", "30%"):
        assert f"noise {strength}" in names
        assert f"speckle {strength}" in names
    assert {"20% of the body left", "10% of the body left", "5% of the body left"} <= set(names)
    assert checks_of(still())["brush strokes"].bodies == 1000
    quick = checks_of(still(), quick=True)
    assert quick["brush strokes"].bodies == 96
    assert set(quick) < set(names)


@pytest.mark.parametrize("name", checks_of(still()))
def test_every_test_begins_on_the_grid_that_it_is_judged_on(name):
    mine = still()
    test = checks_of(mine)[name]
    later = test.organism or mine
    x = test.begin(grown(2), 0, 3)
    assert x.shape == (2, 8, *later.size)
    assert later.target.shape == (4, *later.size)
    assert torch.equal(x.nan_to_num(), test.begin(grown(2), 0, 3).nan_to_num()), "the same seed, the same damage"
    assert later.alive(x).flatten(1).any(1).all()


def test_bodies_are_damaged_alike_one_by_one_and_together():
    for name in ("brush strokes", "noise 20%", "speckle 20%", "10% of the body left", "hidden channels, strokes"):
        begin = checks_of(still())[name].begin
        together = begin(grown(3), 4, 9)
        alone = torch.cat([begin(grown(1), 4 + k, 9) for k in range(3)])
        assert torch.equal(together, alone), name
        assert not torch.equal(together[0], together[1]), name
        assert not torch.equal(together, begin(grown(3), 4, 10)), name


def test_strokes_leave_enough_to_heal_from():
    x = grown(40)
    gone = heals.brush(still(), x, 0, 1)[:, 0]
    alive = still().alive(x)
    left = (alive & ~gone).flatten(1).sum(1)
    assert left.min() >= LEFT
    assert (left < alive[0].sum() / 2).any(), "and take more than half of some"
    assert (gone & alive)[:, SIZE[0] // 2, SIZE[1] // 2].any(), "the middle too"
    tiny = torch.zeros(1, 8, *SIZE)
    tiny[0, 3, 5, 5:9] = 1
    assert (still().alive(tiny) & ~heals.brush(still(), tiny, 0, 1)[:, 0]).any()


def test_hidden_channels_are_hit_alone():
    before = grown(4)
    for name in ("hidden channels, strokes", "hidden channels, all cells"):
        after = checks_of(still())[name].begin(before, 0, 1)
        assert torch.equal(after[:, :4], before[:, :4])
        assert (after[:, 4:] != before[:, 4:]).flatten(1).any(1).all()
    assert after[:, 4:].abs().max() == 0


def test_a_fragment_is_the_nearest_cells():
    alive = torch.zeros(9, 9, dtype=torch.bool)
    alive[2:7, 2:7] = True
    for u in (0.0, 0.2, 0.5, 0.7, 0.99):
        for share, cells in ((0.2, 5), (0.1, 3), (0.01, 1)):
            kept = fragment(alive, share, u)
            assert kept.sum() == cells
            assert not (kept & ~alive).any()
            rows, columns = kept.nonzero().unbind(1)
            assert max(rows.max() - rows.min(), columns.max() - columns.min()) <= 2
    assert fragment(torch.zeros(3, 3, dtype=torch.bool), 0.5, 0).sum() == 0


def test_what_stays_damaged_has_a_second_shape():
    found = outcome("left half")
    assert (found.healed, found.second, found.bodies) == (0, 6, 6)
    assert found.errors == pytest.approx([float(disc()[:, :, :10].square().sum()) / (4 * 24 * 20)] * 6)
    assert found.stops == (0, 4)
    assert found.median == found.lower == found.upper == pytest.approx((found.errors[0],) * 2)
    assert len(found.worst) == 6
    assert torch.equal(found.worst[0].before, disc())
    assert found.worst[0].damaged[:, :, :10].abs().max() == 0


def test_what_loses_nothing_that_shows_is_healed():
    found = outcome("hidden channels, all cells")
    assert (found.healed, found.as_before, found.second) == (6, 6, 0)
    assert found.errors == (0,) * 6


def test_the_fates_of_bodies():
    fades = outcome("left half", steps=60, organism=replaced(linear(-0.9)))
    assert (fades.extinct, fades.healed) == (6, 0)
    explodes = outcome("left half", steps=60, organism=replaced(linear(0.5)))
    assert (explodes.burst, explodes.second) == (6, 0)
    for found in (outcome("no number in one cell", steps=3), outcome("brush strokes")):
        assert found.healed + sum(count for _, count in found.fates) == found.bodies
    poisoned = outcome("no number in one cell", steps=3)
    assert poisoned.healed == 0
    assert not any(map(math.isfinite, poisoned.errors)) or poisoned.second == 6
    assert all(value is None or math.isfinite(value) for value in poisoned.to_dict()["errors"])


def test_an_overgrown_body():
    mine = still()
    small = disc(radius=3)
    found = outcome("hidden channels, all cells", organism=mine.__class__(**{**vars(mine), "target": small}))
    assert (found.overgrown, found.second) == (6, 0)


@pytest.mark.parametrize(("shift", "moved"), [(2, 6), (-4, 6), (5, 0)])
def test_a_body_that_is_whole_but_not_in_its_place(shift, moved):
    mine = still()
    elsewhere = disc(radius=4).roll((shift, -1), (1, 2))
    found = perform(
        mine.__class__(**{**vars(mine), "target": elsewhere}), LAYOUT.embed(disc(radius=4), 6),
        Check("nothing", "heals", 6, lambda x, first, seed: x, steps=4), 0.0, seed=0, tick=lambda steps: None,
    )  # fmt: skip
    assert (found.healed, found.moved, found.second) == (0, moved, 6 - moved)
    assert found.to_dict()["moved"] == moved


def replaced(rule):
    mine = still()
    return mine.__class__(**{**vars(mine), "rule": rule})


def test_eight_bits():
    rounded = bears.rounding(LAYOUT, 2 * grown(1))
    x = torch.randn(1, 8, *SIZE)
    y = rounded(x)
    scale = (2 * grown(1)).abs().amax((0, 2, 3))[:, None, None] / 127
    assert ((y / scale).round() - y / scale).abs().max() < 1e-4
    inside = x.abs() <= scale * 127
    assert (y - x)[inside].abs().max() <= scale.max() / 2 + 1e-6
    assert torch.equal(rounded(y), y)
    assert rounded(torch.zeros(1, 8, 2, 2)).abs().max() == 0


def test_another_fire_rate_leaves_the_rule_alone():
    mine = still()
    other = checks_of(mine)["grown at a fire rate of 0.3"].organism
    assert other.rule.config.fire_rate == 0.3
    assert mine.rule.config.fire_rate == 0.5
    assert other.rule.weights[0] is not mine.rule.weights[0]


def test_two_bodies_touch():
    test = checks_of(still())["two bodies that touch"]
    pair = test.begin(grown(1), 0, 0)
    target = test.organism.target
    assert torch.equal(pair[0, :4], target)
    columns = (target[3] > 0).any(0)
    assert columns.sum() == 2 * (disc()[3] > 0).any(0).sum()
    assert (target[3] > 0).sum() == 2 * (disc()[3] > 0).sum()
    first, last = columns.nonzero()[[0, -1], 0].tolist()
    assert columns[first : last + 1].all(), "no gap between them"


def test_a_seed_at_the_rim():
    test = checks_of(still())["grown from a seed at the rim"]
    x = test.begin(grown(1), 0, 0)
    assert x[0, 3].nonzero().tolist() == [[2, SIZE[1] // 2]]
    target = test.organism.target
    assert torch.equal(target[:, :10], disc()[:, 10:20])
    assert target[:, 14:].abs().max() == 0
