"""Pictures of every mode a file may have: their transparency and their colours."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import save
from PIL import Image, ImageCms, features

from planaria.data.frames import open_frames
from planaria.data.images import open_image, picture
from planaria.data.photos import open_photos
from planaria.errors import UserError
from planaria.repaint.files import open_photo

AVIF = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")


def png(rows: np.ndarray, depth: int, kind: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of numbers `(h, w)` or `(h, w, channels)` of `depth` bits each; `chunks` come before the pixels."""
    h, w = rows.shape[:2]
    numbers = rows.reshape(h, -1)
    bits = (numbers[..., None] >> np.arange(depth - 1, -1, -1) & 1).astype(np.uint8).reshape(h, -1)
    raw = b"".join(b"\0" + line.tobytes() for line in np.packbits(bits, axis=1))

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    parts = [(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def rgba(path: Path, data: bytes | None = None) -> np.ndarray:
    if data is not None:
        path.write_bytes(data)
    return np.asarray(open_image(path))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_level_of_grey_counts_in_its_own_depth(tmp_path, depth):
    top = (1 << depth) - 1
    levels = np.arange(64).reshape(8, 8) % (top + 1)
    for clear in {0, 1, top}:
        seen = rgba(tmp_path / "a.png", png(levels, depth, 0, (b"tRNS", struct.pack(">H", clear))))
        assert np.array_equal(seen[..., 3] == 0, levels == clear)
        assert np.array_equal(seen[..., 0], levels * 255 // top)


def test_only_the_lowest_bits_of_a_transparent_level_count(tmp_path):
    levels = np.arange(16).reshape(4, 4) % 4
    seen = rgba(tmp_path / "a.png", png(levels, 2, 0, (b"tRNS", struct.pack(">H", 0x0106))))
    assert np.array_equal(seen[..., 3] == 0, levels == 2)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_transparency_of_a_palette_of_any_depth(tmp_path, depth):
    numbers = np.arange(64).reshape(8, 8) % 2
    chunks = (b"PLTE", bytes([255, 0, 0, 0, 0, 255])), (b"tRNS", bytes([255, 51]))
    seen = rgba(tmp_path / "a.png", png(numbers, depth, 3, *chunks))
    assert np.array_equal(seen[..., 3], np.where(numbers, 51, 255))
    assert np.array_equal(seen[..., 2], np.where(numbers, 255, 0))


def test_a_transparent_colour_of_16_bits(tmp_path):
    colours = np.zeros((2, 2, 3), int)
    colours[0, 0] = 65535, 4660, 256
    seen = rgba(tmp_path / "a.png", png(colours, 16, 2, (b"tRNS", struct.pack(">HHH", 65535, 4660, 256))))
    assert (seen[..., 3] == [[0, 255], [255, 255]]).all()


def test_16_bits_with_alpha(tmp_path):
    grey = np.full((4, 4, 2), (40000, 20000))
    assert rgba(tmp_path / "a.png", png(grey, 16, 4))[0, 0].tolist() == [156, 156, 156, 78]
    colour = np.full((4, 4, 4), (40000, 0, 65535, 20000))
    assert rgba(tmp_path / "b.png", png(colour, 16, 6))[0, 0].tolist() == [156, 0, 255, 78]


def test_an_alpha_that_a_bitmap_sets_nowhere_is_unused(tmp_path):
    def bitmap(alpha: int) -> bytes:
        masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        head = struct.pack("<IiiHHIIiiII", 108, 2, 2, 1, 32, 3, 16, 2835, 2835, 0, 0) + masks + b"BGRs" + bytes(48)
        pixels = bytes([30, 20, 200, alpha]) + bytes([30, 20, 200, 0]) * 3
        return b"BM" + struct.pack("<IHHI", 14 + 108 + 16, 0, 0, 14 + 108) + head + pixels

    assert (rgba(tmp_path / "a.bmp", bitmap(0)) == (200, 20, 30, 255)).all()
    used = rgba(tmp_path / "b.bmp", bitmap(128))
    assert sorted(used[..., 3].ravel().tolist()) == [0, 0, 0, 128]


def profile(space: bytes, gamma: float = 1.0, turned: bool = False) -> bytes:
    """A small ICC profile: colours by three primaries or grey, with one power for their tones."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(n * 65536)) for n in numbers)

    def xyz(*numbers: float) -> bytes:
        return b"XYZ \0\0\0\0" + fixed(*numbers)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = xyz(0.9642, 1, 0.8249)
    red, green, blue = xyz(0.4361, 0.2225, 0.0139), xyz(0.3851, 0.7169, 0.0971), xyz(0.1431, 0.0606, 0.7141)
    if turned:
        red, green = green, red
    tags = {b"wtpt": white, b"kTRC": curve}
    if space == b"RGB ":
        tags = {b"wtpt": white, b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    at, table, bodies = 128 + 4 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        table += name + struct.pack(">II", at + len(bodies), len(body))
        bodies += body
    head = bytearray(128)
    head[0:4] = struct.pack(">I", at + len(bodies))
    head[8:24] = b"\x02\x40\0\0mntr" + space + b"XYZ "
    head[36:40] = b"acsp"
    head[68:80] = fixed(0.9642, 1, 0.8249)
    return bytes(head) + struct.pack(">I", len(tags)) + table + bodies


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", pytest.param("avif", marks=AVIF)])
def test_colours_of_a_profile_become_those_of_srgb(tmp_path, suffix):
    plain = Image.new("RGB", (16, 16), (200, 60, 40))
    exact = {"jpg": {"quality": 100}, "webp": {"lossless": True}, "avif": {"quality": 100}}.get(suffix, {})
    source = save(tmp_path / f"a.{suffix}", plain, icc_profile=profile(b"RGB "), **exact)
    assert np.asarray(open_image(source))[8, 8].tolist() == pytest.approx([229, 133, 110, 255], abs=3)
    turned = save(tmp_path / f"b.{suffix}", plain, icc_profile=profile(b"RGB ", 2.2, turned=True), **exact)
    red, green, _, _ = np.asarray(open_image(turned))[8, 8].tolist()
    assert green > red + 60


def test_every_door_sees_the_same_colours(tmp_path):
    source = save(tmp_path / "a.png", Image.new("RGB", (16, 16), (200, 60, 40)), icc_profile=profile(b"RGB "))
    want = pytest.approx((229, 133, 110), abs=1)
    assert (picture(source, 8)[:3, 4, 4] * 255).tolist() == want
    assert (open_photos(source)[0][:, 4, 4] * 255).tolist() == want
    assert open_photo(source)[:, 4, 4].tolist() == want
    assert (open_frames(source, colour="rgb")[0][:, 4, 4] * 255).tolist() == want
    assert (open_frames(tmp_path, colour="rgb")[0][:, 4, 4] * 255).tolist() == want


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_profile_leaves_transparency_alone(tmp_path, mode):
    grey = mode in ("1", "L", "LA")
    image = Image.new("RGBA", (8, 8), (128, 128, 128, 77)).convert(mode)
    given = {"icc_profile": profile(b"GRAY" if grey else b"RGB ")}
    seen = rgba(Path(save(tmp_path / "a.png", image, **given)))[4, 4]
    assert seen[3] == (77 if mode in ("LA", "P", "RGBA") else 255)
    assert seen[0] == seen[1] == (pytest.approx(188, abs=1) if mode != "1" else seen[2])


def test_tones_of_16_bit_grey_follow_its_profile(tmp_path):
    levels = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)
    source = save(tmp_path / "a.png", Image.fromarray(levels), icc_profile=profile(b"GRAY"))
    linear = levels / 65535
    want = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    image = open_image(source)
    assert image.mode == "F"
    assert np.abs(np.asarray(image) - want)[1:].max() < 0.004


def test_inks_with_and_without_a_profile(tmp_path):
    inks = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    plain = rgba(Path(save(tmp_path / "a.jpg", inks, quality=100)))[4, 4]
    assert plain.tolist() == pytest.approx([255, 0, 0, 255], abs=4)
    unfit = rgba(Path(save(tmp_path / "b.jpg", inks, quality=100, icc_profile=profile(b"RGB "))))[4, 4]
    assert unfit.tolist() == plain.tolist()


def test_a_profile_of_srgb_changes_no_bit(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain, told = save(tmp_path / "a.png", noise), save(tmp_path / "b.png", noise, icc_profile=srgb)
    assert np.array_equal(np.asarray(open_image(plain)), np.asarray(open_image(told)))


@pytest.mark.parametrize("change", [lambda b: b[:100], lambda b: b[:-30], lambda b: b"no profile", lambda b: b[::-1]])
def test_a_broken_profile_is_ignored(tmp_path, change):
    plain = Image.new("RGB", (8, 8), (200, 60, 40))
    source = save(tmp_path / "a.png", plain, icc_profile=change(profile(b"RGB ")))
    assert np.asarray(open_image(source))[4, 4].tolist() == [200, 60, 40, 255]
    grey = save(tmp_path / "b.png", plain.convert("L"), icc_profile=profile(b"RGB "))  # not the kind of its pixels
    assert len(set(np.asarray(open_image(grey))[4, 4, :3].tolist())) == 1


def test_transparency_of_low_depth_in_an_animation(tmp_path):
    """The mask that lays a frame over the last one goes by the same level."""
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8) % 4
    still = Image.open(io.BytesIO(png(levels, 2, 0, (b"tRNS", struct.pack(">H", 3)))))
    data = png(levels, 2, 0, (b"acTL", struct.pack(">II", 1, 0)), (b"tRNS", struct.pack(">H", 3)),
               (b"fcTL", struct.pack(">IIIIIHHBB", 0, 8, 8, 0, 0, 1, 10, 0, 0)))  # fmt: skip
    (tmp_path / "a.png").write_bytes(data)
    assert still.mode == "L"
    film = open_frames(tmp_path / "a.png", background=1.0)
    assert np.array_equal(film[0][0].numpy() == 1, levels == 3)
    assert np.array_equal(rgba(tmp_path / "a.png")[..., 3] == 0, levels == 3)


def test_of_a_broken_tiff_only_our_line_is_heard(tmp_path, capfd):
    path = tmp_path / "a.tiff"
    shades = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    Image.fromarray(shades).save(path, compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    for at in range(40, len(data) - 200, 7):
        data[at] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(UserError, match="is broken or cut short"):
        picture(path, 8)
    assert capfd.readouterr().err == ""
