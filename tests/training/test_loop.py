import math

import pytest
import torch
from helpers.tiny import tiny

from planaria.errors import UserError
from planaria.tasks.grow import Task
from planaria.training import guardian
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer
from planaria.training.pool import Pool, pack, unpack

ALONE = Ranks(0, 1, torch.device("cpu"))


def trainer(config) -> Trainer:
    return Trainer(Task(config, ALONE.device), config, ALONE)


def losses(t: Trainer, n: int) -> list[float]:
    return [t.step().loss for _ in range(n)]


def test_it_learns():
    t = trainer(tiny({"steps": 200, "lr": 4e-3, "lr_drops": (0.7,)}, regime="persist"))
    said = losses(t, 200)
    assert sum(said[-10:]) < 0.4 * sum(said[:10])


def test_same_seed_same_bytes_other_seed_other():
    a, b, c = (trainer(tiny({"seed": s})) for s in (1, 1, 2))
    assert losses(a, 6) == losses(b, 6) != losses(c, 6)
    assert all(torch.equal(p, q) for p, q in zip(a.learned, b.learned, strict=True))


def test_a_restored_trainer_goes_on_to_the_bit():
    a = trainer(tiny({"steps": 60}))
    losses(a, 40)
    tensors, numbers = a.state()
    b = trainer(tiny({"steps": 60}))
    b.restore(tensors, numbers)
    assert losses(a, 10) == losses(b, 10)
    for (x, m), (y, n) in zip([a.state()], [b.state()], strict=True):
        assert m == n
        assert x.keys() == y.keys()
        assert all(torch.equal(x[name], y[name]) for name in x)


def test_the_pool_keeps_what_grew_and_always_one_seed():
    t = trainer(tiny())
    before = t.pool.x.clone()
    torch.nn.init.normal_(t.rule.weights[-1], std=0.05)
    t.step()
    assert (t.pool.x != before).flatten(1).any(1).sum() == 4
    batch, places = t._draw(torch.Generator().manual_seed(0))
    assert torch.equal(batch.x[:1], t.task.fresh(1, torch.Generator()).x)
    assert len(set(places.tolist())) == 4


def test_the_batch_is_worst_first():
    t = trainer(tiny(damage=0))
    t.pool.x = t.task.layout.embed(t.task.target, 12) * torch.linspace(0, 1, 12)[:, None, None, None]
    batch, places = t._draw(torch.Generator().manual_seed(0))
    assert places.tolist() == sorted(places.tolist())
    each = t.task.loss(batch.x, batch)["picture"][1:].tolist()
    assert each == sorted(each, reverse=True)


def test_the_grow_regime_starts_from_the_seed_every_time():
    t = trainer(tiny(regime="grow"))
    assert t.pool is None
    batch, _ = t._draw(torch.Generator())
    assert torch.equal(batch.x, t.task.fresh(4, torch.Generator()).x)


def test_gradients_are_normalised_for_each_tensor():
    t = trainer(tiny())
    losses(t, 3)
    assert [p.grad.norm().item() for p in t.learned] == [pytest.approx(1.0, abs=1e-4)] * 3
    wild = trainer(tiny({"normalise": False}))
    losses(wild, 3)
    assert wild.learned[0].grad.norm() < 0.5


def test_the_learning_rate_falls_when_it_should():
    t = trainer(tiny({"steps": 10, "lr": 0.01, "lr_drops": (0.5, 0.8), "lr_factor": 0.5}))
    rates = [t.step().lr for _ in range(10)]
    assert rates == [0.01] * 5 + [0.005] * 3 + [0.0025] * 2


def test_the_warm_up_lengthens_the_roll_out():
    t = trainer(tiny({"warmup": 8, "rollout": (40, 40)}))
    lengths = [t.step().rollout for _ in range(10)]
    assert lengths[0] == 10
    assert lengths == sorted(lengths)
    assert lengths[8:] == [40, 40]


