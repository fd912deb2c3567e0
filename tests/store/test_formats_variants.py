"""Published files as people pass them on: wrapped, renamed, of older torches; and files that ask for too much."""

import base64
import io
import json
import os
import struct
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from helpers.published import CHEST, constant, drawn, ours, state, textures
from PIL import Image

from planaria import store
from planaria.cli import main
from planaria.errors import UserError
from planaria.store import formats

COPIED = {"fc0.weight": (20, 48), "fc0.bias": (20,), "fc1.weight": (16, 20)}
EDITING = {
    "w1.weight": (90, 72, 1, 1), "w1.bias": (90,), "w2.weight": (90, 90, 1, 1), "w2.bias": (90,),
    "w3.weight": (9, 90, 1, 1), "w3.bias": (9,),
}  # fmt: skip


class Repainter(torch.nn.Module):
    """A module with an attribute that its state dict doesn't have."""

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.w2, self.w3 = (torch.nn.Conv2d(*sides, 1) for sides in ((72, 90), (90, 90), (90, 9)))
        self.kernel = torch.ones(3, 3)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: {"state_dict": t, "epoch": 3},
        lambda t: {"model_state_dict": t, "optimizer": {"state": {0: {"exp_avg": torch.zeros(20, 48, 1, 1)}}}},
        lambda t: {f"module.{name}": v for name, v in t.items()},
        lambda t: {f"_orig_mod.model.{name}": v for name, v in t.items()},
        lambda t: {name: v.flatten(1) if v.ndim > 1 else v for name, v in t.items()},
    ],
    ids=["checkpoint", "with optimizer", "data parallel", "compiled", "linear layers"],
)
def test_an_automaton_within_something_else(tmp_path, wrap):
    t = drawn(CHEST)
    torch.save(t, tmp_path / "chest_sobel.pt")
    torch.save(wrap(t), tmp_path / "wrapped_sobel.pt")
    plain, found = (formats.load(tmp_path / f"{name}_sobel.pt") for name in ("chest", "wrapped"))
    assert found.card["origin"]["from"] == "erikhelmut"
    for mine, theirs in zip(found.rule.parameters(), plain.rule.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_of_two_automata_a_person_chooses_one(tmp_path):
    path = tmp_path / "two_sobel.pt"
    ours, theirs = drawn(CHEST), {name: -v for name, v in drawn(CHEST).items()}
    torch.save({"model": ours, "ema": theirs, "optimizer": {"state": {0: {"exp_avg": torch.zeros(9)}}}}, path)
    with pytest.raises(UserError, match=r"holds 2 automata; choose one: --net NAME, of ema, model$"):
        formats.load(path)
    with pytest.raises(UserError, match=r"unknown automaton 'modle'; have: ema, model\. Did you mean 'model'\?"):
        formats.load(path, net="modle")
    mine, other = (formats.load(path, net=name).rule.weights[0] for name in ("model", "ema"))
    assert torch.equal(mine, -other)


def test_what_nearly_is_one_is_told_how_it_differs(tmp_path):
    path = tmp_path / "x.pth"
    for tensors, says in (
        (COPIED | {"steps.weight": (3, 3)}, "; nearest is chenmingxiang110, but it has steps.weight besides; what"),
        (COPIED | {"fc1.weight": (3, 20)}, "; nearest is chenmingxiang110, but fc0.weight reads 48 numbers"),
        (
            {"0.weight": (20, 48), "0.bias": (20,), "2.weight": (16, 20)},
            "; if johnromanelis wrote it, say so: --from",
        ),
        ({"conv.weight": (4, 3)}, "it holds conv.weight 4x3; what can be read: planaria list formats"),
        ({"a\nb" + "c" * 90: (4, 3)}, r"it holds a\?b" + "c" * 57 + " 4x3; what"),
    ):
        torch.save(drawn(tensors), path)
        with pytest.raises(UserError, match=says) as error:
            formats.load(path)
        assert len(str(error.value)) < 400 + len(str(path))


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (torch.zeros(3, 3), r"it holds a tensor without a name, 3x3; what"),
        ({"fc0.weight": torch.zeros(3, 3, dtype=torch.int8)}, "holds floating point; fc0.weight is int8$"),
        ({"fc0.weight": torch.zeros(3, 3, dtype=torch.complex64)}, "of a kind that planaria doesn't read .*Complex"),
        ({"fc0.weight": torch.zeros(3, 3).to(torch.float8_e5m2)}, "of a kind that planaria doesn't read .*Untyped"),
    ],
    ids=["bare", "whole", "complex", "eighths"],
)  # fmt: skip
def test_tensors_that_are_no_weights(tmp_path, thing, says):
    torch.save(thing, tmp_path / "x.pth")
    with pytest.raises(UserError, match=says):
        formats.load(tmp_path / "x.pth")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_what_is_there_but_no_file_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "link.pth").symlink_to(tmp_path / "gone.pth")
    for name, says in (("pipe", "pipe.pth: not a regular file$"), ("link", "link.pth: a link that leads nowhere$")):
        with pytest.raises(UserError, match=says):
            formats.load(tmp_path / f"{name}.pth")


