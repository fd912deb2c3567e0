"""What people take for weights: each file is told for what it is in one line; safetensors and renamed ones are read."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.archives import pickled
from helpers.published import CHEST, drawn, textures
from safetensors.torch import save_file

from planaria import store
from planaria.cli import main
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.errors import UserError
from planaria.files import what_it_really_is
from planaria.store import formats

COPIED = {"fc0.weight": (20, 48), "fc0.bias": (20,), "fc1.weight": (16, 20)}
PREFIXES = ("model.", "module.nca.", "nca/", "state_dict:")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 34011\n"


def packed(**members: bytes) -> bytes:
    """A zip whose members, a/NAME, are packed as TorchScript packs its code."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"a/{name.replace('__', '/')}", data)
    return file.getvalue()


def arrays() -> bytes:
    np.savez(file := io.BytesIO(), w1=np.zeros((8, 48), np.float32))
    return file.getvalue()


def keras() -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        archive.writestr("metadata.json", "{}")
    return file.getvalue()


@pytest.mark.parametrize("name", ["theirs.pth", "theirs.bin", "theirs.json", "theirs.safetensors"])
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (POINTER, "it is a Git LFS pointer: run git lfs pull"),
        (b"<!DOCTYPE html>\n<html><head><title>weights</title></head></html>", "it is a web page, not the file: use"),
        (b"\x08\x07\x12\x07pytorch\x1a\x05" + bytes(80), "an ONNX graph: import the weights that it was made from"),
        (b"\x82\xa6params\x81\xa5Dense" + bytes(64), "it is a msgpack file, as flax writes: save its tensors as .safe"),
        (b"\x89HDF\r\n\x1a\n" + bytes(80), "it is an HDF5 file, as Keras and h5py write: save its tensors as .safe"),
        (arrays(), "it is a NumPy archive (.npz): save its tensors as .safetensors"),
        (keras(), "it is a Keras model: save its tensors as .safetensors"),
        (bytes(40) + bytes.fromhex("57fb808b247547db"), "it is a TensorFlow checkpoint: save its tensors as .safe"),
        (b'model_checkpoint_path: "model.ckpt-8000"\n', "it is a TensorFlow checkpoint: save its tensors as .safe"),
        (b"\x1f\x8b\x08\0" + bytes(60), "it is a packed file: unpack it first"),
        (b"", "it is empty"),
    ],
    ids=["lfs", "page", "onnx", "msgpack", "hdf5", "npz", "keras", "index", "checkpoint", "gzip", "empty"],
)
def test_what_is_no_file_of_weights_is_told(tmp_path, capsys, name, data, says):
    (tmp_path / name).write_bytes(data)
    assert main(["import", str(tmp_path / name), "-o", str(tmp_path / "o.safetensors")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert main(["show", str(tmp_path / name)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line or "a pickle could run code" in line


def test_tensorflow_is_told_by_names(tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\x08\x01")
    (tmp_path / "ckpt.index").write_bytes(b"")
    for name in ("ckpt.data-00000-of-00001", "frozen.pb"):
        (tmp_path / name).write_bytes(bytes(10))
    for name in ("saved", "ckpt", "ckpt.data-00000-of-00001", "frozen.pb"):
        with pytest.raises(UserError, match=r"; it is a TensorFlow (model|checkpoint|graph): save its tensors as \.sa"):
            formats.load(tmp_path / name)
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="no file '.*other'; it is a folder"):
        formats.load(tmp_path / "other")


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"data.pkl": pickled({}), "code__net.py": b"x = 1\n" * 99, "constants.pkl": b""}, "a TorchScript program"),
        ({"code__net.py": b"x = 1\n" * 99, "model.json": b"{}"}, "a TorchScript program"),
        ({"archive_format": b"pt2", "models__model.json": b"{}"}, r"a program of torch\.export"),
    ],
    ids=["of today", "of torch 1.0", "exported"],
)
def test_programs_are_told_before_how_they_are_packed(tmp_path, members, says):
    (tmp_path / "net.pt").write_bytes(packed(**members))
    with pytest.raises(UserError, match=rf"holds {says}: load it where it was made, and torch\.save its state_dict"):
        formats.load(tmp_path / "net.pt")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_safetensors_of_others_are_read_as_the_same_in_torch(tmp_path, prefix, dtype):
    for family, shapes in (("erikhelmut", CHEST), ("chenmingxiang110", COPIED)):
        t = {name: tensor.to(dtype) for name, tensor in drawn(shapes).items()}
        torch.save(t, tmp_path / "a_sobel.pth")
        save_file({f"{prefix}{name}": v for name, v in t.items()}, tmp_path / "b_sobel.safetensors")
        plain, made = formats.load(tmp_path / "a_sobel.pth"), formats.load(tmp_path / "b_sobel.safetensors")
        assert made.card["origin"]["from"] == family
        for mine, theirs in zip(made.rule.parameters(), plain.rule.parameters(), strict=True):
            assert torch.equal(mine, theirs)


