"""The growing task: where the picture lies, what a batch starts from, how it is damaged and evaluated."""

import math
from functools import cache

import pytest
import torch

from planaria import tasks
from planaria.config import TrainConfig, describe
from planaria.core.damage import LEFT
from planaria.core.rule import Rule, RuleConfig
from planaria.data.images import picture
from planaria.errors import UserError
from planaria.losses.pixel import pixel_loss
from planaria.tasks.grow import MIXED, REGIMES, Config, Task, centred

CPU = torch.device("cpu")
SMALL = {"size": 12, "padding": 4, "rule": RuleConfig(channels=8, hidden=(4,))}


@cache
def target() -> torch.Tensor:
    """What `task` grows, drawn once."""
    return Task(Config(**SMALL), CPU).tensors["target"]


def task(**settings) -> Task:
    return Task(Config(**{**SMALL, **settings}), CPU, {"target": target()})


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ring(size: int = 24, padding: int = 8) -> torch.Tensor:
    """A ring with an empty middle, five cells thick."""
    n = size + 2 * padding
    y, x = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    away = ((y - n / 2 + 0.5) ** 2 + (x - n / 2 + 0.5) ** 2).sqrt()
    band = (away < size / 2) & (away > size / 2 - 5)
    return band.float() * torch.tensor([0.2, 0.4, 0.6, 1.0])[:, None, None]


def test_what_there_is():
    assert "grow" in tasks.names()
    assert "base" not in tasks.names()
    assert tasks.load("grow").Task is Task
    with pytest.raises(UserError, match=r"unknown task 'gorw'; have: .*grow.*Did you mean 'grow'\?"):
        tasks.load("gorw")
    with pytest.raises(UserError, match="unknown task 'base'"):
        tasks.load("base")


@pytest.mark.parametrize("name", tasks.names())
def test_every_setting_of_every_task_has_its_sentence(name):
    cls = tasks.load(name).Config
    for field in describe(cls):
        assert field.help.endswith("."), f"{field.key} has no sentence"
    assert cls.__doc__


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rule": RuleConfig(channels=3, life="none")}, "rule.channels=3: a picture needs 4 channels"),
        ({"rule": RuleConfig(channels=8, frozen=5, life="none")}, "a picture needs 4 channels"),
        ({"size": 0}, "size must be in 1..4096, got 0"),
        ({"size": 4097}, "size must be"),
        ({"padding": -1}, "padding must be in 0..4096, got -1"),
        ({"padding": 4097}, "padding must be in 0..4096, got 4097"),
        ({"damage": -1}, "damage must be at least 0, got -1"),
        ({"damage": 8}, "damage=8 must leave one"),
        ({"damage_from": 1.5}, "damage_from must be in 0..1, got 1.5"),
        ({"damage_from": -0.5}, "damage_from"),
        ({"damage_from": math.nan}, "damage_from"),
        ({"damage_mix": ("specle:0.1",)}, "unknown kind in damage_mix 'specle'.*Did you mean 'speckle'"),
        ({"damage_mix": ("noise",)}, "damage_mix: 'noise' is no KIND:SHARE with a share in 0..1, as in noise:0.1"),
        ({"damage_mix": ("noise:2",)}, "'noise:2' is no KIND:SHARE"),
        ({"damage_mix": ("noise:nan",)}, "'noise:nan' is no KIND:SHARE"),
        ({"damage_mix": ("noise:0.7", "again:0.4")}, "the shares add up to 1.1, at most 1"),
    ],
)
def test_settings_out_of_range(settings, says):
    with pytest.raises(UserError, match=says):
        Config(**settings)


def test_settings_on_the_edge_of_their_range():
    Config(size=1, padding=0, damage=0, damage_from=0.0)
    Config(size=4096, padding=4096, damage=7, damage_from=1.0)
    Config(rule=RuleConfig(channels=4))
    with pytest.raises(UserError, match="no picture 'lizrad'"):
        Task(Config(picture="lizrad"), CPU)


