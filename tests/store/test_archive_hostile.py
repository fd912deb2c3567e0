"""Archives that are broken, too large, or up to something: nothing runs, and each is refused in one line."""

import io
import os
import pickle
import random
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from helpers.archives import Made, Run, flat, pickled, save, streamed

from planaria.errors import UserError
from planaria.store import archive as module
from planaria.store import opcodes
from planaria.store.archive import open_archive, read_archive

both_forms = pytest.mark.parametrize("new", [True, False], ids=["zip", "stream"])

TENSOR = torch._utils._rebuild_tensor
SOUND = {"a": Made(TENSOR, Run(6), 0, (2, 3), (3, 1))}


def zipped(path: Path, tree: bytes, members: dict[str, bytes] | None = None, **how: int) -> Path:
    """A file of the new form, with the numbers 0 to 5 in it."""
    inside = {"a/data.pkl": tree, "a/data/0": flat(), "a/byteorder": b"little"} | (members or {})
    with zipfile.ZipFile(path, "w", **how) as packed:
        for name, data in inside.items():
            packed.writestr(name, data)
    return path


def written(path: Path, tree: object, new: bool) -> Path:
    """A tree, or a pickle, in one of the forms."""
    data = tree if isinstance(tree, bytes) else pickled(tree)
    return zipped(path, data) if new else streamed(path, data, {"0": flat()} if b"storage" in data else {})


def refused(path: Path, pattern: str) -> None:
    with pytest.raises(UserError, match=pattern) as error:
        read_archive(path)
    line = str(error.value)
    assert len(line.splitlines()) == 1
    assert str(path) in line
    assert len(line) < 500 + len(str(path))


def tensor(*values: object, kind: str = "FloatStorage", count: int = 6) -> dict[str, Made]:
    return {"a": Made(TENSOR, Run(count, kind=kind), *values)}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "a.pth"


@both_forms
@pytest.mark.parametrize(
    ("how", "named"),
    [(os.system, rf"{os.name}\.system"), (eval, r"\w+\.eval"), (torch.load, r"torch\.serialization\.load")],
    ids=["system", "eval", "load"],
)
def test_nothing_is_run(path, tmp_path, new, how, named):
    traces = tmp_path / "traces"
    word = f"open({str(traces)!r}, 'w')" if how is eval else f"touch {traces}"
    for tree in (Made(how, word), {"a": torch.ones(2), "b": [Made(how, word)]}, {"a": how}):
        data = io.BytesIO()
        torch.save(tree, data, _use_new_zipfile_serialization=new)
        path.write_bytes(data.getvalue())
        refused(path, rf"its pickle names '{named}', and could run code; planaria reads tensors only")
    assert not traces.exists()
    torch.save(Made(eval, f"open({str(traces)!r}, 'w').close()"), path, _use_new_zipfile_serialization=new)
    torch.load(path, weights_only=False)
    assert traces.exists()  # so it is that kind of file


@both_forms
def test_other_ways_to_call(path, new):
    for tree in (
        b"\x80\x02(S'touch x'\nios\nsystem\n.", b"\x80\x02(cos\nsystem\nU\x01xo.", b"\x80\x02cos\nsystem\n)\x81.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x01x\x85R.", b"\x80\x02\x82\x01.", b"cos\nsystem\n(S'x'\ntR.",
        b"\x80\x02ctorch\nFloatStorage.__reduce__\n)R.", b"\x80\x02ctorch.hub\nFloatStorage\n)R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
    ):  # fmt: skip
        refused(written(path, tree, new), "planaria reads tensors only")
    for tree in (b"\x80\x02ctorch\nFloatStorage\n)R.", b"\x80\x02U\x01xU\x01yR."):
        refused(written(path, tree, new), "its pickle makes no sense")
    refused(written(path, b"\x80\x02]}b.", new), "an object with a state of its own")


@both_forms
def test_whole_modules_are_refused(path, new):
    refused(save(torch.nn.Conv2d(1, 1, 1), path, new), "its pickle names 'torch.nn.modules.conv.Conv2d'")


def test_torchscript_is_refused(path):
    refused(zipped(path, pickled(SOUND), {"a/constants.pkl": b"", "a/code/x.py": b""}), "a TorchScript program")


@both_forms
@pytest.mark.parametrize(
    "values",
    [
        (0, (10**9,), (1,)), (0, (10**9,), (0,)), (0, (2**62,) * 4, (1,) * 4), (1, (2, 3), (3, 1)), (7, (0,), (1,)),
        (0, (2, 2), (6, 1)), (2**62, (1,), (1,)), (0, (2, 3, 2), (3, 1, 0)),
    ],
)  # fmt: skip
def test_shapes_that_hold_more_than_there_is(path, new, values):
    refused(written(path, tensor(*values), new), r"'a' of shape .* is not inside what is stored")


