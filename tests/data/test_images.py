"""Every kind of picture as a target."""

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.pictures import RED, corners, pixel, save
from PIL import Image

from planaria.data import builtin
from planaria.data.images import SUFFIXES, name_of, open_image, picture
from planaria.errors import UserError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "targets"


def test_premultiplied(tmp_path):
    source = save(tmp_path / "a.png", Image.new("RGBA", (8, 8), (255, 0, 0, 128)))
    x = picture(source, 8)
    assert x.shape == (4, 8, 8)
    assert x.dtype == torch.float32
    assert pixel(x, 4, 4) == (0.502, 0, 0, 0.502)


def test_no_dark_fringe(tmp_path):
    """Hidden colours must not leak: a red disc on transparent blue stays red as its edge fades."""
    image = Image.new("RGBA", (101, 101), (0, 0, 255, 0))
    yy, xx = np.mgrid[:101, :101] - 50
    array = np.array(image)
    array[yy**2 + xx**2 < 40**2] = (255, 0, 0, 255)
    x = picture(save(tmp_path / "a.png", Image.fromarray(array)), 23)
    edge = (x[3] > 0.05) & (x[3] < 0.95)
    assert edge.sum() > 20
    torch.testing.assert_close(x[0][edge] / x[3][edge], torch.ones(int(edge.sum())), atol=1e-4, rtol=0)
    assert x[1].abs().max() == 0
    assert x[2].abs().max() == 0
    assert (x >= 0).all()
    assert (x <= 1).all()
    assert (x[:3] <= x[3]).all()


@pytest.mark.parametrize(
    ("shape", "size", "want"), [((80, 40), 40, (20, 40)), ((30, 90), 12, (12, 4)), ((3, 5), 40, (40, 24))]
)
def test_longest_side_and_padding(tmp_path, shape, size, want):
    source = save(tmp_path / "a.png", Image.new("RGB", shape, "red"))
    assert picture(source, size).shape == (4, *want)
    x = picture(source, size, 5)
    assert x.shape == (4, want[0] + 10, want[1] + 10)
    inside = torch.zeros_like(x[3], dtype=torch.bool)
    inside[5:-5, 5:-5] = True
    assert (x[3][inside] == 1).all()
    assert (x[:, ~inside] == 0).all()


@pytest.mark.parametrize("size", [9, 40, 90])
def test_colour_is_never_more_than_cover(tmp_path, size):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 4), np.uint8)
    x = picture(save(tmp_path / "a.png", Image.fromarray(noise)), size)
    assert (x >= 0).all()
    assert (x[:3] <= x[3]).all()


def test_a_line_keeps_one_cell(tmp_path):
    assert picture(save(tmp_path / "a.png", Image.new("RGB", (2000, 1))), 10).shape == (4, 1, 10)


def test_opaque_stays_opaque(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
    for size in (7, 40, 200):
        assert (picture(save(tmp_path / "a.png", Image.fromarray(noise)), size)[3] == 1).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes(tmp_path, mode):
    image = Image.new("RGB", (6, 6), "white").convert(mode)
    assert pixel(picture(save(tmp_path / "a.png", image), 6)) == (1, 1, 1, 1)


def test_cmyk(tmp_path):
    source = save(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=100)
    assert pixel(picture(source, 8)) == pytest.approx(RED, abs=0.02)


def test_grey_with_alpha(tmp_path):
    source = save(tmp_path / "a.png", Image.new("LA", (6, 6), (200, 51)))
    assert pixel(picture(source, 6)) == (0.1569, 0.1569, 0.1569, 0.2)


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 255, 0, 255, 0, 0])
    image.putpixel((0, 0), 0)
    x = picture(save(tmp_path / "a.png", image, transparency=0), 4)
    assert pixel(x) == (0, 0, 0, 0)
    assert pixel(x, 2, 2) == RED
    x = picture(save(tmp_path / "b.png", image, transparency=bytes([255, 51])), 4)
    assert pixel(x, 2, 2) == (0.2, 0, 0, 0.2)


def test_transparent_colour_of_rgb(tmp_path):
    image = Image.new("RGB", (4, 4), "red")
    image.putpixel((0, 0), (0, 255, 0))
    x = picture(save(tmp_path / "a.png", image, transparency=(0, 255, 0)), 4)
    assert pixel(x) == (0, 0, 0, 0)
    assert pixel(x, 2, 2) == RED