def test_safetensors_without_names_of_their_own_are_read_by_shape(tmp_path):
    names: list[str] = ["z", "a", "m"]  # the file sorts them
    t = dict(zip(names, drawn(COPIED).values(), strict=True))
    torch.save(t, tmp_path / "a.pth")
    save_file(t, tmp_path / "b.safetensors")
    plain, made = (formats.load(tmp_path / name, "johnromanelis") for name in ("a.pth", "b.safetensors"))
    assert all(torch.equal(p, q) for p, q in zip(plain.rule.parameters(), made.rule.parameters(), strict=True))


def test_safetensors_that_are_cut_too_many_or_our_own(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_file(drawn(COPIED), path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="truncated or damaged"):
        formats.load(path)
    save_file(drawn(COPIED), path)
    monkeypatch.setattr("planaria.store.formats.readers.MOST_NUMBERS", 100)
    with pytest.raises(UserError, match="holds more than 100 numbers"):
        formats.load(path)
    store.save(path, Rule(), Layout())
    with pytest.raises(UserError, match=r"is planaria's own already: planaria play .*a\.safetensors"):
        formats.load(path)


def test_a_bin_that_torch_wrote_is_read(tmp_path):
    torch.save(drawn(COPIED), tmp_path / "pytorch_model.bin")
    assert formats.load(tmp_path / "pytorch_model.bin").card["origin"]["from"] == "chenmingxiang110"


def test_of_an_automaton_and_its_average_a_person_chooses_one(tmp_path):
    t = drawn(COPIED)
    torch.save(t | {f"ema.{name}": 2 * v for name, v in t.items()}, tmp_path / "two.pth")
    with pytest.raises(UserError, match=r"holds 2 automata; choose one: --net NAME, of 0, ema$"):
        formats.load(tmp_path / "two.pth")
    first, average = (formats.load(tmp_path / "two.pth", net=name).rule.weights[0] for name in ("0", "ema"))
    assert torch.equal(2 * first, average)


def test_noise_is_no_msgpack():
    assert what_it_really_is(bytes.fromhex("8da949346e45cdd2f74be616c1095bc8")) == ""
    assert what_it_really_is(b"\xde\0\x11\xa6params\x81").startswith("a msgpack file")


MONASH = {"update_network.0.weight": (128, 48, 1, 1), "update_network.0.bias": (128,)} | {
    "update_network.2.weight": (16, 128, 1, 1)
}
NETS = {"net.0.weight": (20, 48, 1, 1), "net.0.bias": (20,), "net.2.weight": (16, 20, 1, 1)}
TEXTURE = {"w1.weight": (96, 48, 1, 1), "w1.bias": (96,), "w2.weight": (12, 96, 1, 1)}
LEARNED = {"model.0.weight": (24, 16, 3, 3), "model.0.bias": (24,), "model.2.weight": (16, 24, 1, 1)}
FILES = {
    "chenmingxiang110": COPIED, "erikhelmut": CHEST, "monash-growing": MONASH, "nca-tutorial": NETS,
    "google-texture": TEXTURE, "differentiable-morphogenesis": LEARNED,
}  # fmt: skip
ALIKE = {("google-texture", "monash-texture")}
"""What a file doesn't tell apart: the family, and what else a person may say that it is."""


@pytest.mark.parametrize("family", FILES)
@pytest.mark.parametrize("prefix", ["", "model.", "module."])
def test_what_a_person_says_against_the_file_is_refused(tmp_path, family, prefix):
    path = tmp_path / "x_sobel.pth"
    torch.save({f"{prefix}{name}": v for name, v in drawn(FILES[family]).items()}, path)
    assert formats.load(path, family).card["origin"]["from"] == family
    for other in formats.names():
        if other != family and (family, other) not in ALIKE:
            with pytest.raises(UserError, match=f"not of {other}") as error:
                formats.load(path, other)
            assert f" do: --from {family}" in str(error.value)
            assert len(str(error.value).splitlines()) == 1


def test_json_and_bare_numbers_are_no_archive_of_torch(tmp_path):
    textures(tmp_path / "models.json")
    torch.zeros(8320).numpy().tofile(tmp_path / "cat.bin")
    for name, net, right in (("models.json", "mesh", "google-texture-web"), ("cat.bin", "", "monash-growing-web")):
        for other in formats.names():
            if other != right:
                with pytest.raises(UserError, match=rf"not of {other}.* do: --from {right}$"):
                    formats.load(tmp_path / name, other, net=net)


def test_a_page_that_a_server_answers_is_no_graph(tmp_path):
    Path(tmp_path / "g.json").write_text(json.dumps({"message": "Not Found"}))
    with pytest.raises(UserError, match="JSON, but no list of layers"):
        formats.load(tmp_path / "g.json")