@both_forms
@pytest.mark.parametrize(
    "values",
    [
        (0, (2, 3), (1,)), (-1, (2,), (1,)), (0, (-2,), (1,)), (0, (2,), (-1,)), (0, (2.0,), (1,)), (0, 6, 1),
        (0, [6], [1]), (0, (True,), (1,)), (0, (1,) * 17, (1,) * 17), (2**70, (1,), (1,)), (0, (6,)), ((), (6,), (1,)),
    ],
)  # fmt: skip
def test_shapes_that_are_none(path, new, values):
    refused(written(path, tensor(*values), new), "its pickle makes no sense")


@both_forms
def test_storages_that_are_none(path, new):
    good = (0, (6,), (1,))
    for tree in (
        {"a": Made(TENSOR, 3, *good)}, {"a": Made(TENSOR, Run(6, key=0), *good)}, {"a": Made(TENSOR, Run(-6), *good)},
        {"a": Made(TENSOR, Run(6, rest=(("1", 2, 5),)), *good)},
        {"a": Made(torch._utils._rebuild_parameter, 1, True, {})},
        [Made(TENSOR, Run(6), *good), Made(TENSOR, Run(5), 0, (5,), (1,))],
    ):  # fmt: skip
        refused(written(path, tree, new), "its pickle makes no sense")
    missing = r"doesn't have 24 bytes|list of storages is not the one"
    refused(written(path, {"a": Made(TENSOR, Run(6, key="../../data.pkl"), *good)}, new), missing)
    refused(
        written(path, tensor(0, (7,), (1,), count=7), new), r"doesn't have 28 bytes|28 bytes of numbers should stand"
    )
    refused(written(path, tensor(0, (2**60,), (1,), count=2**60), new), "doesn't have|bytes of numbers should stand")
    for kind in ("ComplexFloatStorage", "ComplexDoubleStorage", "QInt8Storage"):
        refused(written(path, tensor(*good, kind=kind), new), f"its pickle names 'torch.{kind}'")


@both_forms
def test_cut_short_anywhere(path, new):
    tree = {"a": torch.rand(20, 5), "b": [torch.rand(30), torch.arange(7)]}
    data = save(tree, path, new).read_bytes()
    for end in range(0, len(data) - 1, 7):
        path.write_bytes(data[:end])
        refused(path, "truncated or damaged|no file that torch.save writes|list of storages")


@both_forms
def test_whatever_byte_is_wrong(path, new):
    """Another byte anywhere: an error of one line, or tensors of the sizes that are told; of a zip the same numbers."""
    tree = {"a": torch.rand(4, 5), "b": [torch.rand(8), torch.arange(7)]}
    data = save(tree, path, new).read_bytes()
    rng = random.Random(0)
    fine = 0
    for _ in range(600):
        spoilt = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            spoilt[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(spoilt)
        try:
            found = read_archive(path)
        except UserError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
        else:
            fine += 1
            assert all(tuple(found[name].shape) == shape for name, shape in open_archive(path).shapes.items())
    assert 0 < fine < 600


def test_a_wrong_number_in_a_zip_is_seen(path):
    data = save({"a": torch.full((50,), 1.5)}, path).read_bytes()
    path.write_bytes(data.replace(struct.pack("<f", 1.5), struct.pack("<f", 2.5), 1))
    refused(path, "Bad CRC-32")


@both_forms
def test_what_holds_itself(path, new):
    me: list = []
    me.append(me)
    round_about: dict = {"a": []}
    round_about["a"].append(round_about)
    for tree in (me, round_about):
        refused(written(path, pickle.dumps(tree, 2), new), "holds itself, or too much in one another")
    deep = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."
    refused(written(path, deep, new), "holds itself, or too much in one another")
    key = b"\x80\x02}" + b")" + b"\x85" * 100_000 + b"Ns."  # a dict's key that hashing would go to the bottom of
    refused(written(path, key, new), "its pickle makes no sense")


@both_forms
def test_little_that_stands_for_much(path, new):
    bomb: list = [None] * 10
    for _ in range(12):
        bomb = [bomb] * 10
    refused(written(path, pickle.dumps(bomb, 2), new), "too much in one another")
    refused(written(path, {"a" * 1001: SOUND["a"]}, new), "a name has more than 1000 letters")
    refused(written(path, {"a.b": SOUND["a"], "a": {"b": SOUND["a"]}}, new), "two tensors are named 'a.b'")


@both_forms
def test_limits(path, new, monkeypatch):
    pairs = b"\x80\x02ccollections\nOrderedDict\nq\x01](" + b"".join(
        b"]q\x02(M" + struct.pack("<H", n) + b"Ne" for n in range(100)
    )
    bomb = pairs + b"eq\x03" + b"h\x01h\x03\x85R" * 1000 + b"."
    written(path, bomb, new)
    assert read_archive(path) == {}
    monkeypatch.setattr(opcodes, "MOST_OPCODES", 20_000)
    refused(path, "its pickle has more than 20,000 opcodes")
    written(path, SOUND, new)
    assert read_archive(path)["a"].shape == (2, 3)
    monkeypatch.setattr(module, "MOST_BYTES", 30)
    refused(path, "bytes; the limit is 30")


def test_tensors_that_share_numbers_count_each(path, monkeypatch):
    shared = torch.zeros(1000)
    save([shared[:999]] * 3 + [shared.view(10, 100).T] * 9, path)
    assert len(read_archive(path)) == 12
    monkeypatch.setattr(module, "MOST_BYTES", 40_000)
    refused(path, "take more than the limit of 40,000 bytes")


@pytest.mark.parametrize("name", ["../a/data/1", "/etc/passwd", "a\\..\\b", "a/../../b", ".."])
def test_members_that_lead_out(path, name):
    refused(zipped(path, pickled(SOUND), {name: b""}), "leads out of the archive")


def test_zips_that_torch_does_not_write(path):
    refused(
        zipped(path, pickled(SOUND), compression=zipfile.ZIP_DEFLATED), "packed or locked, which torch never writes"
    )
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a/readme.txt", b"hello")
    refused(path, "has no data.pkl in a folder")
    refused(zipped(path, pickled(SOUND), {"b/data.pkl": b""}), "has no data.pkl in a folder")
    with zipfile.ZipFile(path, "w") as packed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            packed.writestr("a/data.pkl", pickled(SOUND))
    refused(path, "its members overlap")
    data = zipped(path, pickled(SOUND)).read_bytes()
    assert read_archive(path)["a"].shape == (2, 3)
    entry = data.index(b"PK\x01\x02")
    for place, value in ((entry + 10, zipfile.ZIP_DEFLATED), (entry + 8, 1)):  # how it is packed; whether it is locked
        path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
        refused(path, "packed or locked")


def test_a_member_that_is_longer_than_the_file(path):
    """One member a megabyte long, told of a hundred times under other names."""
    zipped(path, pickled(SOUND), {"a/data/1": bytes(10**5), **{f"a/data/{n}": b"" for n in range(2, 30)}})
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as packed:
        at, size = packed.getinfo("a/data/1").header_offset, struct.pack("<II", 10**5, 10**5)
    entry = data.index(b"PK\x01\x02")
    while (entry := data.find(b"PK\x01\x02", entry + 4)) >= 0:
        data[entry + 20 : entry + 28] = size
        data[entry + 42 : entry + 46] = struct.pack("<I", at)
    path.write_bytes(data)
    refused(path, "its members overlap")


def test_a_list_of_members_that_is_too_long(path):
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(50_000_000)  # takes no room on the disk
        file.seek(0, io.SEEK_END)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 40_000_000, 10_000_000, 0))
    refused(path, "40,000,000 bytes where 10,000,000 are the most")


