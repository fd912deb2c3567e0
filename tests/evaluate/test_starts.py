import pytest
import torch

from planaria.evaluate.starts import SIZES, UNSEEN, random, shuffled


def clip(h: int = 19, w: int = 26) -> torch.Tensor:
    """Two frames whose values are all different; the second is half the first."""
    first = torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(0))
    return torch.cat([first, first / 2])


@pytest.mark.parametrize("name", UNSEEN)
def test_starts_are_frames_by_seed(name):
    made = UNSEEN[name](clip(), 3)
    assert made.shape[1:] == (3, 19, 26)
    assert 0 <= made.min() < made.max() <= 1
    torch.testing.assert_close(made, UNSEEN[name](clip(), 3))
    assert not torch.equal(made, clip()[: len(made)])
    if name != "random":  # nothing lost, nothing new, and the same done to both frames
        assert torch.equal(made.flatten(1).sort().values, clip().flatten(1).sort().values)
        torch.testing.assert_close(made[1], made[0] / 2)


def test_chance_differs_by_seed():
    assert not torch.equal(random(clip(), 1), random(clip(), 2))
    assert not torch.equal(shuffled(clip(), 1), shuffled(clip(), 2))
    assert len(random(clip(), 1)) == 1
    assert len(set(random(clip(), 1).flatten().tolist())) > 1000


def test_blocks_move_whole():
    made = shuffled(clip(), 1)
    assert torch.equal(made[..., 16:, :], clip()[..., 16:, :])
    assert torch.equal(made[..., 24:], clip()[..., 24:])
    blocks = {clip()[0, 0, i : i + 2, j : j + 3].sum().item() for i in range(0, 16, 2) for j in range(0, 24, 3)}
    assert {made[0, 0, i : i + 2, j : j + 3].sum().item() for i in range(0, 16, 2) for j in range(0, 24, 3)} == blocks
    tiny = clip(7, 30)
    assert torch.equal(shuffled(tiny, 1), tiny)


def test_sizes():
    sizes = {name: tuple(change(clip(), 0).shape) for name, change in SIZES.items()}
    assert sizes == {
        "1.5 times larger": (2, 3, 28, 39),
        "1.5 times smaller": (2, 3, 13, 17),
        "twice the grid": (2, 3, 38, 52),
    }
    grey = torch.full((1, 1, 6, 9), 0.3)
    for change in SIZES.values():
        torch.testing.assert_close(change(grey, 0).mean(), torch.tensor(0.3))
    assert all(change(clip(1, 1), 0).min() >= 0 for change in SIZES.values())
