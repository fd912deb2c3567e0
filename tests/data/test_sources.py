"""Animated pictures: frames as they are seen, whatever the file stores."""

import numpy as np
import pytest
import torch
from helpers.reels import PALETTE, gif
from PIL import Image

from planaria.data.frames import open_frames
from planaria.errors import UserError


def animate(path, frames, duration=40, **options) -> str:
    images = [Image.fromarray(f) for f in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0, **options)
    return str(path)


def moving(n: int = 6, h: int = 8, w: int = 12) -> np.ndarray:
    """A blue square that walks over red."""
    frames = np.zeros((n, h, w, 3), np.uint8)
    frames[..., 0] = 255
    for k in range(n):
        frames[k, 2:5, k : k + 3] = (0, 0, 255)
    return frames


def as_frames(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))


@pytest.mark.parametrize(("suffix", "options"), [("gif", {}), ("gif", {"disposal": 2}), ("gif", {"disposal": 1}),
                                                 ("webp", {"lossless": True}), ("png", {}), ("apng", {})])  # fmt: skip
def test_frames_are_as_they_were(tmp_path, suffix, options):
    frames = moving()
    if suffix == "apng":
        options = {"format": "PNG"}
    f = open_frames(animate(tmp_path / f"a.{suffix}", frames, **options))
    assert (len(f), f.visible, f.size, f.fps) == (6, 3, (8, 12), 25.0)
    assert torch.equal(f.stack(0, 6), as_frames(frames))
    assert torch.equal(f[2], as_frames(frames)[2])
    assert torch.equal(open_frames(tmp_path / f"a.{suffix}", start=1, every=2, crop="square").stack(0, 3),
                       as_frames(frames)[1::2, :, :, 2:10])  # fmt: skip


def test_partial_frames_and_how_they_leave(tmp_path):
    """One frame stays, one gives back what was there, one leaves a hole, one has pixels to see through."""
    path = tmp_path / "a.gif"
    path.write_bytes(gif((4, 4), [
        {"colour": 1, "disposal": 1},
        {"colour": 2, "disposal": 3, "at": (1, 1), "size": (2, 2)},
        {"colour": 3, "disposal": 2, "at": (2, 2), "size": (2, 2)},
        {"colour": 2, "disposal": 1, "at": (0, 0), "size": (1, 1)},
        {"colour": 3, "disposal": 0, "at": (0, 0), "size": (4, 4), "clear": 3},
    ]))  # fmt: skip
    want = np.full((5, 4, 4), 1)
    want[1, 1:3, 1:3] = 2
    want[2, 2:, 2:] = 3
    want[3:, 2:, 2:] = 0
    want[3:, 0, 0] = 2
    f = open_frames(path)
    assert torch.equal(f.stack(0, 5), as_frames(np.array(PALETTE, np.uint8)[want]))


@pytest.mark.parametrize(
    ("delays", "fps"),
    [([10, 10, 10], 10), ([4, 4, 4, 4, 300], 25), ([2, 8, 5], 20), ([1, 1], 10), ([0, 0], 10), ([7], 30)],
)
def test_frames_a_second_go_by_the_middle_one(tmp_path, delays, fps):
    path = tmp_path / "a.gif"
    path.write_bytes(gif((2, 2), [{"colour": 1 + k % 3, "delay": delay} for k, delay in enumerate(delays)]))
    f = open_frames(path)
    assert len(f) == len(delays)
    assert f.fps == fps
    assert open_frames(path, every=2).fps == f.fps / 2


def test_a_picture_for_those_who_see_no_moving_ones_is_no_frame(tmp_path):
    first, *frames = [Image.fromarray(f) for f in moving(4)]
    first.save(tmp_path / "a.png", save_all=True, append_images=frames, default_image=True, duration=50)
    f = open_frames(tmp_path / "a.png")
    assert torch.equal(f.stack(0, len(f)), as_frames(moving(4)[1:]))


def test_a_frame_that_reaches_beyond_the_first(tmp_path):
    (tmp_path / "a.gif").write_bytes(gif((4, 4), [{"colour": 1}, {"colour": 2, "at": (2, 2)}]))
    with pytest.raises(UserError, match="frames have one size, but frame 1 has another"):
        open_frames(tmp_path / "a.gif")


def test_alpha_and_grey(tmp_path):
    frames = np.zeros((3, 4, 4, 4), np.uint8)
    frames[0, ..., 3], frames[1, ..., 3], frames[2] = 255, 128, (0, 0, 0, 255)
    frames[1, ..., :3] = 255
    f = open_frames(animate(tmp_path / "a.webp", frames, lossless=True, exact=True))
    assert f.visible == 1
    assert (f[1] * 255).unique().round().tolist() == [128]
    frames[2, 3, 3] = (0, 1, 0, 255)
    assert open_frames(animate(tmp_path / "b.webp", frames, lossless=True, exact=True)).visible == 3


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_broken_ones(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (6, 40, 40, 3), np.uint8)
    path = tmp_path / f"a.{suffix}"
    animate(path, noise)
    whole = path.read_bytes()
    for part in (0.3, 0.7):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(UserError, match="broken|cut short|no picture"):
            list(open_frames(path))
    for content in (b"", b"GIF89a", whole[:40], b"miaow"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"a\.") as told:
            open_frames(path)
        assert "\n" not in str(told.value)