def test_16_bit_grey_is_scaled(tmp_path):
    levels = np.full((4, 4), 32768, np.uint16)
    levels[0, 0], levels[3, 3] = 65535, 300
    source = save(tmp_path / "a.png", Image.fromarray(levels))
    x = picture(source, 4)
    assert pixel(x, 1, 1) == (0.5, 0.5, 0.5, 1)
    assert pixel(x) == (1, 1, 1, 1)
    assert x[0, 3, 3].item() == pytest.approx(300 / 65535, abs=1e-6)  # below 8 bits: not rounded
    assert open_image(source).mode == "F"


def test_16_bit_grey_with_a_transparent_level(tmp_path):
    levels = np.full((4, 4), 32768, np.uint16)
    levels[0, 0] = 7
    path = tmp_path / "a.png"
    Image.fromarray(levels).save(path)
    data = path.read_bytes()
    trns = b"tRNS" + struct.pack(">H", 7)
    at = data.index(b"IDAT") - 4
    path.write_bytes(data[:at] + struct.pack(">I", 2) + trns + struct.pack(">I", zlib.crc32(trns)) + data[at:])
    x = picture(str(path), 4)
    assert pixel(x) == (0, 0, 0, 0)
    assert x[3, 1, 1] == 1
    assert x[0, 1, 1].item() == pytest.approx(0.5, abs=0.003)


@pytest.mark.parametrize(
    ("suffix", "options"), [("jpg", {"quality": 95}), ("webp", {"lossless": True}), ("bmp", {}), ("gif", {})]
)
def test_formats(tmp_path, suffix, options):
    x = picture(save(tmp_path / f"a.{suffix}", corners(), **options), 16)
    assert pixel(x, 3, 3) == pytest.approx(RED, abs=0.03)
    assert pixel(x, 12, 3) == pytest.approx((0, 0, 1, 1), abs=0.03)


# The picture as it should be seen, stored as each orientation stores it: what a camera held that way writes.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    array = np.asarray(corners().crop((0, 0, 16, 12)))
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](array)))
    x = picture(save(tmp_path / "a.jpg", stored, exif=exif, quality=95), 16)
    assert x.shape == (4, 12, 16)
    assert pixel(x, 2, 2) == pytest.approx(RED, abs=0.04)
    assert pixel(x, 2, 13) == pytest.approx((0, 1, 0, 1), abs=0.04)
    assert pixel(x, 10, 2) == pytest.approx((0, 0, 1, 1), abs=0.04)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_frames(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    source = save(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:], duration=100, **options)
    assert pixel(picture(source, 8)) == RED
    assert pixel(picture(source + "#0", 8)) == RED
    assert pixel(picture(source + "#2", 8)) == (0, 0, 1, 1)
    with pytest.raises(UserError, match=r"asks for a frame that is not there; it has 0 to 2"):
        picture(source + "#3", 8)


def test_all_transparent(tmp_path):
    with pytest.raises(UserError, match="nothing to grow: every pixel is transparent"):
        picture(save(tmp_path / "a.png", Image.new("RGBA", (8, 8), (255, 0, 0, 0))))


@pytest.mark.parametrize(("size", "padding"), [(0, 0), (4097, 0), (40, -1), (40, 4097)])
def test_sizes_out_of_range(size, padding):
    with pytest.raises(UserError, match=r"is [01] to 4096 cells, not"):
        picture("lizard", size, padding)


def test_missing_with_a_suggestion(tmp_path, monkeypatch):
    save(tmp_path / "cat.png", corners())
    (tmp_path / "cat.txt").write_text("")
    with pytest.raises(UserError, match=r"no picture '.*cta.png'; .* Did you mean '.*cat.png'\?$"):
        picture(tmp_path / "cta.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no picture 'cta.png'; .* Did you mean 'cat.png'\?$"):
        picture("cta.png")
    with pytest.raises(UserError, match=r"no picture 'lizrad'; .* Did you mean 'lizard'\?$"):
        picture("lizrad")
    with pytest.raises(UserError, match=r"snail\.$"):
        picture("nowhere/zzz.png")
    with pytest.raises(UserError, match="no picture"):
        picture("cat.png/cat.png")


@pytest.mark.parametrize("name", builtin.PICTURES)
def test_built_in(name):
    x = picture(name, 32, 2)
    assert x.shape == (4, 36, 36)
    assert 0.1 < x[3].mean() < 0.9


def test_a_built_in_can_be_large():
    assert max(open_image("lizard", 4096).size) == builtin.MOST


