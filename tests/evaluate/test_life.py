import pytest
import torch
from helpers.moving import MEMORY, SHIFT, memory, shift, shifting, still

from planaria.evaluate.life import Life
from planaria.losses.quality import psnr


def test_the_whole_film_by_frame():
    frames = shifting(10)
    whole, film = Life(shift(), SHIFT, 1).whole(frames, 3)
    torch.testing.assert_close(film, frames)
    assert whole.first == 3
    assert whole.psnr == (100.0,) * 7
    assert whole.still == pytest.approx([7.7815] * 7, abs=1e-3)  # two of twelve columns
    frozen, film = Life(still(), SHIFT, 1).whole(frames, 3)
    assert frozen.psnr == frozen.still == tuple(psnr(frames[2].expand(7, -1, -1, -1), frames[3:]).tolist())
    assert torch.equal(film[:3], frames[:3])
    assert torch.equal(film[3:], frames[2].expand(7, -1, -1, -1))


def test_a_long_run_by_windows():
    frames = shifting(8)
    told = []
    windows = Life(shift(), SHIFT, 1, progress=lambda *now: told.append(now)).long(frames[:1], 3, 8)
    assert [w.frames for w in windows] == [8, 8, 8]
    assert [w.motion for w in windows] == pytest.approx([1 / 6] * 3)
    assert [w.mean for w in windows] == pytest.approx([1 / 12] * 3)
    assert told[-1] == ("long run", 24, 24)
    assert [w.motion for w in Life(still(), SHIFT, 1).long(frames[:1], 2, 8)] == [0, 0]
    line = Life(memory(), MEMORY, 1).long(torch.full((1, 1, 4, 4), 0.125), 3, 5)  # grows by itself every frame
    assert [w.motion for w in line] == pytest.approx([0.125**2] * 3)
    assert [w.mean for w in line] == pytest.approx([0.125 * 4, 0.125 * 9, 0.125 * 14])


def test_a_long_run_ends_where_numbers_end():
    wild = memory()
    with torch.no_grad():
        wild.weights[0].copy_(torch.tensor([[99.0, 0], [0, 0]]))  # a hundredfold a step: past float32 in 20
    windows = Life(wild, MEMORY, 1).long(shifting(1), 10, 8)
    assert [w.frames for w in windows] == [8, 8, 3]
    assert [w.finite for w in windows] == [True, True, False]
    assert windows[0].outside == pytest.approx(1 / 12)


def test_the_later_half_of_a_life():
    drift = memory()  # a line: x grows by itself every step
    frames = torch.full((1, 1, 4, 4), 0.125)
    found = Life(drift, MEMORY, 1).later(frames, 5, "x")
    assert found.frames == 3
    assert found.mean == pytest.approx(0.125 * (4 + 5 + 6) / 3)  # after 1 to 5 frames 2, 3, 4, 5 and 6 times
    assert found.motion == pytest.approx(0.125**2)
    with torch.no_grad():
        drift.weights[0].fill_(1e30)
    broken = Life(drift, MEMORY, 1).later(frames, 10, "x")
    assert (broken.frames, broken.finite) == (0, False)
