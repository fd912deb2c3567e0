"""Films through a codec: right colours, right order, every frame once, in bounded memory."""

import gc
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from helpers.pictures import corners
from helpers.reels import encode, steps
from PIL import Image

from planaria.data.frames import open_frames
from planaria.data.video import write_mp4
from planaria.errors import UserError

av = pytest.importorskip("av")
KINDS = {
    "a.mp4": ("libx264", "yuv420p"), "a.mov": ("libx264", "yuv444p"), "a.mkv": ("ffv1", "bgr0"),
    "a.webm": ("libvpx-vp9", "yuv420p"), "a.avi": ("mjpeg", "yuvj420p"),
}  # fmt: skip


def greens(f) -> list[float]:
    """The step that each frame of `steps` shows."""
    return [frame[1, 20, 50].item() * 255 / 4 for frame in f]


@pytest.mark.parametrize("name", KINDS)
def test_films(tmp_path, name):
    f = open_frames(encode(tmp_path / name, steps(30), *KINDS[name]))
    assert (f.visible, f.size, f.fps, f.depth, f.expected) == (3, (48, 64), 25.0, 8, 30)
    assert len(f) == 30
    assert greens(f) == pytest.approx(range(30), abs=1.2)
    assert f[7][:, 20, 10].tolist() == pytest.approx([1, 0, 0], abs=0.02)  # red stays red
    assert greens(open_frames(tmp_path / name, start=2, every=7, count=3)) == pytest.approx([2, 9, 16], abs=1.2)
    assert open_frames(tmp_path / name, every=2).fps == 12.5


def test_without_loss_it_is_exact(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (12, 16, 20, 3), np.uint8)
    f = open_frames(encode(tmp_path / "a.mkv", frames, "ffv1", "bgr0"))
    want = torch.from_numpy(frames.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
    for k in (9, 0, 11, 3, -1):
        assert torch.equal(f[k], want[k])
    assert torch.equal(f.stack(2, 9), want[2:9])
    assert torch.equal(torch.stack(list(f.stream(5))), want[5:])
    with pytest.raises(IndexError, match="has 12 frames"):
        f[12]


def test_a_film_is_read_no_further_than_asked(tmp_path, monkeypatch):
    f = open_frames(encode(tmp_path / "a.mp4", steps(30)))
    assert f[3].shape == (3, 48, 64)
    assert len(f._kept) == 4
    assert len(open_frames(tmp_path / "a.mp4", count=5)) == 5


def test_reading_goes_on_after_an_interrupt(tmp_path, monkeypatch):
    f = open_frames(encode(tmp_path / "a.mp4", steps(12)))
    f[3]
    cut, calls = f._cut, []

    def once(picture, place):
        calls.append(place)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return cut(picture, place)

    f._cut = once
    with pytest.raises(KeyboardInterrupt):
        len(f)
    assert len(f) == 12
    assert greens([f[k] for k in range(12)]) == pytest.approx(range(12), abs=1.2)


@pytest.mark.parametrize("kept", [0, 5])
def test_what_memory_may_not_hold_waits_in_a_file(tmp_path, kept):
    frames = np.random.default_rng(0).integers(0, 256, (12, 16, 20, 3), np.uint8)
    f = open_frames(encode(tmp_path / "a.mkv", frames, "ffv1", "bgr0"), keep=kept * frames[0].nbytes)
    for k in (11, 0, 4, 5, 6, 2):
        assert torch.equal((f[k] * 255).round().byte(), torch.from_numpy(frames[k].transpose(2, 0, 1)))
    assert len(f._kept._here) == kept
    file = f._kept._file
    del f
    gc.collect()
    assert file.closed


@pytest.mark.long
def test_a_long_film_takes_no_more_memory(tmp_path):
    flat = np.zeros((240, 320, 3), np.uint8)
    path = encode(tmp_path / "a.mp4", (flat + k % 200 for k in range(400)), options={"preset": "ultrafast"})
    tracemalloc.start()
    try:
        whole = open_frames(path, colour="rgb", keep=4_000_000)  # of 92 million bytes
        assert len(whole) == 400
        assert whole[399].mean().item() == pytest.approx(199 / 255, abs=0.02)
        assert sum(frame.shape[0] for frame in whole.stream()) == 1200
        assert tracemalloc.get_traced_memory()[1] < 14_000_000
    finally:
        tracemalloc.stop()


def test_grey_films_are_grey(tmp_path):
    grey = [np.full((32, 32, 3), 10 * k, np.uint8) for k in range(12)]
    f = open_frames(encode(tmp_path / "a.mp4", grey))
    assert f.visible == 1
    assert [frame.mean().item() * 255 for frame in f] == pytest.approx(range(0, 120, 10), abs=2)
    fade = [np.zeros((48, 64, 3), np.uint8)] * 20 + steps(20)  # black at first
    assert open_frames(encode(tmp_path / "b.mp4", fade)).visible == 3


def damaged(path, frames, *codec) -> str:
    """A film whose middle is overwritten."""
    encode(path, frames, *codec)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 3000] = b"\xff" * 3000
    path.write_bytes(data)
    return str(path)


def test_a_broken_grey_film_is_read_up_to_there(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 1), np.uint8).repeat(3, 3)
    f = open_frames(damaged(tmp_path / "a.mp4", grey))
    assert f[0].shape == (1, 32, 32)
    with pytest.raises(UserError, match="broken or cut short after frame"):
        len(f)


