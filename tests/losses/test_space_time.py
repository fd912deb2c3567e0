import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from planaria.losses.space_time import EACH, SIDE, SpaceTime

LAGS = (0, 1, 2, 4)


def blots(seed: int, size: int = 40) -> Tensor:
    """Smooth noise on a torus, `(3, size, size)` in 0..1."""
    smooth = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed))
    for _ in range(3):
        smooth = F.avg_pool2d(F.pad(smooth, (2, 2, 2, 2), "circular"), 5, 1)
    smooth = smooth[0]
    return ((smooth - smooth.mean()) / smooth.std() * 0.2 + 0.5).clamp(0, 1)


def windows(right: int, down: int, seeds: range) -> Tensor:
    """Windows of blots that move so many cells a frame."""
    shifted = [[blots(seed).roll((down * lag, right * lag), (1, 2)) for lag in LAGS] for seed in seeds]
    return torch.stack([torch.stack(frames) for frames in shifted])


def motion(mine: Tensor, theirs: Tensor) -> float:
    like = SpaceTime(theirs)
    return float(torch.stack([like.distance(mine, theirs, seed)[1].mean() for seed in range(4)]).mean())


def look(mine: Tensor, theirs: Tensor) -> float:
    like = SpaceTime(theirs)
    return float(torch.stack([like.distance(mine, theirs, seed)[0].mean() for seed in range(4)]).mean())


def test_the_same_motion_of_other_blots_is_nearest():
    clip, same = windows(1, 0, range(4)), windows(1, 0, range(10, 14))
    apart = motion(same, clip)
    for right, down in ((-1, 0), (0, 1), (2, 0), (0, 0)):
        assert motion(windows(right, down, range(10, 14)), clip) > 2 * apart, (right, down)


def test_direction_leaves_the_look_alone():
    clip = windows(1, 0, range(4))
    there, back = look(windows(1, 0, range(10, 14)), clip), look(windows(-1, 0, range(10, 14)), clip)
    assert there == pytest.approx(back, rel=0.5)
    assert look(windows(1, 0, range(10, 14)) * 0.5, clip) > 4 * there


def test_grain_is_far_from_a_smooth_clip_though_its_colours_are_the_same():
    clip, same = windows(1, 0, range(4)), windows(1, 0, range(10, 14))
    grain = 0.03 * torch.randn(same.shape, generator=torch.Generator().manual_seed(1))
    assert look(same + grain, clip) > 2 * look(same, clip)


def test_windows_are_judged_each_by_itself_or_all_together():
    clip = windows(0, 1, range(3))
    like = SpaceTime(clip)
    assert [part.tolist() for part in like.distance(clip, clip, 1, pooled=True, most=10**6)] == [[0], [0]]
    for part in like.distance(clip, clip, 1):
        assert part.shape == (3,)
        assert part.min() > 0


def test_grids_may_differ_and_coarse_scales_are_left_out():
    clip = windows(1, 0, range(2))
    for part in SpaceTime(clip).distance(clip[..., :12, :13], clip, 1):
        assert bool(part.isfinite().all())
        assert bool((part > 0).all())


def test_a_still_clip_of_one_colour_divides_by_nothing_small():
    still = torch.full((1, 4, 3, 24, 24), 0.5)
    assert [part.tolist() for part in SpaceTime(still).distance(still, still, 1)] == [[0], [0]]


def test_motion_has_a_gradient():
    clip, mine = windows(1, 0, range(2)), windows(0, 0, range(2)).requires_grad_()
    SpaceTime(clip).distance(mine, clip, 1)[1].sum().backward()
    assert mine.grad is not None
    assert bool((mine.grad.abs().sum((0, 2, 3, 4)) > 0).all()), "of every frame"


def test_strong_axes_are_whitened_and_weak_ones_are_not_made_larger():
    clip = windows(1, 0, range(6))
    look = SpaceTime(clip).looks[0]
    spread = (look.filters(EACH, 1) @ F.unfold(clip[:, 0], SIDE).transpose(0, 1).flatten(1)).std(1)
    assert 0 < look.strong < len(look.spreads)
    assert torch.allclose(spread[: 3 * EACH], torch.ones(3 * EACH), atol=0.1)
    assert bool((spread[3 * EACH :] < 1.1).all())
