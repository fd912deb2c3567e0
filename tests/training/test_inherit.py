import pytest
import torch

from planaria.core.rule import Rule, RuleConfig
from planaria.training.inherit import inherit


def ruled(seed: int = 0, **settings) -> Rule:
    given = {"channels": 6, "filters": ("identity", "sobel"), "hidden": (10, 8), "bias": "all", "life": "none"}
    rule = Rule(RuleConfig(**{**given, "fire_rate": 1.0, **settings}), seed=seed)
    rng = torch.Generator().manual_seed(seed)
    for p in rule.parameters():
        torch.nn.init.normal_(p, 0, 0.3, generator=rng)
    return rule


def born(**settings) -> Rule:
    """A rule as a training begins with it."""
    config = ruled(**settings).config
    return Rule(config, seed=3)


def test_the_same_shape_becomes_the_same_rule():
    parent, child = ruled(1), born()
    lines = inherit(child, parent)
    assert all(torch.equal(p, q) for p, q in zip(child.parameters(), parent.parameters(), strict=True))
    assert lines[0] == "layer 1: 180 of 180 weights reused"
    assert len(lines) == 6


@pytest.mark.parametrize(
    "wider",
    [
        {"hidden": (14, 13)},
        {"filters": ("sobel", "laplacian", "identity")},
        {"filters": ("learned", "sobel@2", "identity", "sobel")},
        {"filters": ("ring@5", "identity", "ring", "sobel")},
        {"channels": 9},
        {"channels": 9, "hidden": (11, 20), "filters": ("laplacian", "identity", "sobel")},
    ],
)
def test_a_larger_rule_begins_by_doing_what_its_parent_does_and_learns(wider):
    parent, child = ruled(1), born(**wider)
    inherit(child, parent)
    x = torch.rand(2, 6, 7, 9)
    more = torch.zeros(2, child.config.channels - 6, 7, 9)
    y = child(torch.cat([x, more], 1))
    assert (y[:, :6] - parent(x)).abs().max() < 1e-5
    assert not y[:, 6:].any()
    child(child(torch.cat([x, more], 1))).square().sum().backward()
    assert child.weights[-1].grad.abs().sum(1).min() > 0 or child.config.channels > 6
    grown = [p for p, q in zip(child.parameters(), parent.parameters(), strict=True) if p.shape != q.shape]
    assert all(p.grad.abs().sum() > 0 for p in grown)


def test_new_channels_can_learn():
    parent, child = ruled(1), born(channels=8)
    inherit(child, parent)
    adam = torch.optim.Adam(child.parameters(), 1e-2)
    x = torch.cat([torch.rand(2, 6, 7, 9), torch.zeros(2, 2, 7, 9)], 1)
    wanted = torch.rand(2, 2, 7, 9)
    before = None
    for _ in range(60):
        loss = (child(x)[:, 6:] - wanted).square().mean()
        before = before or loss.item()
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert loss.item() < 0.7 * before


def test_a_smaller_or_other_rule_takes_what_fits_and_says_so():
    parent = ruled(1)
    small = born(channels=4, hidden=(7, 8), filters=("identity",), activation="tanh")
    lines = inherit(small, parent)
    assert torch.equal(small.weights[0], parent.weights[0].view(10, 6, 3)[:7, :4, 0])
    assert lines[0] == "layer 1: 28 of 28 weights reused"
    assert "activation: relu there, tanh here" in lines
    assert "bias: all there, none here" in inherit(born(bias="none"), parent)
    near = born(filters=("identity@1", "sobel@1"))
    assert inherit(near, parent)[0] == "layer 1: 180 of 180 weights reused"
    flat = born(hidden=(10,))
    lines = inherit(flat, parent)
    assert lines[0] == "layers: 3 there, 2 here, so only the first fits"
    assert torch.equal(flat.weights[0], parent.weights[0])
    assert not flat.weights[1].any()
