"""The reader of MedMNIST's archives: the samples asked for, and nothing that an archive should not hold."""

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from planaria.data import medmnist
from planaria.data.fetch import cached_name
from planaria.data.images import name_of, open_image
from planaria.errors import UserError

GREY = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (4, 28, 28, 3), np.uint8)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A home without data, and no way to the network."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.delenv("MEDMNIST_ROOT", raising=False)

    def fetch(url: str, **options: object) -> Path:
        raise UserError(f"cannot download {url}")

    monkeypatch.setattr(medmnist, "fetch", fetch)
    return folder


def write(path: Path, arrays: dict[str, np.ndarray], compressed: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def write_member(path: Path, data: bytes, name: str = "train_images.npy") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return path


def npy(header: str, body: bytes = b"") -> bytes:
    """An .npy file with a header of our own wording."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize("compressed", [True, False])
def test_every_sample(tmp_path, compressed):
    write(tmp_path / "chestmnist.npz", {"train_images": GREY, "val_images": GREY[:2] // 2}, compressed)
    write(tmp_path / "bloodmnist.npz", {"test_images": COLOUR}, compressed)
    for i, want in enumerate(GREY):
        got = medmnist.sample("chestmnist", i, root=tmp_path)
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(medmnist.sample("chestmnist", 1, split="val", root=tmp_path), GREY[1] // 2)
    for i, want in enumerate(COLOUR):
        np.testing.assert_array_equal(medmnist.sample("bloodmnist", i, split="test", root=tmp_path), want)


def test_larger_files_have_their_own_name(tmp_path):
    write(tmp_path / "chestmnist_64.npz", {"train_images": np.zeros((1, 64, 64), np.uint8)})
    assert medmnist.sample("chestmnist", 0, pixels=64, root=tmp_path).shape == (64, 64)


def test_where_files_are_looked_for(tmp_path, home, monkeypatch):
    root, chosen = tmp_path / "root", tmp_path / "chosen"
    monkeypatch.setenv("MEDMNIST_ROOT", str(chosen))
    with pytest.raises(UserError, match=r"cannot download .*chestmnist.npz.*put chestmnist.npz into ~/.medmnist"):
        medmnist.sample("chestmnist", 0, root=root)
    for level, folder in enumerate([home / ".medmnist", chosen, root], 1):
        write(folder / "chestmnist.npz", {"train_images": np.full((1, 2, 2), level, np.uint8)})
        assert medmnist.sample("chestmnist", 0, root=root)[0, 0] == level


def test_a_download_is_checked(tmp_path, monkeypatch):
    path = write(tmp_path / "downloaded.npz", {"train_images": GREY})
    asked = {}

    def fetch(url: str, **options: object) -> Path:
        asked.update(options, url=url)
        return path

    monkeypatch.setattr(medmnist, "fetch", fetch)
    np.testing.assert_array_equal(medmnist.sample("organamnist", 2, pixels=128, cache=tmp_path), GREY[2])
    assert asked["url"] == "https://zenodo.org/records/10519652/files/organamnist_128.npz?download=1"
    assert asked["checksum"] == "md5:eeae80d0a227a8d099027e1b3cfd3b60"
    assert asked["cache"] == tmp_path
    assert asked["limit"] > 34_581 * 128**2
    assert cached_name(asked["url"]).endswith(".npz")


def test_the_table():
    assert len(medmnist.MD5) == 12
    sums = [digest for row in medmnist.MD5.values() for digest in row]
    assert len(sums) == len(set(sums)) == 48
    assert all(len(digest) == 32 and int(digest, 16) for digest in sums)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flag": "chestmnit"}, r"unknown MedMNIST flag 'chestmnit'; have: .* Did you mean 'chestmnist'\?"),
        ({"split": "tset"}, r"unknown MedMNIST split 'tset'; have: test, train, val. Did you mean 'test'\?"),
        ({"pixels": 32}, r"unknown MedMNIST size '32'; have: 128, 224, 28, 64"),
        ({"index": 5}, r"has train pictures 0 to 4, not 5"),
        ({"index": -1}, r"has train pictures 0 to 4, not -1"),
        ({"split": "val"}, r"holds no val_images.npy; it has: train_images.npy$"),
    ],
)
def test_what_does_not_exist(tmp_path, options, message):
    write(tmp_path / "chestmnist.npz", {"train_images": GREY})
    with pytest.raises(UserError, match=message):
        medmnist.sample(**{"flag": "chestmnist", "index": 0, "root": tmp_path} | options)


class Trap:
    """Pickled, it would create a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_pickles_are_not_opened(tmp_path):
    sprung = tmp_path / "sprung"
    buffer = io.BytesIO()
    np.save(buffer, np.array([[[Trap(sprung)]]], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="must be uint8, not object"):
        medmnist.read(write_member(tmp_path / "a.npz", buffer.getvalue()), "train", 0)
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (GREY.astype(np.float32), "must be uint8, not float32"),
        (GREY.astype(np.int8), "must be uint8, not int8"),
        (GREY[0], r"must have the shape \(n, h, w\)"),
        (np.zeros((2, 8, 8, 4), np.uint8), r"must have the shape \(n, h, w\)"),
        (np.zeros((2, 8, 8, 8), np.uint8), r"must have the shape"),  # the 3D sets
        (np.zeros((2, 8, 8, 3, 1), np.uint8), r"must have the shape"),
        (np.zeros((0, 8, 8), np.uint8), "must hold pictures of 1 to 1024 pixels a side"),
        (np.zeros((2, 1, 1025), np.uint8), "must hold pictures of 1 to 1024 pixels a side"),
        (np.asfortranarray(GREY), "must be stored row by row"),
    ],
)
def test_other_arrays(tmp_path, array, message):
    with pytest.raises(UserError, match=message):
        medmnist.read(write(tmp_path / "a.npz", {"train_images": array}), "train", 0)