def test_form_decides_between_a_file_and_a_built_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "lizard", corners(), format="PNG")
    assert picture("lizard", 16)[3].min() < 1
    assert (picture("./lizard", 16)[3] == 1).all()
    assert (picture(Path("lizard"), 16)[3] == 1).all()


def test_words():
    x = picture("text:PLANARIA", 40)
    assert x.shape[2] == 40
    assert x.shape[1] < 10
    assert x[:3].max() < 0.2  # dark ink
    assert x[3].max() > 0.95
    ends = x[3].max(dim=0).values[[0, -1]], x[3].max(dim=1).values[[0, -1]]
    assert all(bool((e > 0.1).all()) for e in ends)  # cropped tight
    assert picture(r"text:PLA\nNARIA", 40).shape[1] > 2 * x.shape[1]
    assert picture("text:a://b", 40).shape[2] == 40  # no address
    assert max(open_image("text:Hi", 300).size) == pytest.approx(300, abs=8)


@pytest.mark.parametrize("words", ["", "  ", r"\n", "a" * 201, "漢字", "a\tb"])
def test_words_that_cannot_be_written(words):
    with pytest.raises(UserError, match=r"^text: (takes 1 to 200 letters|has no letter)"):
        picture(f"text:{words}")


def test_medmnist(tmp_path, monkeypatch):
    images = np.arange(3 * 28 * 28, dtype=np.int64).reshape(3, 28, 28).astype(np.uint8)
    np.savez_compressed(tmp_path / "chestmnist.npz", train_images=images, test_images=images[::-1])
    monkeypatch.setenv("MEDMNIST_ROOT", str(tmp_path))
    x = picture("medmnist:chestmnist/1", 28)
    assert (x[3] == 1).all()
    np.testing.assert_allclose(x[0], images[1] / 255, atol=1e-6)
    torch.testing.assert_close(x[0], x[2])
    np.testing.assert_allclose(picture("medmnist:chestmnist/test/0", 28)[0], images[2] / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("cat.png", "cat"),
        ("pictures/My Cat.PNG", "my-cat"),
        ("cat.gif#3", "cat-3"),
        (Path("/a/b.c/dog.jpg"), "dog"),
        ("text:HELLO", "hello"),
        (r"text:PLA\nNARIA", "pla-naria"),
        ("medmnist:chestmnist/17", "chestmnist-17"),
        ("medmnist:chestmnist@64/test/17", "chestmnist-64-test-17"),
        ("🦎", "lizard"),
        ("emoji:🦎", "lizard"),
        ("👩‍🚀", "woman-rocket"),
        ("🇳🇿", "flag-nz"),
        ("https://a.org/x/Caf%C3%A9.jpeg?size=3#top", "cafe"),
        ("https://a.org", "a"),
        ("https://[/cat.png", "cat"),
        ("planarian", "planarian"),
        ("text:../../etc/passwd", "etc-passwd"),
        ("text:a://b", "a-b"),
        ("text:" + "a" * 200, "a" * 60),
    ],
)
def test_names(source, name):
    assert name_of(source) == name


def test_names_of_other_scripts_differ():
    names = {name_of("text:Привет"), name_of("text:Пока")}
    assert len(names) == 2
    assert all(name.startswith("picture-") for name in names)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared targets are not here")
def test_shared_targets():
    for path in sorted(SHARED.glob("*.png")):
        assert path.suffix in SUFFIXES
        x = picture(path, 40)
        assert max(x.shape) == 40
        assert (x[:3] <= x[3]).all()
    assert picture(SHARED / "lizard.png", 40)[3].min() == 0
    assert (picture(SHARED / "chest.png", 40)[3] == 1).all()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'<!doctype html><html><body><svg xmlns="http://www.w3.org/2000/svg"></svg>', "a web page, not the file"),
        (b"\xff\x0a" + b"\x11" * 99, "a JPEG XL picture: save it as PNG or JPEG"),
    ],
)
def test_what_is_none_of_ours_is_told_for_what_it_is(tmp_path, data, told):
    (tmp_path / "cat.png").write_bytes(data)
    with pytest.raises(UserError) as caught:
        open_image(tmp_path / "cat.png")
    assert f"is {told}" in str(caught.value)
    assert not re.search("drawn|can't be read", str(caught.value))


@pytest.mark.parametrize("name", ["", " "])
def test_no_name_is_no_folder(name):
    with pytest.raises(UserError, match="no picture .*; give a picture file"):
        open_image(name)
