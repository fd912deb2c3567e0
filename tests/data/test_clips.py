import pytest
import torch
from PIL import Image

from planaria.data import simulate
from planaria.data.clips import Clips, Kept, open_clips, unpacked
from planaria.data.frames import write_frames
from planaria.errors import UserError


def film(n: int, value: float = 0.0, size: tuple[int, int] = (4, 6)) -> torch.Tensor:
    """Grey frames that tell their number: the first pixel is k / 255."""
    frames = torch.full((n, 1, *size), value)
    frames[:, 0, 0, 0] = torch.arange(n) / 255
    return frames


def kept(*lengths: int, held_out: float = 0.0) -> Clips:
    clips = tuple(Kept(film(n).mul(255).byte()) for n in lengths)
    return Clips(clips, 1, (4, 6), 30.0, held_out)


def test_of_one_film_the_last_frames_are_held_out():
    clips = kept(100, held_out=0.1)
    assert clips.trained == [(0, 90)]
    assert clips.held == [(0, 90)]
    assert clips.starts(88) == [(0, 0), (0, 1), (0, 2)]
    assert kept(100).trained == [(0, 100)]
    assert kept(100).held == []


def test_of_several_films_the_last_are_held_out_and_no_window_spans_two():
    clips = kept(5, 4, 6, 5, held_out=0.25)
    assert clips.trained == [(0, 5), (1, 4), (2, 6)]
    assert clips.held == [(3, 1)]
    assert clips.starts(5) == [(0, 0), (2, 0), (2, 1)]
    assert kept(5, 4, held_out=0.99).trained == [(0, 5)]


def test_a_folder_of_films(tmp_path):
    write_frames(film(3), tmp_path / "a10")
    write_frames(film(4, 0.2), tmp_path / "a2")
    clips = open_clips(str(tmp_path))
    assert [len(clip) for clip in clips.clips] == [4, 3]
    assert (clips.visible, clips.size) == (1, (4, 6))
    assert torch.equal(clips.clips[1].stack(1, 3), film(3)[1:])
    one = open_clips(str(tmp_path / "a2"))
    assert [len(clip) for clip in one.clips] == [4]


def test_what_else_lies_beside_films_is_left_alone(tmp_path):
    write_frames(film(3), tmp_path / "a")
    Image.new("L", (6, 4)).save(tmp_path / "b.gif", save_all=True, append_images=[Image.new("L", (6, 4), 90)])
    (tmp_path / "notes.txt").write_text("mine")
    assert [len(clip) for clip in open_clips(str(tmp_path)).clips] == [3, 2]


def test_films_of_differing_sizes_are_refused(tmp_path):
    write_frames(film(3), tmp_path / "a")
    write_frames(film(3, size=(4, 4)), tmp_path / "b")
    with pytest.raises(UserError, match="its videos differ: 4x4 with 1 channels, 6x4 with 1 channels; give them"):
        open_clips(str(tmp_path))
    assert open_clips(str(tmp_path), crop="square", size=4).size == (4, 4)


def test_a_folder_without_films_is_refused(tmp_path):
    with pytest.raises(UserError, match="no frames"):
        open_clips(str(tmp_path))


def test_simulators_begin_elsewhere_in_every_clip():
    clips = open_clips("sim:life", clips=3, count=5, size=8)
    assert [len(clip) for clip in clips.clips] == [5, 5, 5]
    assert clips.size == (8, 8)
    a, b, _ = (clip.stack(0, 5) for clip in clips.clips)
    assert not torch.equal(a, b)
    again = open_clips("sim:life", clips=1, count=5, size=8)
    assert torch.equal(again.clips[0].stack(0, 5), a)


