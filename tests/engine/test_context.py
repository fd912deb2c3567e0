import torch

from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.engine import run
from planaria.engine.context import charge, predictions, shown

LAYOUT = Layout(3, alpha=None, hidden=4, offset=0.5)


def rule(rate: float = 1.0) -> Rule:
    made = Rule(RuleConfig(channels=7, hidden=(12,), life="none", fire_rate=rate, bias="all"), seed=1)
    for p in made.parameters():
        torch.nn.init.normal_(p, 0, 0.2, generator=torch.Generator().manual_seed(2))
    return made.requires_grad_(False)


def test_cells_show_the_last_frame_and_remember_the_others():
    frames = torch.rand(2, 4, 3, 6, 5)
    x = charge(rule(), LAYOUT, frames, 3)
    assert (LAYOUT.picture(x) - frames[:, -1]).abs().max() < 1e-6
    other = frames.clone()
    other[:, 0] = 0.5
    y = charge(rule(), LAYOUT, other, 3)
    assert torch.equal(y[:, :3], x[:, :3])
    assert (y[:, 3:] - x[:, 3:]).abs().max() > 1e-3


def test_the_steps_before_the_last_frame_have_negative_numbers():
    frames = torch.rand(1, 3, 3, 6, 5)
    chancy, layout = rule(0.5), LAYOUT
    x = shown(layout, frames[:, 0])
    x = run(chancy, x, 2, t=-4, seed=9)
    first = layout.picture(x)
    x = run(chancy, shown(layout, frames[:, 1], x), 2, t=-2, seed=9)
    y, made = predictions(chancy, layout, frames, 2, seed=9)
    assert torch.equal(y, shown(layout, frames[:, 2], x))
    assert torch.equal(made[0], first)
    assert torch.equal(made[1], layout.picture(x))


def test_one_frame_is_shown_as_it_is():
    frames = torch.rand(2, 1, 3, 6, 5)
    x, made = predictions(rule(), LAYOUT, frames, 3)
    assert made == []
    assert torch.equal(x, shown(LAYOUT, frames[:, 0]))
    assert not x[:, 3:].any()