@pytest.mark.parametrize("name", ["chest_sobel.ckpt", "chest_sobel.pth.tar", "chest_sobel", "chestSobel (1).PT"])
def test_names_that_files_go_by(tmp_path, name):
    torch.save(drawn(CHEST), tmp_path / name)
    assert formats.load(tmp_path / name).rule.config.filters == ("identity", "sobel")


def test_a_name_with_two_filters_tells_none(tmp_path):
    torch.save(drawn(CHEST), tmp_path / "mean_sobel.pt")
    with pytest.raises(UserError, match="'mean_sobel' says mean and sobel; give --kernel"):
        formats.load(tmp_path / "mean_sobel.pt")
    assert formats.load(tmp_path / "mean_sobel.pt", kernel="sobel").rule.config.filters == ("identity", "sobel")


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_whole_modules_of_any_torch(tmp_path, new, protocol):
    whole, t = Repainter(), drawn(EDITING, 0.1)
    whole.load_state_dict(t)
    with warnings.catch_warnings(action="ignore"):  # of torch: the source of some classes can't be kept
        torch.save(whole, tmp_path / "Mosaic.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=new)
    made = formats.load(tmp_path / "Mosaic.pt")
    assert made.card["origin"]["from"] == "image-manipulation"
    assert torch.equal(made.rule.weights[1], t["w2.weight"].flatten(1))


def test_genca_as_it_is_published(tmp_path):
    tied = {"weight": torch.ones(20, 50, 50), "bias": torch.zeros(20, 50, 50)}
    told = {"conv_layers.0.0.weight": torch.zeros(20, 8, 3, 3), "conv_layers.0.0.bias": torch.zeros(20)}
    torch.save(told | {f"conv_layers.0.1.{name}": t for name, t in tied.items()}, tmp_path / "lenia.pt")
    with pytest.raises(UserError, match=r"conv_layers.0.1.weight normalises over a grid of 20x50x50, as GENCA's"):
        formats.load(tmp_path / "lenia.pt")


@pytest.mark.parametrize("turned", [False, True])
def test_a_graph_as_wide_within_as_what_it_feels(tmp_path, turned):
    t = {"a": drawn({"w": (48, 48)})["w"], "b": drawn({"w": (16, 48)})["w"]}
    nodes = [constant(f"{name}/kernel", w.T[None, None]) for name, w in t.items()]
    nodes += [constant("a/bias", torch.zeros(48)), constant("b/bias", torch.zeros(16))]
    (tmp_path / "g.json").write_text(json.dumps({"modelTopology": {"node": nodes[::-1] if turned else nodes}}))
    x = state(16)
    made = ours(tmp_path / "g.json", x)[1]
    assert made.rule.config.hidden == (48,)
    assert torch.equal(made.rule.weights[1].float(), t["b"])


def test_textures_are_called_by_their_last_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    textures(tmp_path / "models.json", names=[f"texture/models/mixed_{k}-{what}" for k, what in enumerate("abcde")])
    assert main(["import", "models.json", "--net", "texture/models/mixed_3-d"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["models-mixed-3-d.safetensors", "models.json"]
    short = formats.load("models.json", net="mixed_3-d")
    assert short.card["name"] == "mixed-3-d"
    assert torch.equal(short.rule.weights[0], store.load("models-mixed-3-d.safetensors")[0].weights[0])
    capsys.readouterr()
    assert main(["import", "models.json", "--net", "9" * 5000]) == 2
    assert main(["import", "models.json", "--net", "mixed_9-d"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert len(first) < 400
    assert second.endswith("have: mixed_0-a, mixed_1-b, mixed_2-c, mixed_3-d, mixed_4-e. Did you mean 'mixed_3-d'?")


def test_a_name_that_is_no_text(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    odd = os.fsdecode(b"caf\xe9_sobel.pt")
    torch.save(drawn(CHEST), tmp_path / odd)
    assert main(["import", odd, "-o", "cafe.safetensors", "--name", os.fsdecode(b"caf\xe9")]) == 0
    assert main(["show", "cafe.safetensors"]) == 0
    assert "caf?_sobel.pt" in capsys.readouterr().out
    assert main(["import", odd]) == 0
    assert Path(os.fsdecode(b"caf\xe9_sobel.safetensors")).exists()


def test_a_name_that_is_too_long(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save(drawn(CHEST), tmp_path / "chest_sobel.pt")
    for words in (["b" * 300 + ".pt"], ["chest_sobel.pt", "-o", "c" * 300 + ".safetensors"]):
        assert main(["import", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "File name too long" in line


def zipped(path: Path, pickle: bytes) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a/data.pkl", pickle)


def test_a_pickle_that_joins_its_names_again_and_again(tmp_path):
    text = b"x" * 1_000_000
    zipped(
        tmp_path / "a.pt",
        b"\x80\x04X" + struct.pack("<I", len(text)) + text + b"q\x00" + 500 * b"h\x00h\x00\x93" + b".",
    )
    with pytest.raises(UserError, match="names something of 2,000,001 letters"):
        formats.load(tmp_path / "a.pt")


def test_a_pickle_that_goes_through_one_list_again_and_again(tmp_path):
    made = b"\x80\x02ccollections\nOrderedDict\nq\x00](K\x01K\x02\x86q\x02" + 3000 * b"h\x02" + b"e\x85q\x03"
    zipped(tmp_path / "a.pt", made + 3000 * b"h\x00h\x03R" + b".")
    with pytest.raises(UserError, match="more than 2,000,000 opcodes"):
        formats.load(tmp_path / "a.pt")


def test_shards_of_more_than_an_automaton_holds(tmp_path):
    with (tmp_path / "s").open("wb") as file:
        file.truncate(36_000_000)  # takes no room on the disk
    group = {"paths": ["s"], "weights": [{"name": "w", "shape": [9_000_000], "dtype": "float32"}]}
    for changed in ([group, group], [group | {"paths": ["s"] * 2000}], [{"paths": ["s"], "weights": []}]):
        (tmp_path / "m.json").write_text(json.dumps({"modelTopology": {}, "weightsManifest": changed}))
        with pytest.raises(UserError, match="16,000,000 at most, in 1,000 files|its weights hold 1 bytes, not 0"):
            formats.load(tmp_path / "m.json")


def test_a_graph_of_more_layers_than_any(tmp_path):
    nodes = [constant(f"k{k}", torch.zeros(1, 1, 1, 1)) for k in range(17)]
    (tmp_path / "m.json").write_text(json.dumps({"modelTopology": {"node": nodes}}))
    with pytest.raises(UserError, match="17 1x1 convolutions and 0 vectors; that is no automaton"):
        formats.load(tmp_path / "m.json")


def test_a_small_file_that_would_be_a_huge_rule(tmp_path):
    layers = []
    for rows, out in ((16_001, 4), (5, 4000)):
        Image.new("RGBA", (out // 4, rows)).save(file := io.BytesIO(), "PNG")
        data = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
        layers.append({"scale": 1.0, "data": data, "shape": [rows, out], "layout": [1, 1]})
    (tmp_path / "m.json").write_text(json.dumps({"layers": layers}))
    with pytest.raises(UserError, match="of 4,000 channels that keeps within bounds has 320,128,000 parameters"):
        formats.load(tmp_path / "m.json", net="0")


def test_numbers_that_a_scale_makes_endless(tmp_path):
    (tmp_path / "huge.bin").write_bytes(torch.full((5856,), 1e38).numpy().tobytes())
    with pytest.raises(UserError, match="damaged: its numbers are too large"):
        formats.load(tmp_path / "huge.bin")


def test_sizes_that_are_none_are_told_in_short(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"in_ch": [1] * 100_000, "out_ch": 3}] * 2))
    with pytest.raises(UserError, match="has in_ch and out_ch of") as error:
        formats.load(tmp_path / "a.json")
    assert len(str(error.value)) < 400