def test_a_film_that_ends_before_its_time_is_told(tmp_path):
    """A reader of Matroska that loses its way ends without a word."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    f = open_frames(damaged(tmp_path / "a.mkv", noise), colour="rgb")
    with pytest.warns(UserWarning, match=r"a.mkv: \d+ frames could be read, of 20 that it speaks of; is it broken"):
        assert 5 < len(f) < 15


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, -1), (180, 2)])
def test_films_of_a_tilted_phone_stand_upright(tmp_path, rotation, turns):
    picture = np.array(corners(64).resize((128, 64), Image.Resampling.NEAREST))
    lying = np.ascontiguousarray(np.rot90(picture, -turns))
    f = open_frames(encode(tmp_path / "a.mp4", [lying] * 3, rotation=rotation))
    assert f.size == (64, 128)
    torch.testing.assert_close(f[0], torch.from_numpy(picture.transpose(2, 0, 1)) / 255, atol=0.25, rtol=0)


def test_pixels_become_square(tmp_path):
    f = open_frames(encode(tmp_path / "a.mkv", steps(2), aspect=2))
    assert f.size == (48, 128)


def test_alpha(tmp_path):
    clear = np.zeros((4, 16, 16, 4), np.uint8)
    clear[..., 1], clear[..., 3] = 255, 51
    path = encode(tmp_path / "a.mkv", clear, "ffv1", "bgra")
    assert open_frames(path)[0][:, 3, 3].tolist() == pytest.approx([0, 0.2, 0], abs=1e-6)
    assert open_frames(path, background=1.0)[0][:, 3, 3].tolist() == pytest.approx([0.8, 1, 0.8], abs=1e-6)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("part", [0.05, 0.4, 0.97])
def test_films_that_are_cut_short(tmp_path, name, part):
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    options = {"movflags": "faststart"} if name == "a.mp4" else {}  # the index first, so that its head is whole
    encode(path, noise, *KINDS[name], options=options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(UserError, match="cut short|broken") as told:
        open_frames(path)
    assert "\n" not in str(told.value)


def test_a_film_that_says_no_length_and_is_cut_short(tmp_path):
    """What is there can be read; that a frame is not whole is told, and never taken for the end."""
    path = tmp_path / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    encode(path, noise, "libx264", options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat")
    data[at - 4 : at] = bytes(4)  # up to the end of the file, wherever that is
    path.write_bytes(data[: at + (len(data) - at) * 3 // 4])
    f = open_frames(path, colour="rgb")
    assert f[2].shape == (3, 32, 32)
    with pytest.raises(UserError, match="broken or cut short after frame"):
        len(f)


def test_frames_too_large_to_decode_are_refused(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mp4", steps(2, 480, 640))
    monkeypatch.setattr("planaria.data.viewing.MOST_PIXELS", 640 * 480 - 1)
    with pytest.raises(UserError, match="frames of 640x480 pixels are too large"):
        open_frames(path)


def test_films_that_are_none(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"")
    with pytest.raises(UserError, match="is empty"):
        open_frames(path)
    for content in (b"miaow" * 100, b"#EXTM3U\nhttp://127.0.0.1/a.ts\n", b"ffconcat version 1.0\nfile /etc/passwd\n"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="no video known here"):
            open_frames(path)
    with av.open(str(path), "w", format="mov") as box:
        stream = box.add_stream("pcm_s16le", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), "s16", "mono")
        sound.rate = 44100
        box.mux(stream.encode(sound))
    with pytest.raises(UserError, match="holds no pictures"):
        open_frames(path)


def test_a_film_broken_in_the_middle(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    f = open_frames(damaged(tmp_path / "a.avi", noise, "mjpeg", "yuvj420p"))
    for _ in range(2):  # told each time, and never taken for the end
        with pytest.raises(UserError, match=r"broken or cut short after frame \d+"):
            len(f)
    assert f[0].shape == (3, 32, 32)


def test_the_extra_is_named(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mp4", steps(2))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"reading .mp4 needs an optional dependency: .*\.\[video\]"):
        open_frames(path)
    with pytest.raises(UserError, match=r"writing .mp4 needs .*\.\[video\]"):
        write_mp4(steps(2), tmp_path / "b.mp4", 25)
    assert not (tmp_path / "b.mp4").exists()


@pytest.mark.parametrize("fps", [25, 12.5, 30000 / 1001])
def test_written_films(tmp_path, fps):
    path = tmp_path / "new" / "a.mp4"
    assert write_mp4(iter(steps(20, 47, 63)), path, fps) == 20
    f = open_frames(path)
    assert (len(f), f.size) == (20, (48, 64))
    assert f.fps == pytest.approx(fps)
    assert greens(f) == pytest.approx(range(20), abs=1.2)
    assert f[3][:, 20, 10].tolist() == pytest.approx([1, 0, 0], abs=0.02)
    assert [p.name for p in path.parent.iterdir()] == ["a.mp4"]


def test_a_film_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.mp4"
    write_mp4(steps(3), path, 25)
    before = path.read_bytes()

    def failing():
        yield from steps(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mp4(failing(), path, 25)
    with pytest.raises(UserError, match="no frames"):
        write_mp4([], path, 25)
    with pytest.raises(UserError, match="can't write"):
        write_mp4(steps(2), path / "b.mp4", 25)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
