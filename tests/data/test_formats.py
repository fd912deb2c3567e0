"""Files of pictures: which way is up, what a TIFF may hold, how many frames there are."""

import struct
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import CORNERS, corners, save
from helpers.reels import gif
from PIL import Image, features

from planaria.data.frames import open_frames
from planaria.data.images import open_image, picture
from planaria.errors import UserError

AVIF = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", pytest.param("avif", marks=AVIF)])
@pytest.mark.parametrize("turn", [3, 5, 6])
def test_any_format_stands_upright(tmp_path, suffix, turn):
    lying = {3: corners().rotate(180), 5: corners().transpose(Image.Transpose.TRANSPOSE), 6: corners().rotate(90)}
    exif = Image.Exif()
    exif[0x0112] = turn
    exact = {"webp": {"lossless": True}, "avif": {"quality": 100, "subsampling": "4:4:4"}}.get(suffix, {})
    source = save(tmp_path / f"a.{suffix}", lying[turn], exif=exif, **exact)
    assert np.asarray(open_image(source))[4::8, 4::8, :3] == pytest.approx(CORNERS, abs=4)
    frame = open_frames(source, colour="rgb")[0] * 255
    assert frame[:, 4::8, 4::8].permute(1, 2, 0).numpy() == pytest.approx(CORNERS, abs=4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"])
def test_a_tiff_of_any_mode(tmp_path, mode):
    image = Image.new("RGB", (6, 6), "white")
    if mode in ("I;16", "I"):
        image = Image.fromarray(np.full((6, 6), 65535, np.uint16 if mode == "I;16" else np.int32))
    elif mode == "F":
        image = Image.fromarray(np.ones((6, 6), np.float32))
    elif mode == "LAB":
        image = Image.merge("LAB", [Image.new("L", (6, 6), level) for level in (255, 128, 128)])
    else:
        image = image.convert("RGBA").convert(mode) if mode == "LA" else image.convert(mode)
    for name in ("a.tif", "a.TIFF"):
        x = picture(save(tmp_path / name, image), 6)
        assert x.min().item() == pytest.approx(1, abs=0.01)


def test_16_bits_of_a_tiff_in_either_order_and_white_as_nothing(tmp_path):
    levels = np.arange(16, dtype=np.uint16).reshape(4, 4) * 4000

    def tiff(order: str, white_is_zero: bool) -> bytes:
        tags = [(256, 3, 4), (257, 3, 4), (258, 3, 16), (259, 3, 1), (262, 3, int(not white_is_zero))]
        tags += [(273, 4, 8), (277, 3, 1), (278, 3, 4), (279, 4, 32)]
        mark = b"II*\0" if order == "<" else b"MM\0*"
        entries = b"".join(
            struct.pack(f"{order}HHI{'HH' if kind == 3 else 'I'}", tag, kind, 1, *([n, 0] if kind == 3 else [n]))
            for tag, kind, n in tags
        )
        pixels = levels.astype(f"{order}u2").tobytes()
        ifd = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
        return mark + struct.pack(f"{order}I", 8 + 32) + pixels + ifd

    path = tmp_path / "a.tif"
    for order, white_is_zero in (("<", False), (">", False), ("<", True)):
        path.write_bytes(tiff(order, white_is_zero))
        seen = np.asarray(open_image(path))
        want = levels / 65535
        assert seen == pytest.approx(1 - want if white_is_zero else want, abs=1e-6)
    path.write_bytes(tiff(">", True))
    with pytest.raises(UserError, match="it begins like a TIFF picture, but can't be read"):
        open_image(path)


def test_numbers_that_are_no_levels_are_refused(tmp_path):
    for numbers in (np.full((4, 4), 3.5, np.float32), np.full((4, 4), -1, np.int32), np.full((4, 4), np.nan)):
        source = save(tmp_path / "a.tif", Image.fromarray(numbers.astype(np.float32 if numbers.dtype != int else int)))
        with pytest.raises(UserError, match="has numbers from .*; save it with levels of 8 or 16 bits"):
            open_image(source)


def test_a_tiff_that_declares_too_much_is_not_decoded(tmp_path):
    source = Path(save(tmp_path / "a.tif", Image.new("L", (4, 4))))
    data = bytearray(source.read_bytes())
    ifd = struct.unpack("<I", data[4:8])[0]
    for k in range(struct.unpack("<H", data[ifd : ifd + 2])[0]):
        at = ifd + 2 + 12 * k
        if struct.unpack("<H", data[at : at + 2])[0] in (256, 257):
            data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 9000)
    source.write_bytes(data)
    with pytest.raises(UserError, match=r"81\.0 million pixels; the limit is 50"):
        open_image(source)


