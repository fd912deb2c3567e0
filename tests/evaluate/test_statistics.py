import math

import pytest
import torch

from planaria.evaluate.statistics import compare, measure


def film(*values: float, h: int = 4, w: int = 6) -> list[torch.Tensor]:
    """Frames whose left half is 0 and whose right half is a value each."""
    frames = torch.zeros(len(values), 1, 1, h, w)
    for k, value in enumerate(values):
        frames[k, ..., w // 2 :] = value
    return list(frames)


def test_known_values():
    found = measure(film(1, 0.5, 0.5))
    assert found.frames == 3
    assert found.finite
    assert found.mean == pytest.approx((0.5 + 0.25 + 0.25) / 3)
    assert found.variance == pytest.approx((0.25 + 2 * 0.0625) / 3)
    assert found.motion == pytest.approx((0.125 + 0) / 2)
    assert found.outside == 0
    assert len(found.spectrum) == 16


def test_channels_do_not_mix_and_frames_before_count_as_motion():
    colours = torch.tensor([0.2, 0.4, 0.9]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    found = measure([colours, colours], before=colours + 0.1)
    assert found.variance == pytest.approx(0, abs=1e-12)
    assert found.mean == pytest.approx(0.5)
    assert found.motion == pytest.approx(0.01 / 2)


def test_what_is_outside():
    found = measure(film(1.5, 1.6, -0.6, -0.5))
    assert found.outside == pytest.approx(2 / 4 / 2)


def test_what_is_no_number_ends_it():
    found = measure(film(1, 1, float("nan"), 1))
    assert (found.frames, found.finite, found.mean) == (2, False, 0.5)
    assert found.outside == pytest.approx(1 / 3)
    nothing = measure(film(float("inf")))
    assert (nothing.frames, nothing.finite, nothing.outside) == (0, False, 1)
    assert math.isnan(nothing.mean)
    assert math.isnan(nothing.motion)


def test_large_numbers_are_measured():
    found = measure(film(1e30))
    assert found.variance == pytest.approx(0.25e60)
    assert math.isfinite(found.spectrum[0])


def test_likeness():
    data = measure(film(1, 0.5, 1))
    same = compare(data, data)
    assert (same.mean, same.variance, same.motion, same.spectrum, same.outside, same.finite) == (1, 1, 1, 0, 0, True)
    ten = compare(measure([10 * f for f in film(1, 0.5, 1)]), data)
    assert ten.mean == pytest.approx(10)
    assert ten.variance == ten.motion == pytest.approx(100)
    assert ten.outside == pytest.approx(0.5)
    assert 0.5 < ten.spectrum <= 2  # a factor of 100 where there is power, none where there is none
    frozen = compare(measure(film(1, 1, 1)), data)
    assert frozen.motion == 0
    black = measure(film(0, 0))
    assert compare(black, black).mean == 1
    assert math.isfinite(compare(data, black).variance)
    gone = compare(measure(film(float("nan"))), data)
    assert math.isnan(gone.mean)
    assert math.isnan(gone.spectrum)
    assert (gone.outside, gone.finite) == (1, False)
