"""Published automata: a step of each family is that of its published definition, in float64, written down anew."""

import json
import os
import pickle
import zipfile

import pytest
import torch
import torch.nn.functional as F
from helpers.published import (
    CHEST,
    KERNELS,
    LAP9,
    ONE,
    SX,
    TEXTURE,
    alive,
    dense,
    drawn,
    felt,
    interleaved,
    layers,
    ours,
    rng,
    stacked,
    state,
)  # fmt: skip

from planaria import store
from planaria.core.shuffle import shuffled
from planaria.errors import UserError
from planaria.store import formats


@pytest.mark.parametrize("kernel", list(KERNELS))
def test_erikhelmut(tmp_path, kernel):
    t = drawn(CHEST)
    torch.save(t, tmp_path / f"chest_{kernel}.pt")
    x, k = state(16), KERNELS[kernel]
    maps = interleaved(felt(x, [ONE, k, k.T], "zero"))
    y = x + dense(
        dense(maps, t["update_module.0.weight"], t["update_module.0.bias"]).relu(), t["update_module.2.weight"], None
    )
    mine, made = ours(tmp_path / f"chest_{kernel}.pt", x)
    torch.testing.assert_close(mine, y * (alive(x) & alive(y)), atol=1e-6, rtol=1e-6)
    assert made.rule.config.fire_rate == 1.0
    assert formats.load(tmp_path / f"chest_{kernel}.pt").rule.config.fire_rate == 0.5
    assert made.card["grid"] == [28, 28]


def test_the_kernel_is_asked_for_where_no_name_tells_it(tmp_path):
    t = drawn(
        {"update_module.0.weight": (8, 48, 1, 1), "update_module.0.bias": (8,), "update_module.2.weight": (16, 8, 1, 1)}
    )
    torch.save(t, tmp_path / "a.pt")
    with pytest.raises(UserError, match="'a' says none; give --kernel with one of: sobel, scharr"):
        formats.load(tmp_path / "a.pt")
    assert formats.load(tmp_path / "a.pt", kernel="mean").rule.config.filters == ("identity", "mean", "mean")


def test_differentiable_morphogenesis(tmp_path):
    t = drawn(
        {
            "model.0.weight": (24, 16, 3, 3),
            "model.0.bias": (24,),
            "model.2.weight": (16, 24, 1, 1),
            "model.2.bias": (16,),
        }
    )
    torch.save(t, tmp_path / "nca.pt")
    x = state(16)
    hidden = F.conv2d(x[None], t["model.0.weight"].double(), t["model.0.bias"].double(), padding=1)[0].relu()
    y = (x + dense(hidden, t["model.2.weight"], t["model.2.bias"])) * alive(x)
    mine, made = ours(tmp_path / "nca.pt", x)
    torch.testing.assert_close(mine, y, atol=1e-6, rtol=1e-6)
    assert made.rule.config.life == "before"


class Conv2d:
    """Stands for torch's; written under its name, it must not be looked up."""


class CA:
    """A whole module, as `torch.save(model)` wrote it."""

    def __init__(self, tensors: dict[str, torch.Tensor]):
        self.training = True
        self._modules = {}
        for name in ("w1", "w2", "w3"):
            part = Conv2d()
            part.__dict__ |= {"_parameters": {"weight": tensors[f"{name}.weight"], "bias": tensors.get(f"{name}.bias")}}
            self._modules[name] = part