def test_pages_of_one_size_are_frames_and_others_are_one_still(tmp_path):
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    stack = save(tmp_path / "a.tif", pages[0], save_all=True, append_images=pages[1:])
    assert len(open_frames(stack)) == 3
    assert open_frames(stack)[2][2].min() == 1
    assert np.asarray(open_image(f"{stack}#1"))[0, 0].tolist() == [0, 255, 0, 255]
    with pytest.raises(UserError, match="it has 0 to 2"):
        open_image(f"{stack}#3")
    scan = save(tmp_path / "b.tif", pages[0], save_all=True, append_images=[pages[1].resize((4, 4))])
    assert len(open_frames(scan)) == 1


def test_16_bits_of_a_stack_are_kept(tmp_path):
    pages = [Image.fromarray(np.full((4, 4), 1000 + k, np.uint16)) for k in range(3)]
    film = open_frames(save(tmp_path / "a.tif", pages[0], save_all=True, append_images=pages[1:]))
    assert film.depth == 16
    assert [round(frame.mean().item() * 65535) for frame in film] == [1000, 1001, 1002]


@AVIF
def test_avif_stands_and_moves(tmp_path):
    still = save(tmp_path / "a.avif", Image.new("RGBA", (16, 16), (255, 0, 0, 128)), quality=100)
    assert np.asarray(open_image(still))[8, 8].tolist() == pytest.approx([255, 0, 0, 128], abs=3)
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    moving = save(tmp_path / "b.avif", frames[0], save_all=True, append_images=frames[1:], duration=50)
    film = open_frames(moving)
    assert len(film) == 2
    assert film.fps == 20
    assert np.asarray(open_image(f"{moving}#1"))[8, 8].tolist() == pytest.approx([0, 0, 255, 255], abs=4)


def test_a_photo_of_a_phone_is_one_still(tmp_path):
    beside = Image.new("RGB", (16, 16), "blue")
    source = save(tmp_path / "a.jpg", corners(), format="MPO", save_all=True, append_images=[beside], quality=95)
    with Image.open(source) as image:
        assert image.n_frames == 2
    assert len(open_frames(source)) == 1
    assert np.asarray(open_image(source))[3, 3].tolist() == pytest.approx([255, 0, 0, 255], abs=8)


@pytest.mark.parametrize("count", [1, 3])
def test_frames_of_an_animation_count_from_its_first(tmp_path, count):
    """An APNG may begin with a picture for readers that don't animate: it shows, but is no frame."""
    cover = Image.new("RGB", (8, 8), "white")
    frames = [Image.new("RGB", (8, 8), (40 * k, 0, 0)) for k in range(1, count + 1)]
    source = save(tmp_path / "cover.png", cover, save_all=True, default_image=True, append_images=frames)
    film = open_frames(source, colour="rgb")
    assert len(film) == count
    assert np.asarray(open_image(source))[0, 0].tolist() == [255, 255, 255, 255]
    for k in range(count):
        same = np.asarray(open_image(f"{source}#{k}"))[..., :3]
        assert np.array_equal(same, (film[k] * 255).round().byte().permute(1, 2, 0).numpy())
    with pytest.raises(UserError, match=f"it has 0 to {count - 1}"):
        open_image(f"{source}#{count}")


def test_local_transparency_of_gif_frames(tmp_path):
    data = gif((4, 4), [{"colour": 1}, {"at": (1, 1), "size": (2, 2), "colour": 2, "clear": 2}, {"colour": 3}])
    (tmp_path / "a.gif").write_bytes(data)
    film = open_frames(tmp_path / "a.gif", colour="rgb")
    assert film[1].permute(1, 2, 0).reshape(-1, 3).unique(dim=0).tolist() == [[1, 0, 0]]
    assert film[2].permute(1, 2, 0).reshape(-1, 3).unique(dim=0).tolist() == [[0, 0, 1]]
