import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from planaria.losses.space_time import SIDE, looking, moving, space_time_distance

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


def motion(mine: Tensor, theirs: Tensor, **options) -> float:
    found = [space_time_distance(mine, theirs, seed, **options)[1].mean() for seed in range(4)]
    return float(torch.stack(found).mean())


def look(mine: Tensor, theirs: Tensor) -> float:
    return float(torch.stack([space_time_distance(mine, theirs, seed)[0].mean() for seed in range(4)]).mean())


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


def test_every_window_is_judged_by_itself_or_all_together():
    clip = windows(0, 1, range(3))
    each, _ = space_time_distance(clip, clip, 1)
    pooled, _ = space_time_distance(clip, clip, 1, pooled=True, most=10**6)
    assert each.shape == (3,)
    assert pooled.shape == (1,)
    assert space_time_distance(clip, clip, 1, pooled=True, most=10**6)[1] == 0
    assert pooled == 0
    assert each.min() > 0


def test_grids_may_differ_and_coarse_scales_are_left_out():
    small = windows(1, 0, range(2))[..., :12, :13]
    look, motion = space_time_distance(small, windows(1, 0, range(2)), 1)
    assert torch.isfinite(look).all()
    assert torch.isfinite(motion).all()


def test_a_still_clip_of_one_colour_divides_by_nothing_small():
    still = torch.full((1, 4, 3, 24, 24), 0.5)
    assert all(bool(part.isfinite().all()) for part in space_time_distance(still, still, 1))


def test_motion_has_a_gradient():
    mine = windows(0, 0, range(2)).requires_grad_()
    space_time_distance(mine, windows(1, 0, range(2)), 1)[1].sum().backward()
    assert mine.grad is not None
    assert mine.grad[:, 0].abs().sum() > 0


def test_filters_are_of_norm_one_and_those_of_motion_see_two_frames():
    motion, frame = moving(4, 3, 1), looking(3, 1)
    norms = frame.flatten(1).norm(dim=1)
    assert bool(((norms - 1).abs().minimum(norms) < 1e-5).all()), "a cell less itself is 0"
    assert torch.allclose(motion.flatten(1).norm(dim=1), torch.ones(len(motion)), atol=1e-5)
    seen = motion.unflatten(1, (4, 3)).abs().sum((2, 3, 4)) > 0
    assert bool((seen.sum(1) == 2).all())
    assert looking(1, 2).shape[1:] == (1, SIDE, SIDE)
