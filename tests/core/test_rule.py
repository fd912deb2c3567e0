import itertools

import pytest
import torch
from helpers import oracle
from helpers.rules import brink, rule
from hypothesis import given, settings
from hypothesis import strategies as st

from planaria.core.filters import MEANINGS
from planaria.core.layout import Layout
from planaria.core.noise import fire
from planaria.core.rule import ACTIVATIONS, Rule, RuleConfig, shapes
from planaria.engine import native, run
from planaria.errors import UserError

EDGES = ("zero", "circular", "replicate")
LIVES = ("none", "before", "after", "both")


def against_oracle(r: Rule, x: torch.Tensor, t: int, seed: int, cond: torch.Tensor | None = None) -> None:
    """Compares a step of the reference, and of the native engine, with the oracle's."""
    c = r.config
    b, _, h, w = x.shape
    fires = fire(c.fire_rate, seed, t, (b, h, w))
    for k in range(b):
        want = oracle.step(
            x[k].tolist(), [k.tolist() for k in r.kernels], r.reaches, [v.tolist() for v in r.weights],
            [v.tolist() for v in r.biases], fires[k, 0].tolist(), edge=c.edge, life=c.life, life_edge=c.life_edge,
            channel=c.life_channel, threshold=c.life_threshold, activation=c.activation, frozen=c.frozen, dt=c.dt,
            blurs={int(channel): int(size) for channel, size in (blur.split("@") for blur in c.blurs)},
            cond=[] if cond is None else cond[k].tolist(),
        )  # fmt: skip
        expected = torch.tensor(want, dtype=torch.double)
        torch.testing.assert_close(r(x, t, seed=seed, cond=cond)[k], expected, rtol=1e-12, atol=1e-12)
        if not native.declines(r, x):
            got = run(r, x, 1, t=t, seed=seed, cond=cond, engine="native")[k]
            torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("edge", "life", "name"), list(itertools.product(EDGES, LIVES, MEANINGS)))
def test_rule_is_the_paper(edge, life, name):
    against_oracle(rule(edge=edge, life=life, filters=("identity", name)), brink(), 5, 3)


@pytest.mark.parametrize(("edge", "life"), list(itertools.product(EDGES, LIVES)))
@pytest.mark.parametrize("size", [(6, 7), (1, 1)])
def test_rings_see_as_far_as_they_say_among_other_filters(edge, life, size):
    r = rule(edge=edge, life=life, filters=("ring@2", "sobel", "ring@7", "identity", "mean@2", "ring@2"), frozen=1)
    against_oracle(r, brink(1, 6, *size), 5, 3)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("blurs", [("4@3",), ("0@15", "3@5")])
@pytest.mark.parametrize("size", [(6, 7), (2, 5), (1, 1)])
def test_blurs_melt_channels_into_their_neighbours_and_around_the_torus(edge, blurs, size):
    against_oracle(rule(edge=edge, blurs=blurs, frozen=1, life="none", dt=0.7), brink(2, 6, *size), 5, 3)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("size", [(6, 7), (2, 5), (1, 1)])
def test_life_ends_at_the_rim_where_the_rule_says_so(edge, life, size):
    against_oracle(rule(edge=edge, life=life, life_edge="zero"), brink(2, 6, *size), 5, 3)


@settings(deadline=None, max_examples=60)
@given(
    edge=st.sampled_from(EDGES),
    life=st.sampled_from(LIVES),
    life_edge=st.sampled_from(["same", "zero"]),
    life_channel=st.integers(0, 3),
    blurs=st.sampled_from([(), ("3@3",), ("1@5", "0@3"), ("2@15",)]),
    filters=st.sampled_from([("identity", "sobel"), ("learned",), ("mean", "laplacian@3", "scharr")]),
    hidden=st.sampled_from([(), (7,), (5, 6)]),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    bias=st.sampled_from(["none", "hidden", "all"]),
    frozen=st.integers(0, 2),
    cond=st.integers(0, 2),
    dt=st.sampled_from([1.0, 0.7]),
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    seed=st.integers(0, 2**32 - 1),
    t=st.integers(-9, 1000),
)
def test_rules_drawn_at_random_are_the_paper(size, seed, t, **config):
    r = rule(**config)
    rng = torch.Generator().manual_seed(4)
    cond = torch.randn(1, r.config.cond, generator=rng, dtype=torch.double) if r.config.cond else None
    against_oracle(r, brink(1, 6, *size, seed=seed), t, seed, cond)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(
    "names",
    [("identity", "sobel", "sobel@2"), ("learned@3", "mean"), ("laplacian@16", "scharr@5", "laplacian"), ("sobel@7",)],
)
@pytest.mark.parametrize("size", [(6, 7), (2, 5), (1, 1)])
def test_dilated_filters_reach_as_far_as_they_say_and_around_the_torus(edge, names, size):
    against_oracle(rule(edge=edge, filters=names, fire_rate=1.0), brink(2, 6, *size), 5, 3)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", ["none", "hidden", "all"])