def test_a_sample_that_died_comes_back_as_a_seed():
    t = trainer(tiny())
    y = t.task.fresh(3, torch.Generator()).x
    y[1] = 0
    revived = t._revived(y)
    assert torch.equal(revived[1], t.task.fresh(1, torch.Generator()).x[0])
    assert torch.equal(revived[::2], y[::2])


@pytest.mark.parametrize(
    ("x", "loss", "recent", "says"),
    [
        (1.0, 0.1, [], ""),
        (math.nan, 0.1, [], "explosion"),
        (1e5, 0.1, [], "explosion"),
        (1.0, math.inf, [], "explosion"),
        (0.0, 0.1, [], "extinction"),
        (1.0, 1.1, [0.1] * 30 + [1.1] * 2, "jump of the loss"),
        (1.0, 0.9, [0.1] * 30 + [1.1] * 2, ""),
        (1.0, 9.9, [0.1] * 31 + [1.1], ""),
        (1.0, 9.9, [0.1] * 29 + [9.9] * 2, ""),
    ],
)
def test_the_guardian_knows_trouble(x, loss, recent, says):
    layout = Task(tiny(), ALONE.device).layout
    assert guardian.trouble(torch.full((2, 8, 4, 4), x), loss, recent, layout) == says


def test_the_guardian_goes_back_and_says_so_in_one_line():
    t = trainer(tiny({"steps": 60}))
    losses(t, 30)
    good = [w.clone() for w in t.good[: len(t.learned)]]
    rate = t._lr()
    with torch.no_grad():
        t.learned[-1].mul_(1e6)
    report = t.step()
    assert "explosion; went back to the last good weights" in report.event
    assert "\n" not in report.event
    assert all(torch.equal(p, w) for p, w in zip(t.learned, good, strict=True))
    assert t._lr() == rate / 2
    assert t.pool.x.isfinite().all()
    assert t.pool.x.abs().max() < guardian.BOUND
    assert t.step().event == ""
    losses(t, 28)
    assert t._lr() == rate  # the caution is over


def test_without_a_guardian_nothing_is_restored():
    t = trainer(tiny({"guardian": False}))
    with torch.no_grad():
        t.learned[-1].fill_(1e6)
    assert t.step().event == ""
    assert t.learned[-1].abs().max() > 1e5


def test_the_guardian_gives_up_with_advice():
    t = trainer(tiny({"steps": 100}))
    with torch.no_grad():
        for p in t.good[: len(t.learned)]:
            p.fill_(1e6)
        t.learned[-1].fill_(1e6)
    with pytest.raises(UserError, match="explosion again and again.*lower train.lr"):
        losses(t, 100)


def test_best_is_the_lowest_smoothed_loss_and_training_goes_on_unharmed():
    t = trainer(tiny({"steps": 80}))
    losses(t, 60)
    assert t.best_loss < float("inf")
    now = [p.clone() for p in t.learned]
    best = t.best_rule()
    assert all(torch.equal(p, q) for p, q in zip(t.learned, now, strict=True))
    assert all(torch.equal(p, q) for p, q in zip(best.parameters(), t.best, strict=True))


def test_best_weights_are_sought_anew_where_damage_begins():
    t = trainer(tiny({"steps": 120}, damage=2, damage_from=0.5))
    losses(t, 60)
    easy = t.best_loss
    assert len(t.recent) == guardian.MEMORY
    t.step()
    assert (t.best_loss, len(t.recent)) == (math.inf, 1)
    losses(t, guardian.MEMORY)
    assert easy != t.best_loss < math.inf
    undamaged = trainer(tiny({"steps": 120}, damage=0, damage_from=0.5))
    losses(undamaged, 61)
    assert len(undamaged.recent) == guardian.MEMORY


def test_a_packed_pool_is_the_same_to_the_bit():
    x = torch.where(torch.rand(5, 1, 6, 7) < 0.3, torch.randn(5, 8, 6, 7), 0.0)
    x[0, 0, 0, 0] = -0.0
    packed = pack(x)
    assert packed["cells"].numel() < 0.6 * x.numel()
    assert torch.equal(unpack(packed).view(torch.int32), x.view(torch.int32))