def test_of_a_simulator_every_nth_frame_is_taken():
    whole, half = open_clips("sim:life", count=7, size=8), open_clips("sim:life", count=4, size=8, every=2)
    assert torch.equal(half.clips[0].stack(0, 4), whole.clips[0].stack(0, 7)[::2])
    assert (whole.fps, half.fps) == (30, 15)
    for wrong in ({"every": 0}, {"crop": "square"}, {"colour": "rgb"}):
        with pytest.raises(UserError, match="every is at least 1|leave out crop and colour"):
            open_clips("sim:life", count=4, size=8, **wrong)


def test_what_is_kept_comes_back():
    clips = kept(3, 5, held_out=0.4)
    again = unpacked(clips.pack(), 0.4)
    assert [len(c) for c in again.clips] == [3, 5]
    assert all(torch.equal(a.stack(0, 3), b.stack(0, 3)) for a, b in zip(again.clips, clips.clips, strict=True))
    assert (again.size, again.visible, again.fps) == ((4, 6), 1, 30.0)


def test_films_of_simulators_keep_every_digit():
    clips = open_clips("sim:lenia", clips=2, count=3, size=40)
    exact = simulate.frames("lenia", 3, size=40)
    assert torch.equal(clips.clips[0].stack(0, 3), exact)
    packed = clips.pack()
    assert packed["values"].dtype == torch.float32
    again = unpacked(packed, 0.0)
    assert all(torch.equal(a.stack(0, 3), b.stack(0, 3)) for a, b in zip(again.clips, clips.clips, strict=True))
    assert (again.size, again.visible, again.fps) == (clips.size, 1, 30.0)


def test_a_film_of_zeros_and_ones_is_kept_in_8_bits():
    clips = open_clips("sim:life", count=3, size=8)
    assert clips.pack()["frames"].dtype == torch.uint8
    assert torch.equal(clips.clips[0].stack(0, 3), simulate.frames("life", 3, size=8))


def test_a_frame_drawn_is_a_copy():
    clips = open_clips("sim:lenia", count=2, size=40)
    clips.clips[0].stack(0, 1).zero_()
    assert clips.clips[0].stack(0, 1).any()


def test_too_much_is_not_kept(monkeypatch):
    monkeypatch.setattr("planaria.data.clips.MOST_KEPT", 71)
    assert kept(3).pack() == {}
    monkeypatch.setattr("planaria.data.clips.MOST_KEPT", 72)
    assert set(kept(3).pack()) == {"frames", "lengths", "fps"}
    lenia = open_clips("sim:lenia", count=2, size=3)
    monkeypatch.setattr("planaria.data.clips.MOST_KEPT", 4 * 2 * 9 - 1)
    assert lenia.pack() == {}
    monkeypatch.setattr("planaria.data.clips.MOST_KEPT", 4 * 2 * 9)
    assert set(lenia.pack()) == {"values", "lengths", "fps"}


@pytest.mark.parametrize(
    "odd",
    [
        {"lengths": torch.tensor([2, 3])},
        {"lengths": torch.tensor([-1, 5])},
        {"lengths": torch.tensor([], dtype=torch.int64)},
        {"fps": torch.tensor(-1.0, dtype=torch.float64)},
        {"frames": torch.zeros(4, 2, 5, 5, dtype=torch.uint8)},
        {"frames": torch.zeros(4, 3, 0, 5, dtype=torch.uint8)},
        {"frames": None},
        {"values": torch.zeros(4, 3, 5, 5)},
        {"frames": None, "values": torch.zeros(3, 3, 5, 5)},
    ],
)
def test_films_of_a_checkpoint_that_dont_fit_are_one_line(odd):
    packed = {
        "frames": torch.zeros(4, 3, 5, 5, dtype=torch.uint8), "lengths": torch.tensor([1, 3]),
        "fps": torch.tensor(20.0, dtype=torch.float64),
    }  # fmt: skip
    assert len(unpacked(packed, 0.0).clips) == 2
    with pytest.raises(UserError, match="the checkpoint is damaged: "):
        unpacked({name: t for name, t in (packed | odd).items() if t is not None}, 0.0)