def test_layers_biases_activations_frozen_cond_and_dt(activation, bias):
    r = rule(hidden=(5, 4), activation=activation, bias=bias, frozen=2, cond=3, dt=0.7, fire_rate=1.0)
    cond = torch.randn(2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.double)
    against_oracle(r, brink(), 0, 0, cond)


def test_no_hidden_layer_and_one_cell_worlds():
    for edge in EDGES:
        against_oracle(rule(hidden=(), edge=edge), brink(1, 6, 1, 1), 1, 1)
        against_oracle(rule(edge=edge, life_channel=0, life_threshold=0.05), brink(1, 6, 2, 9), 1, 1)


@pytest.mark.parametrize(("push", "killer"), [(0.3, "before"), (-0.3, "after")])
def test_life_is_judged_before_and_after(push, killer):
    """Every cell is pushed over the brink: upwards, so that only the old state kills, or downwards, only the new."""
    x = torch.zeros(1, 6, 9, 9, dtype=torch.double)
    x[:, 3, 4, 4] = 0.2
    dead = {}
    for life in LIVES:
        r = rule(0.0, life=life, fire_rate=1.0, bias="all")
        torch.nn.init.constant_(r.biases[1], push)
        dead[life] = int((r(x)[:, 3] == 0).sum())
    far = 81 - 9
    assert dead["none"] == 0
    assert dead[killer] == (far if killer == "before" else 81)
    assert dead["both"] == dead[killer]
    assert dead["after" if killer == "before" else "before"] == (0 if killer == "before" else far)


def test_frozen_channels_stay_and_do_not_die():
    r, x = rule(frozen=2, fire_rate=1.0), brink()
    y = r(x)
    assert torch.equal(y[:, 4:], x[:, 4:])
    assert (y[:, :4] == 0).all(1).any()


def test_a_change_travels_one_cell_a_step():
    r = rule(life="none", fire_rate=1.0)
    x = torch.zeros(1, 6, 15, 15, dtype=torch.double)
    y = x.clone()
    y[..., 7, 7] = 1.0
    for t in range(3):
        x, y = r(x, t), r(y, t)
    reached = (x != y).any(1)[0].nonzero()
    assert reached.min() == 4
    assert reached.max() == 10


def test_a_change_travels_as_far_as_the_widest_filter_and_life_one_cell():
    x = torch.zeros(1, 6, 15, 15, dtype=torch.double)
    y = x.clone()
    y[..., 7, 7] = 1.0
    r = rule(life="none", fire_rate=1.0, filters=("identity", "learned@5"))
    reached = (r(x) != r(y)).any(1)[0].nonzero()
    assert sorted({tuple(cell) for cell in reached.tolist()}) == [(i, j) for i in (2, 7, 12) for j in (2, 7, 12)]
    assert rule(filters=("learned@5",)).alive(y)[0, 0].sum() == 9


def test_a_change_travels_to_a_ring_and_no_further():
    x = torch.zeros(1, 6, 15, 15, dtype=torch.double)
    y = x.clone()
    y[..., 7, 7] = 1.0
    r = rule(life="none", fire_rate=1.0, filters=("identity", "ring@5"))
    reached = (r(x) != r(y)).any(1)[0].nonzero() - 7
    assert len(reached) == 1 + 60
    assert all(d == 0 or 4 < d < 6 for d in reached.double().norm(dim=1).tolist())
    assert r.farthest == 5


def test_a_filter_that_reaches_one_cell_is_the_plain_one():
    plain, spelled = rule(filters=("identity", "sobel")), rule(filters=("identity@9", "sobel@1"))
    assert spelled.reaches == (9, 1, 1)
    assert torch.equal(plain(brink()), spelled(brink()))


def test_the_torus_has_no_edge():
    r, x = rule(fire_rate=1.0, edge="circular"), brink()
    torch.testing.assert_close(r(x.roll((2, 3), (2, 3))), r(x).roll((2, 3), (2, 3)))


def test_the_zero_edge_is_empty_cells():
    r, x = rule(fire_rate=1.0), brink()
    wide = torch.nn.functional.pad(x, (3, 3, 3, 3))
    torch.testing.assert_close(r(wide)[..., 3:-3, 3:-3], r(x))