@pytest.mark.parametrize("last_bias", [True, False])
def test_image_manipulation(tmp_path, last_bias):
    shapes = {"w1.weight": (90, 72, 1, 1), "w1.bias": (90,), "w2.weight": (90, 90, 1, 1), "w2.bias": (90,)}
    t = drawn(shapes | {"w3.weight": (9, 90, 1, 1)} | ({"w3.bias": (9,)} if last_bias else {}), 0.1)
    torch.save(CA(t), tmp_path / "Mosaic.pt")
    photo = torch.rand(1, 3, 12, 10, generator=rng(5)).double()
    far = torch.cat([shuffled(photo, s) for s in (4, 8, 16)], 1)[0] - 0.5
    own = state(9, 12, 10)
    theirs = torch.cat([photo[0] - 0.5, far, own])
    rest = interleaved(felt(theirs, [SX, SX.T, LAP9], "circular"))
    p = dense(torch.cat([theirs, rest]), t["w1.weight"], t["w1.bias"]).relu()
    p = dense(p, t["w2.weight"], t["w2.bias"]).relu()
    y = own + dense(p, t["w3.weight"], t.get("w3.bias"))
    made = formats.load(tmp_path / "Mosaic.pt")
    exposed = made.layout.exposed(photo)[0]
    torch.testing.assert_close(exposed, torch.cat([photo[0] - 0.5, far]))
    mine, _ = ours(tmp_path / "Mosaic.pt", torch.cat([own, exposed]))
    torch.testing.assert_close(mine[:9], y, atol=1e-6, rtol=1e-6)
    assert torch.equal(mine[9:], exposed)
    assert made.layout.offset == 0.5
    assert made.card["task"] == "style"


def test_distill(tmp_path):
    (w1, b1), (w2, b2) = layers(tmp_path / "ex3_snail.json", [(48, 30), (30, 16)])
    x = state(16)
    p = stacked(felt(x, [ONE, SX / 8, SX.T / 8], "zero"))
    y = x + dense(dense(p, w1.T, b1).relu(), w2.T, b2)
    mine, made = ours(tmp_path / "ex3_snail.json", x)
    torch.testing.assert_close(mine, y * (alive(x) & alive(y)), atol=1e-5, rtol=1e-6)
    assert made.card["origin"]["licence"] == "code CC-BY-4.0; of these weights nothing is known"


@pytest.mark.parametrize(
    ("origin", "offset"), [("google-texture", 0.5), ("monash-texture", 0.0), ("monash-texture-web", 0.0)]
)
def test_textures(tmp_path, origin, offset):
    t = drawn(TEXTURE)
    path = tmp_path / ("bubbles.bin" if origin.endswith("web") else "bubbles.pth")
    if path.suffix == ".bin":
        path.write_bytes(torch.cat([v.flatten() for v in t.values()]).numpy().tobytes())
    else:
        torch.save(t, path)
        with pytest.raises(UserError, match="could be of google-texture or monash-texture; say which: --from"):
            formats.load(path)
    x = state(12)
    p = interleaved(felt(x, [ONE, SX, SX.T, LAP9], "circular"))
    y = x + dense(dense(p, t["w1.weight"], t["w1.bias"]).relu(), t["w2.weight"], None)
    mine, made = ours(path, x, origin)
    torch.testing.assert_close(mine, y, atol=1e-6, rtol=1e-6)
    assert made.layout.offset == offset


def test_what_is_imported_is_a_model_like_any_other(tmp_path):
    layers(tmp_path / "ex1_bat.json", [(48, 20), (20, 16)])
    made = formats.load(tmp_path / "ex1_bat.json")
    store.save(tmp_path / "bat.safetensors", made.rule, made.layout, made.card)
    rule, layout = store.load(tmp_path / "bat.safetensors")
    assert layout == made.layout
    assert all(torch.equal(a, b) for a, b in zip(rule.parameters(), made.rule.parameters(), strict=True))
    told = store.card(tmp_path / "bat.safetensors")["origin"]
    assert told["from"] == "distill"
    assert told["file"] == "ex1_bat.json"
    assert len(told["sha256"]) == 64


