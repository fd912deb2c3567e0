"""Photos come in upright, whole and opaque, and go out as the file that was asked for."""

import numpy as np
import pytest
import torch
from helpers.painters import scene
from PIL import Image

from planaria.data import images
from planaria.errors import UserError
from planaria.repaint.files import check_picture, open_photo, picture_of, planes_of, write_picture


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    picture_of(scene(30, 40)).save(path)
    return path


def test_a_photo_as_it_is(photo):
    assert torch.equal(open_photo(photo), scene(30, 40))
    assert torch.equal(open_photo(str(photo), 40), scene(30, 40))


def test_a_photo_resized(photo):
    assert open_photo(photo, 20).shape == (3, 15, 20)
    assert open_photo(photo, 100).shape == (3, 75, 100)
    assert abs(open_photo(photo, 20).float().mean() - scene(30, 40).float().mean()) < 1
    assert open_photo(photo, 1).shape == (3, 1, 1)


def test_planes(photo):
    grey = open_photo(photo, planes=1)
    with Image.open(photo) as image:
        assert np.array_equal(grey[0].numpy(), np.asarray(image.convert("L")))
    assert torch.equal(open_photo(photo, planes=4)[:3], scene(30, 40))
    assert (open_photo(photo, planes=4)[3] == 255).all()


def test_transparent_parts_lie_over_white(tmp_path):
    levels = np.full((6, 8, 4), (200, 0, 0, 255), np.uint8)
    levels[:3, :, 3] = 0
    levels[3, :, 3] = 128
    Image.fromarray(levels).save(tmp_path / "clear.png")
    seen = open_photo(tmp_path / "clear.png")
    assert (seen[:, :3] == 255).all()
    assert seen[:, 5, 0].tolist() == [200, 0, 0]
    assert seen[1:, 3].float().mean() == pytest.approx(127, abs=1)
    small = open_photo(tmp_path / "clear.png", 4)
    assert (small[0].int() >= 198).all()  # no dark rim of what is hidden


def test_a_photo_that_lies_on_its_side(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture_of(scene(30, 40)).save(tmp_path / "side.jpg", exif=exif, quality=95)
    assert open_photo(tmp_path / "side.jpg").shape == (3, 40, 30)


def test_deep_grey_and_palettes(tmp_path):
    levels = np.linspace(0, 65535, 12 * 9).reshape(9, 12).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    seen = open_photo(tmp_path / "deep.png")
    assert np.abs(seen[1].numpy().astype(int) - levels / 257).max() <= 1
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.info["transparency"] = 0
    assert planes_of(palette)[:, 0, 0].tolist() == [10, 20, 30]


def test_what_has_no_pixels_of_its_own():
    assert max(open_photo("lizard").shape) == 1024
    assert max(open_photo("lizard", 64).shape) == 64


def test_mistakes(photo, monkeypatch, tmp_path):
    with pytest.raises(UserError, match="at least one pixel"):
        open_photo(photo, 0)
    with pytest.raises(UserError, match="no picture 'nowhere.png'"):
        open_photo("nowhere.png")
    monkeypatch.setattr(images, "MOST_PIXELS", 10_000)
    with pytest.raises(UserError, match="limit is 0 million: say --size"):
        open_photo(photo, 400)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_pictures_are_written(tmp_path, suffix):
    path = tmp_path / "new" / f"out{suffix}"
    flat = torch.full((3, 20, 30), 90, dtype=torch.uint8)
    flat[0, 5:15] = 200
    write_picture(path, flat)
    with Image.open(path) as image:
        assert image.format == {".jpg": "JPEG", ".JPEG": "JPEG"}.get(suffix, suffix[1:].upper())
        found = torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)
    error = (found.int() - flat.int()).abs()
    assert error.max() <= (0 if suffix == ".png" else 80)
    assert error.float().mean() < 8
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_pictures_that_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match="unknown picture format '.pgn'.*Did you mean '.png'"):
        check_picture(tmp_path / "a.pgn")
    with pytest.raises(UserError, match="unknown picture format"):
        check_picture(tmp_path / "a")
    (tmp_path / "d.png").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        check_picture(tmp_path / "d.png")
    with pytest.raises(UserError, match="at most 16,383 pixels a side, not 20,000"):
        check_picture(tmp_path / "a.webp", (10, 20_000))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be written"):
        write_picture(tmp_path / "file" / "a.png", scene())
