import numpy as np
import pytest
import torch
from PIL import Image

from planaria.data import photos as module
from planaria.data import scenes
from planaria.data.photos import Photos, open_photos, unpacked
from planaria.errors import UserError


def plain(path, size=(30, 20), colour=(200, 100, 50), **options):
    Image.new("RGB", size, colour).save(path, **options)


def rng(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(h: int, w: int) -> Photos:
    """A photo that tells where a crop of it comes from: red is the column, green the row."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return Photos((torch.stack([x, y, 0 * x]).to(torch.uint8),), ("ramp",))


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path):
    for k in (10, 9, 1):
        plain(tmp_path / f"p{k}.png", colour=(k, k, k))
    plain(tmp_path / ".hidden.png")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "inner").mkdir()
    plain(tmp_path / "inner" / "deep.png")
    photos = open_photos(str(tmp_path), size=8)
    assert photos.names == ("p1.png", "p9.png", "p10.png")
    assert [int(photos[k][0, 0, 0] * 255) for k in range(3)] == [1, 9, 10]
    assert photos[0].shape == (3, 8, 12)
    assert photos.pictures[0].dtype == torch.uint8


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".gif"])
def test_every_format(tmp_path, suffix):
    plain(tmp_path / f"a{suffix}", colour=(255, 0, 0))
    (photo,) = open_photos(str(tmp_path), size=8).pictures
    assert photo.float().mean((1, 2)).tolist() == pytest.approx([255, 0, 0], abs=3)


def test_sixteen_bits_become_eight(tmp_path):
    Image.fromarray(np.full((8, 9), 40000, np.uint16)).save(tmp_path / "deep.png")
    assert open_photos(str(tmp_path / "deep.png"))[0].unique().tolist() == pytest.approx([156 / 255])


def test_what_is_transparent_lies_over_white(tmp_path):
    Image.new("RGBA", (9, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert open_photos(str(tmp_path / "clear.png"))[0].min() == 1


def test_small_photos_are_kept_as_they_are_and_long_ones_cut(tmp_path):
    plain(tmp_path / "small.png", (30, 20))
    plain(tmp_path / "large.png", (300, 200))
    plain(tmp_path / "panorama.png", (900, 20))
    sizes = [tuple(p.shape[1:]) for p in open_photos(str(tmp_path), size=50).pictures]
    assert sizes == [(50, 75), (20, 80), (20, 30)]


def test_of_many_some_are_taken_evenly(tmp_path):
    for k in range(10):
        plain(tmp_path / f"{k}.png")
    assert open_photos(str(tmp_path), most=4).names == ("0.png", "3.png", "6.png", "9.png")
    assert open_photos(str(tmp_path), most=1).names == ("0.png",)


def test_broken_files_are_left_out_with_one_warning(tmp_path):
    plain(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"nothing")
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.warns(UserWarning, match=r"2 of 3 can't be read: b.png, c.jpg") as told:
        photos = open_photos(str(tmp_path))
    assert photos.names == ("a.png",)
    assert len(told) == 1


def test_where_there_is_no_photo(tmp_path):
    with pytest.raises(UserError, match="holds no pictures.*subfolders aren't looked into"):
        open_photos(str(tmp_path))
    (tmp_path / "b.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match="holds no picture that can be read: .*b.png"):
        open_photos(str(tmp_path))
    for nothing in ("", " , "):
        with pytest.raises(UserError, match="names none; give a folder of pictures, a picture, or built-in"):
            open_photos(nothing)
    with pytest.raises(UserError, match="no picture 'missing.png'"):
        open_photos("missing.png")
    with pytest.raises(UserError, match="Did you mean 'built-in'"):
        open_photos("Built_in")
    with pytest.raises(UserError, match="1 to 4096 cells a side, not 0"):
        open_photos("built-in", size=0)
    with pytest.raises(UserError, match="at least 1"):
        open_photos("built-in", most=0)


def test_several_by_name_and_a_comma_in_a_name(tmp_path):
    plain(tmp_path / "a.png")
    plain(tmp_path / "a,b.png")
    assert len(open_photos(f"{tmp_path / 'a.png'}, scene:sea", size=16)) == 2
    assert len(open_photos(str(tmp_path / "a,b.png"))) == 1


def test_too_many_for_the_memory(tmp_path, monkeypatch):
    plain(tmp_path / "a.png")
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match="take fewer or smaller"):
        open_photos(str(tmp_path))


def test_a_photo_too_large_to_decode_is_refused(tmp_path, monkeypatch):
    plain(tmp_path / "a.png", (100, 100))
    monkeypatch.setattr("planaria.data.raster.MOST_PIXELS", 9999)
    with pytest.raises(UserError, match="million pixels"):
        open_photos(str(tmp_path))


def test_the_built_in_ones_need_nothing():
    photos = open_photos("built-in", size=16, most=12)
    assert len(photos) == 12
    assert photos.names[:10] == tuple(f"scene:{name}" for name in scenes.SCENES)
    assert photos.names[10] == f"scene:{scenes.SCENES[0]}/1"
    assert (photos[0].shape, photos[10].shape) == ((3, 16, 24), (3, 24, 16))
    assert torch.equal(photos[3], open_photos("built-in", size=16, most=4)[3])


def test_crops_are_of_anywhere_and_half_of_them_mirrored():
    photos = ramp(100, 200)
    crops = photos.crops(400, (40, 50), rng()).mul(255)
    assert crops.shape == (400, 3, 40, 50)
    assert crops.dtype == torch.float32
    rise = (crops[:, 0, 20, -1] - crops[:, 0, 20, 0]) / 49
    mirrored = rise < 0
    assert 0.4 < mirrored.float().mean() < 0.6
    assert (rise.abs().min(), rise.abs().max()) == pytest.approx((1.0, 1.5), abs=0.03)
    assert ((crops[:, 1, -1, 0] - crops[:, 1, 0, 0]) / 39 - rise.abs()).abs().max() < 0.06, "one scale both ways"
    left, top = crops[:, 0].amin((1, 2)), crops[:, 1].amin((1, 2))
    assert left.min() < 5
    assert left.max() > 130
    assert top.min() < 3
    assert top.max() > 45


def test_the_same_generator_gives_the_same_crops():
    photos = Photos((*ramp(60, 90).pictures, *ramp(50, 40).pictures), ("a", "b"))
    assert torch.equal(photos.crops(6, (20, 20), rng()), photos.crops(6, (20, 20), rng()))
    assert not torch.equal(photos.crops(6, (20, 20), rng()), photos.crops(6, (20, 20), rng(2)))


def test_a_photo_smaller_than_the_crop_is_enlarged():
    crops = ramp(20, 60).crops(30, (64, 64), rng()).mul(255)
    assert crops.shape == (30, 3, 64, 64)
    assert crops[:, 1, -1].mean() == pytest.approx(19, abs=0.3), "all rows are there"
    assert crops[:, 1, 0].mean() == pytest.approx(0, abs=0.3)
    assert ((crops[:, 0, 0, -1] - crops[:, 0, 0, 0]).abs()).mean() == pytest.approx(19, abs=0.5), "and no more columns"


def test_reducing_takes_the_mean():
    board = torch.zeros(3, 90, 90, dtype=torch.uint8)
    board[:, ::2, ::2] = board[:, 1::2, 1::2] = 255
    crops = Photos((board,), ("board",)).crops(50, (60, 60), rng())
    assert crops.std((1, 2, 3)).min() < 0.1, "two pixels to a cell leave grey"
    assert crops.mean((1, 2, 3)).sub(0.5).abs().max() < 0.01
    assert 0 <= crops.min() < crops.max() <= 1


def test_what_is_packed_comes_back():
    photos = Photos((*ramp(6, 9).pictures, *ramp(5, 4).pictures), ("a ü", "b"))
    tensors = photos.pack()
    assert all(name.startswith("photo") for name in tensors)
    again = unpacked({**tensors, "style": torch.zeros(3)})
    assert again.names == photos.names
    assert all(torch.equal(a, b) for a, b in zip(again.pictures, photos.pictures, strict=True))


@pytest.mark.parametrize("name", ["photos", "photo_sizes", "photo_names"])
def test_damaged_ones_are_told(name):
    tensors = ramp(6, 9).pack()
    with pytest.raises(UserError, match="damaged"):
        unpacked({**tensors, name: tensors[name][:-1] if name != "photo_names" else torch.tensor([255, 10, 255])})
    with pytest.raises(UserError, match="damaged"):
        unpacked({k: v for k, v in tensors.items() if k != name})