def test_a_pool_draws_without_repeating():
    pool = Pool(torch.zeros(9, 1, 1, 1))
    assert sorted(pool.draw(9, torch.Generator().manual_seed(1)).tolist()) == list(range(9))


def test_another_number_of_processes_cannot_resume():
    t = trainer(tiny())
    tensors, numbers = t.state()
    with pytest.raises(UserError, match="2 processes, so it can't go on with 1"):
        t.restore(tensors, {**numbers, "ranks": 2})


def test_what_is_held_out_chooses_the_weights_and_lowers_the_rate(monkeypatch):
    t = trainer(tiny({"steps": 40, "validate": 2, "plateau": 2, "lr_factor": 0.5, "lr_drops": ()}))
    said = iter([0.5, 0.4, 0.6, 0.45, 0.41, 0.42, 0.43, 0.3])
    monkeypatch.setattr(t.task, "validate", lambda rule: next(said))
    reports, kept = [], None
    for k in range(16):
        reports.append(t.step())
        if k == 3:
            kept = t._weights()
        if k == 13:
            assert all(torch.equal(p, q) for p, q in zip(t.best, kept, strict=True))
    assert [r.validation for r in reports][1::2] == [0.5, 0.4, 0.6, 0.45, 0.41, 0.42, 0.43, 0.3]
    assert {r.validation for r in reports[::2]} == {None}
    assert [r.step for r in reports if "no better on what is held out" in r.event] == [8, 12]
    assert reports[0].lr == 2e-3
    assert reports[15].lr == pytest.approx(5e-4)
    assert all(torch.equal(p, q) for p, q in zip(t.best, t._weights(), strict=True))


def test_a_plateau_is_remembered_by_a_checkpoint(monkeypatch):
    a, b = (trainer(tiny({"validate": 1, "plateau": 3, "lr_drops": ()})) for _ in range(2))
    for t in (a, b):
        monkeypatch.setattr(t.task, "validate", lambda rule: 1.0)
    losses(a, 6)
    assert (a.stale, a.falls) == (2, 1)
    b.restore(*a.state())
    assert losses(a, 3) == losses(b, 3)
    assert (a.stale, a.falls) == (b.stale, b.falls) == (2, 2)


def test_long_gradients_are_shortened():
    plain, clipped = (trainer(tiny({"normalise": False, "clip": clip})) for clip in (0.0, 1e-3))
    for t in (plain, clipped):
        torch.nn.init.normal_(t.rule.weights[-1], std=0.1, generator=torch.Generator().manual_seed(1))
        t.step()
    lengths = [torch.cat([p.grad.flatten() for p in t.learned]).norm().item() for t in (plain, clipped)]
    assert lengths[0] > 2e-3
    assert lengths[1] == pytest.approx(1e-3, rel=1e-3)


def test_it_begins_with_what_another_has_learned():
    parent = trainer(tiny({"steps": 60}))
    losses(parent, 20)
    child = Trainer(Task(tiny(), ALONE.device), tiny(), ALONE, parent.rule)
    assert child.reused[0] == "layer 1: 384 of 384 weights reused"
    assert all(torch.equal(p, q) for p, q in zip(child.best, parent._weights(), strict=True))
    again = trainer(tiny())
    again.restore(*child.state())
    assert again.reused == child.reused


def test_a_pool_knows_where_its_samples_stand():
    pool = Pool(torch.zeros(4, 1, 1, 1), torch.arange(8).view(4, 2))
    pool.put(torch.tensor([2, 0]), torch.ones(2, 1, 1, 1), torch.tensor([[9, 9], [7, 7]]))
    assert pool.at.tolist() == [[7, 7], [2, 3], [9, 9], [6, 7]]
    pool.put(torch.tensor([1]), torch.ones(1, 1, 1, 1))
    assert pool.at[1].tolist() == [2, 3]