@pytest.mark.parametrize("name", ["planarian", "lizard", "butterfly"])
def test_the_seed_lies_in_the_picture(name):
    x = picture(name, 40, 16)
    moved = centred(x, 16)
    _, h, w = moved.shape
    assert (moved[3, h // 2 - 1 : h // 2 + 2, w // 2 - 1 : w // 2 + 2] > 0.5).all()
    torch.testing.assert_close(moved.sum((1, 2)), x.sum((1, 2)))


def test_a_picture_that_covers_the_seed_stays():
    x = picture("planarian", 40, 16)
    once = centred(x, 16)
    assert torch.equal(centred(once, 16), once)
    full = torch.ones(4, 9, 9)
    full[0, 2, 3] = 0.5
    assert torch.equal(centred(full, 3), full)


def test_a_ring_is_moved_until_the_seed_lies_on_it():
    x = ring()
    assert x[3, 20, 20] == 0
    moved = centred(x, 8)
    assert (moved[3, 19:22, 19:22] == 1).all()
    far = [(d, r) for d in range(-8, 9) for r in range(-8, 9) if torch.equal(moved, x.roll((d, r), (1, 2)))]
    assert len(far) == 1
    assert math.hypot(*far[0]) == pytest.approx(8.5, abs=1)  # no further than needed


@pytest.mark.parametrize("reach", [0, 1, 3, 8])
def test_no_cell_of_a_picture_leaves_the_grid(reach):
    """Wherever it is moved, its rows and columns stay next to each other, and within the padding."""
    x = ring(24, reach)
    x[0, reach, :] = 0.9  # so that the upper edge differs
    moved = centred(x, reach)
    torch.testing.assert_close(moved.sum((1, 2)), x.sum((1, 2)))
    rows, cols = (moved[3] > 0).any(1).nonzero()[:, 0], (moved[3] > 0).any(0).nonzero()[:, 0]
    for place in (rows, cols):
        assert place.max() - place.min() == 23
    assert moved.shape == x.shape


def test_a_spot_within_reach_is_better_than_a_nearer_one_beyond_it():
    x = torch.zeros(4, 21, 21)
    x[3, 13:16, 9:12] = 1.0  # four cells down
    x[3, 6:9, 6:9] = 1.0  # three up and three left: further as the crow flies
    assert torch.equal(centred(x, 3), x.roll((3, 3), (1, 2)))
    assert torch.equal(centred(x, 4), x.roll((-4, 0), (1, 2)))


def test_a_picture_without_a_solid_spot_is_moved_to_its_strongest():
    x = torch.zeros(4, 15, 15)
    x[3, 7, 4:11] = 0.3
    x[3, 7, 5] = 0.4
    moved = centred(x, 4)
    assert moved[3, 7, 7] == 0.4
    assert torch.equal(moved, x.roll(2, 2))


@pytest.mark.parametrize(("regime", "pool", "damaged"), [("grow", 0, 0), ("persist", 64, 0), ("regenerate", 64, 3)])
def test_regimes(regime, pool, damaged):
    assert regime in REGIMES
    made = task(regime=regime, train=TrainConfig(pool=64))
    assert (made.pool, made.damaged) == (pool, damaged)
    assert task(regime=regime, damage=5, train=TrainConfig(pool=64)).damaged == 5
    assert task(regime=regime, damage=0, train=TrainConfig(pool=64)).damaged == 0


def test_a_small_batch_keeps_a_sample_whole():
    assert task(train=TrainConfig(batch=2)).damaged == 1
    assert task(train=TrainConfig(batch=1)).damaged == 0


def test_a_fresh_batch_is_seeds():
    made = task()
    assert made.size == (20, 20)
    batch = made.fresh(3, rng())
    assert torch.equal(batch.x, made.layout.seed(3, (20, 20)))
    assert made.layout.channels == 8
    assert made.layout.alpha == 3


def test_the_layout_follows_the_rule():
    made = task(rule=RuleConfig(channels=9, frozen=2, life_channel=4))
    assert (made.layout.hidden, made.layout.frozen, made.layout.alpha) == (3, 2, 4)
    assert task(rule=RuleConfig(channels=9, life="none", life_channel=7)).layout.alpha == 3


def test_a_target_that_is_given_needs_no_picture():
    given = torch.rand(4, 10, 14)
    made = Task(Config(**{**SMALL, "picture": "nowhere.png"}), CPU, {"target": given})
    assert made.size == (10, 14)
    assert torch.equal(made.tensors["target"], given)


def test_the_target_is_the_picture_under_the_seed():
    made = Task(Config(**{**SMALL, "picture": "lizard"}), CPU)
    assert torch.equal(made.target, centred(picture("lizard", 12, 4), 4))
    assert not torch.equal(made.target, picture("lizard", 12, 4))
    assert made.size == (20, 20)


@pytest.mark.parametrize("loss", ["l1", "l2", "manhattan", "hinge"])
def test_a_loss_for_every_sample(loss):
    made = task(loss=loss)
    x = torch.rand(3, 8, 20, 20, generator=rng()) * 3
    x[1, :4] = made.target
    found = made.loss(x, made.fresh(3, rng()))
    assert found.keys() == {"picture"}
    torch.testing.assert_close(found["picture"], pixel_loss(loss)(x[:, :4], made.target))
    assert found["picture"][1] == 0
    assert (found["picture"][[0, 2]] > 0).all()


@pytest.mark.parametrize("shape", ["disc", "cut", "hole", "mixed", "any"])
def test_the_best_samples_are_hurt(shape):
    made = task(damage_shape=shape, damage=3, rule=RuleConfig(channels=8, frozen=1))
    x = torch.rand(8, 8, 20, 20, generator=rng()) + 0.2
    damaged = made.damage(x, rng(5), 0.5)
    assert torch.equal(damaged[:5], x[:5])
    assert torch.equal(damaged[:, 7], x[:, 7])  # frozen
    gone = (damaged != x)[5:, :7]
    assert (gone.flatten(1).sum(1) > 0).all()
    assert (gone == gone[:, :1]).all()  # a cell whole
    assert (damaged[5:, :7][gone] == 0).all()
    assert (x > 0).all()  # its own copy
    assert torch.equal(damaged, made.damage(x, rng(5), 0.5))
    assert not torch.equal(damaged, made.damage(x, rng(6), 0.5))


def test_damage_is_of_the_shape_asked_for():
    x = torch.ones(8, 8, 20, 20)

    def corners(shape: str) -> list[int]:
        """How many corners of the grid each shape reaches: a disc none, a cut some."""
        made = task(damage_shape=shape, damage=7)
        lost = torch.cat([(made.damage(x, rng(s), 1.0) == 0)[1:, 0] for s in range(5)])
        return lost[:, [0, 0, -1, -1], [0, -1, 0, -1]].sum(1).tolist()

    assert set(corners("disc")) == {0}
    assert min(corners("cut")) > 0
    assert set(corners("hole")) == {0}
    for either in ("mixed", "any"):
        assert 5 < sum(c > 0 for c in corners(either)) < 30


def bodies() -> torch.Tensor:
    """Eight squares of 12 cells."""
    x = torch.zeros(8, 8, 20, 20)
    x[:, :, 4:16, 4:16] = torch.rand(8, 8, 12, 12, generator=rng(1)) + 0.2
    return x


def test_strokes_follow_the_body():
    made = task(damage_shape="strokes", damage=3)
    damaged = made.damage(bodies(), rng(5), 0.5)
    gone = damaged != bodies()
    assert not gone[:5].any()
    assert gone[5:].flatten(1).any(1).all()
    assert (gone == gone[:, :1]).all()
    assert (damaged[:, 3] > 0.1).flatten(1).sum(1).min() >= LEFT
    small = torch.zeros(8, 8, 20, 20)
    small[:, :, 9:12, 9:12] = 1.0  # nine cells: fewer than must be left
    assert torch.equal(made.damage(small, rng(5), 0.5), small)


@pytest.mark.parametrize("kind", MIXED)
def test_other_damage_is_mixed_in(kind):
    made = task(damage_shape="strokes", damage=3, damage_mix=(f"{kind}:1",))
    before = bodies()
    after = made.damage(before, rng(2), 0.5)
    changed = after != before
    samples = changed.flatten(1).any(1).tolist()
    assert samples == [False] * 2 + [True] * 3 + [False] * 3 if kind == "again" else [False] * 5 + [True] * 3
    assert torch.equal(before, bodies())
    if kind == "hidden":
        assert not changed[:, :4].any()
        assert (after[changed] == 0).all()
    elif kind == "noise":
        assert (after - before)[changed].std() == pytest.approx(0.2, abs=0.02)
        assert (changed == (before > 0))[5:].float().mean() > 0.99
    elif kind == "speckle":
        inside = changed[5:, 0, 4:16, 4:16]
        assert inside.float().mean() == pytest.approx(0.25, abs=0.08)
    elif kind == "fragment":
        left = (after[5:, 3] > 0.1).flatten(1).sum(1) / (before[5:, 3] > 0.1).flatten(1).sum(1)
        assert 0.05 <= left.min() < left.max() <= 0.21
    else:
        assert (after[changed] == 0).all()


def test_a_mix_leaves_the_usual_damage_its_share():
    made = task(damage_shape="disc", damage=7, damage_mix=("hidden:0.5",))
    hidden = usual = 0
    for seed in range(12):
        changed = made.damage(bodies(), rng(seed), 1.0) != bodies()
        alone = ~changed[:, :4].flatten(1).any(1) & changed[:, 4:].flatten(1).any(1)
        hidden += int(alone.sum())
        usual += int(changed[:, :4].flatten(1).any(1).sum())
    assert min(hidden, usual) > 20


def test_damage_waits_for_its_time():
    made = task(damage_from=0.5)
    x = torch.ones(8, 8, 20, 20)
    assert made.damage(x, rng(), 0.49) is x
    assert not torch.equal(made.damage(x, rng(), 0.5), x)
    assert task(damage=0).damage(x, rng(), 1.0) is x
    assert task(regime="persist").damage(x, rng(), 1.0) is x


@pytest.mark.parametrize("shape", ["disc", "cut", "hole", "mixed", "any"])
def test_no_damage_kills(shape):
    made = task(damage_shape=shape, damage=7)
    x = made.fresh(8, rng()).x  # one living cell: damage over it leaves nothing
    spared = damaged = 0
    for seed in range(10):
        after = made.damage(x, rng(seed), 1.0)
        assert torch.equal(after, x)
        y = x.clone()
        y[:, 3, 10, 13] = 0.3  # a second one: now one of the two may go
        after = made.damage(y, rng(seed), 1.0)
        assert (after[:, 3] > made.config.rule.life_threshold).any((1, 2)).all()
        spared += int((after == y).all((1, 2, 3)).sum())
        damaged += int((after != y).any((1, 2, 3)).sum())
    assert min(spared, damaged) > 3


def test_what_is_hardly_alive_does_not_count_as_left():
    made = task(damage=7)
    x = made.fresh(8, rng()).x
    x[:, 3] += 0.05  # below the threshold everywhere but in the seed
    for seed in range(10):
        after = made.damage(x, rng(seed), 1.0)
        assert (after[:, 3] > 0.1).any((1, 2)).all()


def test_life_may_be_in_the_first_channel():
    made = task(damage=7, rule=RuleConfig(channels=8, life_channel=0))
    x = torch.zeros(8, 8, 20, 20)
    x[:, 3] = 1.0  # opaque everywhere, alive in the seed alone
    x[:, 0, 10, 10] = 1.0
    for seed in range(10):
        assert (made.damage(x, rng(seed), 1.0)[:, 0].amax((1, 2)) == 1).all()


def test_more_damage_than_samples():
    made = task(damage=7)
    x = torch.ones(2, 8, 20, 20)
    assert (made.damage(x, rng(), 1.0) != x).flatten(1).any(1).all()


def test_metrics():
    made = task()
    rule = Rule(made.config.rule)
    metrics = made.measure(rule)  # a fresh rule is still: the seed is all there is
    steps = ["mse at step 100", "mse at step 200", "mse at step 400"]
    healed = [f"mse healed {w}" for w in ("left", "right", "top", "bottom", "centre")]
    assert list(metrics) == steps + healed
    seed = (made.layout.picture(made.fresh(1, rng()).x) - made.target).square().mean().item()
    gone = made.target.square().mean().item()
    want = dict.fromkeys(steps, seed) | dict.fromkeys(healed, gone)
    want |= {"mse healed left": seed, "mse healed top": seed}  # the seed lies right of and below the middle
    assert metrics == pytest.approx(want)
    assert seed != pytest.approx(gone, rel=1e-5)


def test_the_rest_of_a_task_does_nothing_by_default():
    made = task()
    rule = Rule(made.config.rule)
    assert made.wrap(rule) is rule


def test_a_body_to_examine():
    body = task(train=TrainConfig(steps=199)).examined()
    assert torch.equal(body.target, target())
    assert not body.at_end
    assert task(train=TrainConfig(steps=200)).examined().at_end
    assert not task(certificate=False).examined().at_end
