"""Frames of folders and simulators: in order, exact, in bounded memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.pictures import corners, header, save
from PIL import Image

from planaria.data.frames import open_frames, whole_frames, write_frames
from planaria.data.sources import natural
from planaria.errors import UserError

LENIA = Path(__file__).resolve().parents[3] / "shared" / "data" / "lenia"


def folder(path: Path, frames, suffix: str = "png") -> Path:
    path.mkdir()
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(path / f"f{k}.{suffix}")
    return path


def noise(n: int, h: int = 6, w: int = 10, c: int = 3) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, h, w, c), np.uint8)


def test_8_bits_are_exact(tmp_path):
    frames = noise(3)
    f = open_frames(folder(tmp_path / "a", frames))
    assert (len(f), f.visible, f.size, f.fps, f.depth, f.expected) == (3, 3, (6, 10), 30.0, 8, 3)
    assert f[1].dtype == torch.float32
    want = torch.from_numpy(frames.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
    assert torch.equal(f.stack(0, 3), want)
    assert torch.equal(f[-1], want[2])
    assert torch.equal(torch.stack(list(f)), want)
    assert torch.equal(torch.stack(list(f.stream(1))), want[1:])
    for k in (3, -4):
        with pytest.raises(IndexError, match=r"has 3 frames"):
            f[k]
    for i, j in ((0, 4), (2, 2), (-1, 1)):
        with pytest.raises(IndexError):
            f.stack(i, j)


def test_order_is_that_of_numbers(tmp_path):
    for name in ("shot10.png", "shot2.png", "shot1.png", "shot02b.png", "Shot3.png"):
        level = int("".join(c for c in name if c.isdigit()))
        save(tmp_path / name, Image.new("L", (2, 2), level))
    (tmp_path / "notes.txt").write_text("5")
    (tmp_path / "9.gif").write_bytes(b"GIF89a")
    (tmp_path / ".shot4.png.part").write_bytes(b"")
    (tmp_path / "._shot5.png").write_bytes(b"what a Mac leaves behind")
    f = open_frames(tmp_path)
    assert [round(v.item() * 255) for v in f.stack(0, len(f))[:, 0, 0, 0]] == [1, 2, 2, 3, 10]
    names = ["a2b10", "a2b9", "a10", "10", "9", "b", "a02"]
    assert sorted(map(Path, names), key=natural) == [Path(n) for n in ("9", "10", "a02", "a2b9", "a2b10", "a10", "b")]


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "jpg"])
def test_red_stays_red(tmp_path, suffix):
    image = np.zeros((1, 8, 8, 3), np.uint8)
    image[..., 0] = 255
    f = open_frames(folder(tmp_path / "a", image, suffix))
    assert f[0][:, 4, 4].tolist() == pytest.approx([1, 0, 0], abs=0.02 if suffix in ("jpg", "webp") else 0)


def test_every_start_count(tmp_path):
    path = folder(tmp_path / "a", np.arange(10, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2))

    def levels(**options) -> list[int]:
        f = open_frames(path, **options)
        assert len(list(f)) == len(f) == f.expected
        return [round(frame[0, 0, 0].item() * 255) for frame in f]

    assert levels(every=3) == [0, 3, 6, 9]
    assert levels(every=3, start=1) == [1, 4, 7]
    assert levels(every=4, start=1, count=2) == [1, 5]
    assert levels(count=99) == list(range(10))
    assert open_frames(path, every=2).fps == 15
    assert [round(v.mean().item() * 255) for v in open_frames(path, every=2, start=1).stream(3)] == [7, 9]


def test_area_is_averaged_once(tmp_path):
    image = np.array([[[0, 0, 8, 9], [1, 0, 9, 9]]], np.uint8).repeat(2, 1).repeat(2, 2)
    path = folder(tmp_path / "a", image)  # two cells, each of sixteen pixels
    f = open_frames(path, size=2)
    assert f.size == (1, 2)
    assert (f[0][0] * 255).round().tolist() == [[0, 9]]  # the means are 0.25 and 8.75
    wide = np.zeros((1, 2, 2, 3), np.uint8)
    wide[0, 0, 1], wide[0, 1, 1] = (100, 40, 8), (100, 40, 12)
    assert (open_frames(folder(tmp_path / "b", wide), size=1)[0].flatten() * 255).tolist() == [50, 20, 5]


def test_enlarging_repeats(tmp_path):
    frames = noise(1, 3, 4)
    x = open_frames(folder(tmp_path / "a", frames), size=12)[0]
    small = torch.from_numpy(frames[0].transpose(2, 0, 1)) / 255
    assert torch.equal(x, small.repeat_interleave(3, 1).repeat_interleave(3, 2))


@pytest.mark.parametrize(("shape", "want"), [((40, 80), (10, 20)), ((90, 30), (20, 7)), ((1, 200), (1, 20))])
def test_aspect_is_kept(tmp_path, shape, want):
    path = folder(tmp_path / "a", np.zeros((1, *shape), np.uint8))
    f = open_frames(path, size=20)
    assert f.size == tuple(f[0].shape[1:]) == want


def test_crop(tmp_path):
    frames = noise(2, 6, 10)
    path = folder(tmp_path / "a", frames)
    whole = open_frames(path)[1]
    assert torch.equal(open_frames(path, crop="square")[1], whole[:, :, 2:8])
    assert torch.equal(open_frames(path, crop=" 1, 2,5,3")[1], whole[:, 2:5, 1:6])
    f = open_frames(path, crop="0,0,4,2", size=2)
    assert f.size == (1, 2)
    assert f[0][0, 0, 0].item() == pytest.approx(frames[0, :2, :2, 0].mean() / 255, abs=0.5 / 255)
    for crop in ("0,0,11,2", "0,5,2,2", "0,0,0,2", "1,2,3", "middle", "-1,0,2,2", "0.5,0,2,2"):
        with pytest.raises(UserError, match="crop"):
            open_frames(path, crop=crop)


def test_colour(tmp_path):
    grey = folder(tmp_path / "grey", noise(2, c=1)[..., 0])
    plain = folder(tmp_path / "plain", noise(2, c=1).repeat(3, 3))
    one = noise(20, c=1).repeat(3, 3)
    one[19, 3, 3] = 5, 9, 5
    late = folder(tmp_path / "late", one)
    assert [open_frames(p).visible for p in (grey, plain, late)] == [1, 1, 3]
    assert torch.equal(open_frames(grey)[1], open_frames(plain)[1])
    assert torch.equal(open_frames(grey, colour="rgb")[1], open_frames(plain, colour="rgb")[1])
    rgb = noise(1)
    x = open_frames(folder(tmp_path / "rgb", rgb), colour="grey")
    want = torch.from_numpy(np.rint(rgb[0] @ np.array([0.299, 0.587, 0.114])) / 255)
    torch.testing.assert_close(x[0][0].double(), want, atol=1e-7, rtol=0)
    with pytest.raises(UserError, match=r"unknown colour 'gray'.*Did you mean 'grey'"):
        open_frames(grey, colour="gray")


def test_a_colour_that_nobody_saw_is_told(tmp_path):
    """A look at a few frames says grey; one between them is not, and that is said, not lost."""
    frames = noise(40, c=1).repeat(3, 3)
    frames[1, 2, 2] = 250, 0, 0
    f = open_frames(folder(tmp_path / "a", frames))
    assert f.visible == 1
    with pytest.raises(UserError, match="frame 1 is in colour: say colour=rgb"):
        f[1]
    assert open_frames(tmp_path / "a", colour="grey")[1].shape == (1, 6, 10)


def test_transparency_lies_on_a_background(tmp_path):
    image = np.zeros((1, 2, 2, 4), np.uint8)
    image[..., 0], image[0, 0, 0, 3], image[0, 1, 1, 3] = 255, 255, 51
    path = folder(tmp_path / "a", image)
    x = open_frames(path)[0]
    assert x[:, 0, 0].tolist() == [1, 0, 0]
    assert x[:, 1, 1].tolist() == pytest.approx([0.2, 0, 0])
    assert x[:, 0, 1].tolist() == [0, 0, 0]
    x = open_frames(path, background=1.0)[0]
    assert x[:, 1, 1].tolist() == pytest.approx([1, 0.8, 0.8])
    assert x[:, 0, 1].tolist() == [1, 1, 1]
    small = open_frames(path, size=1, background=1.0)[0].flatten()
    assert small.tolist() == pytest.approx([1, (0 + 0.8 + 1 + 1) / 4, 0.7], abs=0.5 / 255)
    image[..., :3] = 7, 8, 9
    image[..., 3] = 0
    assert open_frames(folder(tmp_path / "b", image)).visible == 1  # what is not seen has no colour


def test_16_bits(tmp_path):
    levels = np.array([[[0, 1], [300, 65535]]], np.uint16)
    path = folder(tmp_path / "a", levels)
    Image.fromarray(np.array([[0, 1], [128, 255]], np.uint8)).save(path / "z.png")
    f = open_frames(path)
    assert (f.visible, f.depth) == (1, 16)
    assert torch.equal(f[0][0], torch.from_numpy(levels[0].astype(np.float32) / np.float32(65535)))
    assert torch.equal(f[1][0], torch.tensor([[0, 1], [128, 255]]) / 255)  # 8 bits among them are no darker
    assert open_frames(path, colour="rgb")[0].shape == (3, 2, 2)
    assert open_frames(path, size=1)[0].item() == pytest.approx((0 + 1 + 300 + 65535) / 4 / 65535, abs=1e-5)
    write_frames(f, tmp_path / "b", depth=16)
    assert torch.equal(open_frames(tmp_path / "b").stack(0, 2), f.stack(0, 2))


def test_lying_pictures_stand_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    folder(tmp_path / "a", [])
    turned = corners(16).crop((0, 0, 16, 8)).transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "a" / "1.png", exif=exif)
    corners(16).crop((0, 0, 16, 8)).save(tmp_path / "a" / "2.png")
    f = open_frames(tmp_path / "a")
    assert f.size == (8, 16)
    assert torch.equal(f[0], f[1])


def test_one_picture_is_a_film_of_one(tmp_path):
    f = open_frames(save(tmp_path / "a.jpg", Image.new("RGB", (5, 4), "red")))
    assert (len(f), f.size) == (1, (4, 5))


@pytest.mark.parametrize("options", [{"size": -1}, {"size": 5000}, {"every": 0}, {"count": -1}, {"start": -1},
                                     {"background": 2.0}, {"start": 2}])  # fmt: skip
def test_settings_out_of_range(tmp_path, options):
    path = folder(tmp_path / "a", noise(2))
    with pytest.raises(UserError, match=next(iter(options))):
        open_frames(path, **options)


def test_folders_without_film(tmp_path):
    with pytest.raises(UserError, match=r"no frames .*; give a folder of pictures, a video file, or sim:NAME"):
        open_frames(tmp_path / "nothing")
    path = folder(tmp_path / "frames", [])
    with pytest.raises(UserError, match="holds no frames"):
        open_frames(path)
    with pytest.raises(UserError, match="Did you mean '.*frames'"):
        open_frames(tmp_path / "frame")
    (path / "a.txt").write_text("a")
    with pytest.raises(UserError, match="is no video"):
        open_frames(path / "a.txt")
    Image.new("RGB", (4, 4)).save(path / "1.png")
    Image.new("RGB", (4, 5)).save(path / "2.png")
    with pytest.raises(UserError, match=r"one size, but 2.png is 4x5 pixels and 1.png 4x4"):
        open_frames(path)
    Image.new("RGB", (5, 4)).save(path / "1.png")  # lying beside standing: seen when it is read
    with pytest.raises(UserError, match="one size"):
        open_frames(path)[1]


def test_broken_pictures(tmp_path):
    path = folder(tmp_path / "a", noise(3))
    whole = (path / "f1.png").read_bytes()
    (path / "f1.png").write_bytes(whole[:-60])
    f = open_frames(path, colour="rgb")
    with pytest.raises(UserError, match=r"f1.png' is broken or cut short"):
        f[1]
    assert f[2].shape == (3, 6, 10)
    for content, said in ((b"", "f1.png"), (header(40_000, 40_000), "million pixels")):
        (path / "f1.png").write_bytes(content)
        with pytest.raises(UserError, match=said):
            open_frames(path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="is empty"):
        open_frames(tmp_path / "a.png")


def test_a_folder_keeps_no_more_than_it_may(tmp_path):
    frames = noise(30, 40, 50)
    path = folder(tmp_path / "a", frames)
    f = open_frames(path, keep=3 * 40 * 50 * 3)
    for _ in range(2):
        for k in (5, 29, 0, 7, 5, 11):
            assert torch.equal(f[k] * 255, torch.from_numpy(frames[k].transpose(2, 0, 1)).float())
    assert len(f._kept) == 3
    big = open_frames(path, size=400, keep=0)  # 30 frames of 400x320, float32: 46 MB
    tracemalloc.start()
    try:
        for frame in big:
            assert frame.shape == (3, 320, 400)
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_simulators_are_films():
    f = open_frames("sim:life,size=16", count=4, start=3, every=2)
    assert (len(f), f.visible, f.size, f.depth, f.fps) == (4, 1, (16, 16), 32, 15)
    whole = open_frames("sim:life,size=16", count=10)
    assert torch.equal(f.stack(0, 4), whole.stack(0, 10)[3::2])
    assert set(whole[9].unique().tolist()) <= {0.0, 1.0}
    assert 0 < whole[9].mean() < 1
    smooth = open_frames("sim:lenia,size=24", count=2)
    assert len((smooth[1] * 255).round().sub(smooth[1] * 255).abs().gt(1e-3).nonzero())  # not cut to 8 bits
    assert open_frames("sim:life,size=16", count=1, size=8, colour="rgb")[0].shape == (3, 8, 8)
    assert len(open_frames("sim:life,size=8")) == 200
    with pytest.raises(UserError, match="unknown simulator 'lief'"):
        open_frames("sim:lief")


def test_written_frames_are_the_same(tmp_path):
    rgb = open_frames(folder(tmp_path / "a", noise(12)))
    assert write_frames(rgb, tmp_path / "new" / "b") == 12
    assert sorted(p.name for p in (tmp_path / "new" / "b").iterdir())[10] == "000010.png"
    assert torch.equal(open_frames(tmp_path / "new" / "b").stack(0, 12), rgb.stack(0, 12))
    grey = torch.rand(2, 1, 5, 7)
    assert write_frames(grey, tmp_path / "c", first=3) == 2
    with Image.open(tmp_path / "c" / "000004.png") as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), (grey[1, 0] * 255).round().byte().numpy())
    with pytest.raises(UserError, match="1 channel"):
        write_frames(torch.rand(1, 4, 2, 2), tmp_path / "d")
    with pytest.raises(UserError, match="can't write"):
        write_frames(grey, tmp_path / "c" / "000004.png")


def test_frames_that_are_whole_are_counted(tmp_path):
    assert whole_frames(tmp_path) == 0
    write_frames(torch.rand(5, 3, 4, 4), tmp_path)
    assert whole_frames(tmp_path) == 5
    (tmp_path / "000003.png").write_bytes((tmp_path / "000003.png").read_bytes()[:-1])
    assert whole_frames(tmp_path) == 3
    (tmp_path / "000001.png").write_bytes(b"")
    assert whole_frames(tmp_path) == 1


def test_real_frames_score_what_they_are_known_to():
    if not LENIA.is_dir():
        pytest.skip("no shared/ folder beside the checkout")
    f = open_frames(LENIA, size=96)
    x = f.stack(0, len(f))
    assert x.shape == (100, 3, 54, 96)
    assert (x[90:] - x[89:-1]).square().mean().item() == pytest.approx(0.00295, abs=1e-5)