def test_declared_but_not_there(tmp_path):
    for shape in ("(1000000000000, 1000, 1000)", "(2, 1024, 1024, 3)"):
        data = npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}", bytes(1000))
        path = write_member(tmp_path / "a.npz", data)
        tracemalloc.start()
        with pytest.raises(UserError, match="is cut short: it declares"):
            medmnist.read(path, "train", 0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000


def test_one_sample_takes_the_memory_of_one(tmp_path):
    path = write(tmp_path / "a.npz", {"train_images": np.zeros((60, 1024, 1024), np.uint8)})
    tracemalloc.start()
    medmnist.read(path, "train", 59)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000  # zipfile skips in pieces of 16 MB


def test_broken_archives(tmp_path):
    good = write(tmp_path / "good.npz", {"train_images": GREY}).read_bytes()
    path = tmp_path / "a.npz"
    bad_magic = io.BytesIO()
    with zipfile.ZipFile(bad_magic, "w") as archive:
        archive.writestr("train_images.npy", b"no array at all")
    long_header = io.BytesIO()
    with zipfile.ZipFile(long_header, "w") as archive:
        archive.writestr(
            "train_images.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1)}" + " " * 20_000)
        )
    scrambled = bytearray(good)
    scrambled[200:400] = bytes(200)
    for data in (good[:1000], b"", b"words", bytes(scrambled), bad_magic.getvalue(), long_header.getvalue()):
        path.write_bytes(data)
        with pytest.raises(UserError, match=rf"^cannot read {path}: .*; delete it and download it again$"):
            medmnist.read(path, "train", 4)


@pytest.mark.parametrize(
    ("address", "want"),
    [
        ("chestmnist/17", ("chestmnist", 17, "train", 28)),
        ("chestmnist/test/0", ("chestmnist", 0, "test", 28)),
        ("chestmnist@64/3", ("chestmnist", 3, "train", 64)),
        ("chestmnist@224/val/3", ("chestmnist", 3, "val", 224)),
    ],
)
def test_addresses(address, want):
    assert medmnist.parse(address) == want


@pytest.mark.parametrize(
    "address", ["", "chestmnist", "chestmnist/", "chestmnist/-1", "chestmnist/a/b/1", "chestmnist@x/1", "/1"]
)
def test_bad_addresses(address):
    with pytest.raises(UserError, match="write FLAG/INDEX"):
        medmnist.parse(address)


@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 28, 28, 1), (3, 28, 28, 3)])
def test_a_file_of_your_own_by_its_path(tmp_path, shape):
    many = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    folder = tmp_path / "of mine"
    path = write(folder / "scans.npz", {"train_images": many, "test_images": many[::-1]})
    for address, want in ((f"{path}/1", many[1]), (f"{path}/test/0", many[2])):
        got = medmnist.picture(address)
        assert got.shape == (28, 28, *(n for n in shape[3:] if n == 3))
        np.testing.assert_array_equal(got.reshape(want.shape), want)
        seen = np.asarray(open_image(f"medmnist:{address}"))[..., :3]
        np.testing.assert_array_equal(seen, np.broadcast_to(want.reshape(28, 28, -1), seen.shape))
    assert name_of(f"medmnist:{path}/test/12") == "scans-12"