def test_nothing_of_a_module_is_looked_up(tmp_path):
    flag = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {flag}",)

    for k, thing in enumerate((Evil(), {"w1.weight": Evil()})):
        path = tmp_path / f"{k}.pt"
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("a/data.pkl", pickle.dumps(thing, 2))
        with pytest.raises(UserError, match=r"knows; it holds no tensors; what can be read: planaria list f"):
            formats.load(path)
    assert not flag.exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"weight_scale": float("nan")}, "scales that are no numbers"),
        ({"bias_scale": "1"}, "scales that are no numbers"),
        ({"weight_scale": True}, "scales that are no numbers"),
        ({"in_ch": 10**9, "out_ch": 60_000}, "not 1 to 65536"),
        ({"in_ch": 65_000, "out_ch": 65_000}, "should hold 4,225,065,000 bytes"),
        ({"in_ch": -1}, "not 1 to 65536"),
        ({"in_ch": 47}, "should hold 960 bytes"),
        ({"data_b64": "!" * 1308}, "no base64"),
        ({"data_b64": None}, "should hold 980 bytes"),
    ],
)
def test_broken_json(tmp_path, change, why):
    path = tmp_path / "ex1.json"
    layers(path, [(48, 20), (20, 16)])
    told = json.loads(path.read_text())
    path.write_text(json.dumps([told[0] | change, told[1]]))
    with pytest.raises(UserError, match=why):
        formats.load(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1]", '[{"a": 1}', "[" * 100_000, "\udc80"])
def test_json_of_something_else(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(UserError, match=r"a\.json: "):
        formats.load(path)


def test_layers_that_are_tied_to_one_picture_size(tmp_path):
    layers = {"net.0.weight": torch.zeros(8, 3, 3, 3), "net.1.norm.weight": torch.ones(8, 50, 50)}
    torch.save(layers, tmp_path / "genca.pth")
    with pytest.raises(UserError, match="net.1.norm.weight normalises over a grid of 8x50x50, as GENCA's layers do"):
        formats.load(tmp_path / "genca.pth")


@pytest.mark.parametrize("missing", CHEST)
def test_a_layer_that_is_not_there(tmp_path, missing):
    torch.save({name: t for name, t in drawn(CHEST).items() if name != missing}, tmp_path / "sobel.pt")
    with pytest.raises(UserError, match=f"it has no {missing}; it holds update_module"):
        formats.load(tmp_path / "sobel.pt", "erikhelmut")


def test_files_that_fit_nothing(tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(bytes(4 * 100))
    with pytest.raises(UserError, match="it holds numbers 100"):
        formats.load(tmp_path / "a.bin")
    (tmp_path / "b.bin").write_bytes(bytes(5))
    with pytest.raises(UserError, match="no whole number of float32"):
        formats.load(tmp_path / "b.bin")
    torch.save({"model.0.weight": torch.zeros(8, 16, 3, 3), "odd": torch.zeros(3)}, tmp_path / "c.pt")
    with pytest.raises(
        UserError, match="not of differentiable-morphogenesis: it has no model.2.weight; it holds model.0"
    ):
        formats.load(tmp_path / "c.pt", "differentiable-morphogenesis")
    with pytest.raises(UserError, match="unknown format 'distil'.*Did you mean 'distill'"):
        formats.load(tmp_path / "c.pt", "distil")
    with pytest.raises(UserError, match="no file"):
        formats.load(tmp_path / "none.pt")
    bad = {"w1.weight": torch.full((96, 48, 1, 1), torch.nan), "w1.bias": torch.zeros(96)}
    torch.save(bad | {"w2.weight": torch.zeros(12, 96, 1, 1)}, tmp_path / "d.pt")
    with pytest.raises(UserError, match="w1.weight holds what is no number"):
        formats.load(tmp_path / "d.pt", "google-texture")
    monkeypatch.setattr("planaria.store.formats.readers.MOST_NUMBERS", 100)
    with pytest.raises(UserError, match="more than 100 numbers"):
        formats.load(tmp_path / "c.pt")
    monkeypatch.setattr("planaria.store.formats.readers.MOST_BYTES", 100)
    with pytest.raises(UserError, match="no published automaton takes more"):
        formats.load(tmp_path / "c.pt")
    with (tmp_path / "e.json").open("wb") as file:
        file.truncate(8_000_001)  # takes no room on the disk
    monkeypatch.setattr("planaria.store.formats.readers.MOST_BYTES", 64_000_000)
    with pytest.raises(UserError, match="no published automaton takes more than 8,000,000"):
        formats.load(tmp_path / "e.json")