@pytest.mark.parametrize("name", ["a/data.pkl", "a/byteorder"])
def test_a_long_pickle(path, monkeypatch, name):
    monkeypatch.setattr(module, "HEADER_LIMIT", 4000)
    refused(zipped(path, pickled(SOUND), {name: bytes(4001)}), rf"'{name}' is 4,001 bytes long")


def test_the_other_order_of_bytes(path):
    refused(zipped(path, pickled(SOUND), {"a/byteorder": b"big"}), "big-endian")
    for machine in ({"little_endian": False}, {}, [], {"little_endian": 1}):
        refused(streamed(path, pickled(SOUND), {"0": flat()}, machine), "big-endian")


def test_lists_of_storages_that_are_wrong(path):
    for numbers in ({}, {"1": flat()}, {"0": flat(), "1": flat()}):
        refused(streamed(path, pickled(SOUND), numbers), "list of storages")
    for count in (5, 7):
        refused(streamed(path, pickled(SOUND), {"0": flat(count)}), "24 bytes of numbers should stand at")


def test_a_long_storage_in_a_short_file(path):
    """Both places that tell its length agree; no memory is asked for."""
    streamed(path, pickled(tensor(0, (2**40,), (1,), count=2**40)), {"0": flat()})
    data = path.read_bytes()
    path.write_bytes(data[:-32] + (2**40).to_bytes(8, "little") + data[-24:])
    with pytest.raises(UserError, match="4,398,046,511,104 bytes of numbers should stand at"):
        open_archive(path)


def test_files_of_something_else(path, tmp_path):
    for data in (b"", b"<!DOCTYPE html><html>", b"\x89PNG\r\n\x1a\n", b"PK\x05\x06" + bytes(18), b"PK"):
        path.write_bytes(data)
        refused(path, "no file that torch.save writes")
    for data in (pickle.dumps({"a": 1}, 2), pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1000, 2)):
        path.write_bytes(data)
        refused(path, "a pickle, but none that torch.save writes")
    path.write_bytes(b"PK\x03\x04" + bytes(200))
    refused(path, "truncated or damaged")
    with tarfile.open(path, "w") as packed:
        packed.addfile(tarfile.TarInfo("sys_info"))
    refused(path, "a tar file, of a torch older than 0.1.11")
    refused(tmp_path / "none.pth", "no file")
    refused(tmp_path, "no file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a regular file")