def test_a_file_of_your_own_that_is_none(tmp_path):
    path = write(tmp_path / "a.npz", {"train_images": GREY})
    for address, told in (
        (f"{tmp_path}/no.npz/0", "no file .*no.npz; give medmnist:FILE.npz/INDEX"),
        (f"{path}/5", "has train pictures 0 to 4, not 5"),
        (f"{path}/tset/0", "unknown MedMNIST split 'tset'.*Did you mean 'test'"),
        (f"{path}/val/0", "holds no val_images.npy"),
        (str(path), "write FLAG/INDEX, FLAG/SPLIT/INDEX, FLAG@64/INDEX or FILE.npz/INDEX"),
    ):
        with pytest.raises(UserError, match=told):
            open_image(f"medmnist:{address}")
    for content, told in (
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer: run git lfs pull"),
        (b"<html>", "is a web page, not the file"),
        (b"\x93NUMPY\x01\0", r"is no archive of NumPy arrays .*; it is a NumPy array \(.npy\)"),
        (b"", "is no archive of NumPy arrays .*; it is empty"),
        (b"\xfe\x01\x02", "cannot read .*a.npz: File is not a zip file$"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=told):
            medmnist.picture(f"{path}/0")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': 7}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (True, 28, 28)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': ('a', 28, 28)}",
        "{'descr': '|u1', 'fortran_order': True, 'shape': (3, 28, 28)}",
        "{'descr': '|u1', 'fortran_order': 1, 'shape': (3, 28, 28)}",
        "{'descr': ('|u1', ('x', 3, 4)), 'fortran_order': False, 'shape': (3, 28, 28)}",
        "{'descr': 7, 'fortran_order': False, 'shape': (3, 28, 28)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (10**99, 28, 28)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-3, 28, 28)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999, 1024, 1024, 3)}",
        "{" * 5000,
        "(" * 9000,
        "{'shape': (3, 28L, 28L), 'descr': '|u1', 'fortran_order': False",
        "",
    ],
)
def test_headers_that_lie_are_one_line_and_no_memory(tmp_path, header):
    path = write_member(tmp_path / "a.npz", npy(header, bytes(100)))
    tracemalloc.start()
    with pytest.raises(UserError, match="a.npz") as caught:
        medmnist.picture(f"{path}/0")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("organmnist_axial", "organamnist"), ("organ_axial", "organamnist"), ("organmnist_coronal", "organcmnist"),
        ("organmnist_sagittal", "organsmnist"), ("OrganSagittal", "organsmnist"), ("organ", "organamnist"),
        ("blood", "bloodmnist"), ("chest", "chestmnist"), ("chest_xray", "chestmnist"), ("skin", "dermamnist"),
        ("colon pathology", "pathmnist"), ("retina", "retinamnist"), ("OCT", "octmnist"),
        ("pnuemoniamnist", "pneumoniamnist"),
        ("tissue", "tissuemnist"), ("pneumonia-mnist", "pneumoniamnist"), ("bresatmnist", "breastmnist"),
    ],
)  # fmt: skip
def test_near_names_go_by_what_they_mean(flag, meant):
    with pytest.raises(UserError, match=f"unknown MedMNIST flag {flag!r}; have: bloodmnist.* Did you mean '{meant}'"):
        medmnist.picture(f"{flag}/3")


def test_capitals_are_taken(tmp_path):
    np.savez(tmp_path / "m.npz", val_images=np.zeros((2, 4, 4), np.uint8))
    np.savez(tmp_path / "chestmnist.npz", test_images=np.zeros((2, 4, 4), np.uint8))
    assert medmnist.picture(f"{tmp_path}/m.npz/VAL/1").shape == (4, 4)
    assert medmnist.sample("ChestMNIST", 1, split="TEST", root=tmp_path).shape == (4, 4)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nodulemnist3d/1", "is a MedMNIST set of volumes"),
        ("chestmnist/validation/1", "Did you mean 'val'"),
        ("{}/m.npz/0", "it has: x.npy$"),
    ],
)
def test_what_is_not_there_is_told_without_a_wrong_neighbour(tmp_path, address, told):
    np.savez(tmp_path / "m.npz", x=np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(UserError, match=told) as caught:
        medmnist.picture(address.format(tmp_path))
    assert "derma" not in str(caught.value) or "pictures:" in str(caught.value)
