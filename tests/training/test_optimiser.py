from itertools import pairwise

import pytest
import torch
from helpers.tiny import tiny

from planaria.tasks.grow import Task
from planaria.training import optimiser
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer
from planaria.training.optimiser import OPTIMISERS, Adam, Soap

ALONE = Ranks(0, 1, torch.device("cpu"))


def valley(kind: type[Adam] | type[Soap], steps: int = 300) -> float:
    """Loss left of a regression whose inputs are nearly alike, so that its valley runs across all weights."""
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, 1, generator=rng) + 0.03 * torch.randn(200, 8, generator=rng)
    wanted = inputs @ torch.randn(8, 4, generator=rng)
    weights, bias = torch.zeros(4, 8, requires_grad=True), torch.zeros(4, requires_grad=True)
    adam = kind([weights, bias], 0.03, (0.9, 0.95))
    for k in range(steps):
        adam.zero_grad()
        loss = (inputs @ weights.T + bias - wanted).square().mean()
        loss.backward()
        adam.param_groups[0]["lr"] = 0.03 * (1 - k / steps)
        adam.step()
    return loss.item()


def test_soap_follows_a_valley_that_adam_crosses():
    assert valley(Soap) < 0.1 * valley(Adam)


def test_without_bases_soap_is_adam(monkeypatch):
    monkeypatch.setattr(optimiser, "WIDEST", 0)
    monkeypatch.setattr(optimiser, "SHORT", 1)
    assert valley(Soap, 20) == pytest.approx(valley(Adam, 20), rel=1e-4)


def test_a_long_side_has_no_basis():
    wide = torch.zeros(optimiser.WIDEST + 1, 1, requires_grad=True)
    blank = Soap.blank(wide.detach())
    assert (blank["rows"].shape, blank["columns"].shape) == ((0, 0), (1, 1))
    wide.grad = torch.ones_like(wide)
    Soap([wide], 0.1, (0.9, 0.99)).step()
    assert torch.allclose(wide, torch.tensor(-0.1 / optimiser.SHORT))


def test_first_steps_are_short():
    p = torch.zeros(1, 1, requires_grad=True)
    soap, places = Soap([p], 1.0, (0.9, 0.99)), [0.0]
    for _ in range(optimiser.SHORT + 2):
        p.grad = torch.ones_like(p)
        soap.step()
        places.append(-p.item())
    steps = [b - a for a, b in pairwise(places)]
    assert steps == pytest.approx([min(1, k / optimiser.SHORT) for k in range(1, optimiser.SHORT + 3)], rel=1e-4)


def test_bases_stay_bases():
    p = torch.zeros(5, 3, requires_grad=True)
    soap, rng = Soap([p], 0.1, (0.9, 0.95)), torch.Generator().manual_seed(0)
    for _ in range(40):
        p.grad = torch.randn(5, 1, generator=rng) * torch.tensor([[1.0, 1e-4, 0.0]])
        soap.step()
    for side in ("row_basis", "column_basis"):
        basis = soap.state[p][side]
        assert torch.allclose(basis.T @ basis, torch.eye(len(basis)), atol=1e-5)
    assert p.isfinite().all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_restored_training_goes_on_to_the_bit(name):
    config = tiny({"steps": 60, "optimiser": name})
    a, b = (Trainer(Task(config, ALONE.device), config, ALONE) for _ in range(2))
    for _ in range(30):
        a.step()
    b.restore(*a.state())
    assert [a.step().loss for _ in range(5)] == [b.step().loss for _ in range(5)]
