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
    assert valley(Soap, 20) == pytest.approx(valley(Adam, 20), rel=1e-4)


def test_a_long_side_has_no_basis():
    wide = torch.zeros(optimiser.WIDEST + 1, 1, requires_grad=True)
    blank = Soap.blank(wide.detach())
    assert (blank["rows"].shape, blank["columns"].shape) == ((0, 0), (1, 1))
    wide.grad = torch.ones_like(wide)
    Soap([wide], 0.1, (0.9, 0.99)).step()
    assert torch.allclose(wide, torch.tensor(-0.1))


@pytest.mark.parametrize("lone", [False, True])
def test_no_step_is_longer_than_the_first_can_be(lone):
    """Sizes turn with the bases, and what is only rounding moves nothing: else a trained rule is lost at once."""
    p, rng = torch.zeros(8, 8, requires_grad=True), torch.Generator().manual_seed(1)
    soap = Soap([p], 1.0, (0.9, 0.999))
    for _ in range(40):
        before = p.detach().clone()
        one = torch.outer(torch.randn(8, generator=rng), torch.randn(8, generator=rng))
        p.grad = one if lone else torch.randn(8, 8, generator=rng)
        soap.step()
        assert (p.detach() - before).norm() <= 8.01


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