def test_beyond_a_replicating_edge_lies_what_its_nearest_cell_holds():
    """Cells at rest around the grid, filled by hand: the first step can't tell them from the edge."""
    r, x = rule(edge="replicate", life="none", fire_rate=1.0, filters=("identity", "sobel", "learned@3")), brink()
    rows, columns = (torch.arange(-3, n + 3).clamp(0, n - 1) for n in x.shape[2:])
    wide = x[:, :, rows][..., columns]
    torch.testing.assert_close(r(wide)[..., 3:-3, 3:-3], r(x))
    flat = r.perceive(torch.full_like(x, 0.7)).unflatten(1, (6, -1))
    assert flat[:, :, 1:3].abs().max() < 1e-12, "a grid of one colour has no slope at its rim"


def test_copies_of_the_rim_bring_no_life():
    x = brink()
    assert torch.equal(rule(edge="replicate").alive(x), rule(edge="zero").alive(x))


@pytest.mark.parametrize("origin", [(3, 5), (-2, 7), (2**31 - 3, -(2**31)), (2**32 + 1, 2**40)])
def test_a_part_of_a_larger_grid_fires_as_it_does_there(origin):
    r = rule(life="none")
    x = brink().repeat(1, 1, 2, 2)
    whole = r(x, 4, seed=9, origin=origin)
    corner = origin[0] + 6, origin[1] + 7
    part = r(x[..., 6:, 7:], 4, seed=9, origin=corner)
    inner = (slice(1, None), slice(1, None))  # at its rim it feels what the whole does not
    torch.testing.assert_close(part[(..., *inner)], whole[..., 6:, 7:][(..., *inner)])
    assert not torch.equal(part, r(x[..., 6:, 7:], 4, seed=9))
    low = tuple(n % 2**32 for n in origin)
    assert torch.equal(whole, r(x, 4, seed=9, origin=low))


def test_dead_stays_dead_and_a_fresh_rule_is_still():
    assert rule(life="both")(torch.zeros(1, 6, 8, 8, dtype=torch.double)).abs().sum() == 0
    x = Layout().seed(2, (9, 8))
    assert torch.equal(Rule()(x), x)


def test_not_a_number_dies_rather_than_spreads_where_no_life_is():
    x = brink()
    x[:, :, 5, 6] = torch.nan
    x[:, 3, 4:, 5:] = torch.nan
    y = rule(life="before", fire_rate=0.0)(x)
    assert (y[:, :, 5, 6] == 0).all()


def test_same_seed_same_weights():
    a, b, c = Rule(seed=4), Rule(seed=4), Rule(seed=5)
    assert torch.equal(a.weights[0], b.weights[0])
    assert not torch.equal(a.weights[0], c.weights[0])


@pytest.mark.parametrize(
    "settings", [{}, {"hidden": ()}, {"hidden": (3, 4, 5), "bias": "all"}, {"bias": "none", "frozen": 3, "cond": 7}]
)
def test_shapes_are_those_of_the_rule(settings):
    config = RuleConfig(filters=("learned", "mean", "sobel@3"), **settings)
    assert shapes(config) == {name: tuple(p.shape) for name, p in Rule(config).named_parameters()}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"channels": 3}, "rule.channels=3 has no channel 3 for life"),
        ({"blurs": ("1@4",)}, "'1@4' is no CHANNEL@SIZE with a size of 3, 5, ... 15"),
        ({"blurs": ("1@3", "1@5")}, "names a channel twice"),
        ({"blurs": ("15@3",), "frozen": 1}, "or one that is not written"),
        ({"filters": ("sobelx",)}, "unknown filter 'sobelx'; have: .*identity.* Did you mean 'sobel'"),
        ({"filters": ()}, "at least one filter"),
        ({"filters": ("identity", "sobel@17")}, "filter 'sobel@17': .* 1 to 16, as in sobel@2"),
        ({"fire_rate": 1.5}, r"rule.fire_rate must be in 0..1, got 1.5"),
        ({"frozen": 16}, "leaves no channel to write"),
        ({"hidden": (0,)}, r"rule.hidden must be in 1..65536, got \(0,\)"),
        ({"hidden": (10**9,)}, "rule.hidden must be in 1..65536"),
        ({"hidden": (1,) * 17}, "rule.hidden takes at most 16 values, got 17"),
        ({"cond": -1}, "rule.cond"),
        ({"frozen": 13}, "that is not frozen"),
    ],
)
def test_impossible_rules_say_why(settings, says):
    with pytest.raises(UserError, match=says):
        RuleConfig(**settings)
