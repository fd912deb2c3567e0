"""Published automata of graphs, tiles and notebooks: a step of each is that of its published definition, in float64."""

import base64
import json
import math
import os
import struct
import zlib
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers.published import (
    LAP9,
    ONE,
    SX,
    alive,
    constant,
    dense,
    drawn,
    felt,
    interleaved,
    ours,
    rng,
    stacked,
    state,
    textures,
)

from planaria.cli import main
from planaria.errors import UserError
from planaria.store import formats

HIDDEN = 24
LIVING = {"layers.0.weight": (HIDDEN, 48), "layers.0.bias": (HIDDEN,), "layers.1.weight": (16, HIDDEN)}


def living() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    w1, b1, w2 = drawn(LIVING).values()
    return w1, b1, w2


def graph(path: Path, change=lambda nodes: nodes) -> tuple[torch.Tensor, ...]:
    """A graph as the notebook exports it: constants in no order, other nodes between."""
    w1, b1, w2 = living()
    b2 = 0.1 * torch.randn(16, generator=rng(9))
    nodes = [
        {"name": "x", "op": "Placeholder"},
        constant("dmodel/conv2d_1/BiasAdd/ReadVariableOp/resource", b2),
        constant("dmodel/conv2d_1/Conv2D/ReadVariableOp/resource", w2.T[None, None]),
        constant("stack/identify", torch.zeros(3, 3)),
        constant("dmodel/conv2d/BiasAdd/ReadVariableOp/resource", b1),
        constant("dmodel/conv2d/Conv2D/ReadVariableOp/resource", w1.T[None, None]),
        {"name": "Cos", "op": "Cos", "input": ["angle"]},
    ]
    told = {"format": "graph-model", "modelTopology": {"node": change(nodes), "versions": {}}, "weightsManifest": []}
    path.write_text(json.dumps(told))
    return w1, b1, w2, b2


def test_google_growing(tmp_path):
    w1, b1, w2, b2 = graph(tmp_path / "08000.json")
    x = state(16)
    y = x + dense(dense(interleaved(felt(x, [ONE, SX / 8, SX.T / 8], "zero")), w1, b1).relu(), w2, b2)
    mine, made = ours(tmp_path / "08000.json", x)
    torch.testing.assert_close(mine, y * (alive(x) & alive(y)), atol=1e-6, rtol=1e-6)
    assert made.card["origin"]["from"] == "google-growing"
    assert made.card["origin"]["licence"] == "code Apache-2.0; of these weights nothing is known"


def test_a_graph_whose_weights_lie_beside_it(tmp_path):
    w1, b1, w2, b2 = graph(tmp_path / "whole.json")
    named = {"conv2d/kernel": w1.T[None, None], "conv2d/bias": b1, "conv2d_1/kernel": w2.T[None, None]}
    named["conv2d_1/bias"] = b2
    data = b"".join(t.float().contiguous().numpy().tobytes() for t in named.values())
    (tmp_path / "group1-shard1of2").write_bytes(data[:1000])
    (tmp_path / "group1-shard2of2").write_bytes(data[1000:])
    weights = [{"name": name, "shape": list(t.shape), "dtype": "float32"} for name, t in named.items()]
    paths = ["group1-shard1of2", "group1-shard2of2"]
    told = {"format": "layers-model", "modelTopology": {}, "weightsManifest": [{"paths": paths, "weights": weights}]}
    (tmp_path / "model.json").write_text(json.dumps(told))
    for mine, theirs in zip(
        formats.load(tmp_path / "model.json").rule.parameters(),
        formats.load(tmp_path / "whole.json").rule.parameters(),
        strict=True,
    ):
        assert torch.equal(mine, theirs)
    told["weightsManifest"][0]["paths"] = ["../whole.json"]
    (tmp_path / "away.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match=r"should lie beside it, not in '\.\./whole\.json'"):
        formats.load(tmp_path / "away.json")
    (tmp_path / "group1-shard2of2").write_bytes(data[1000:-4])
    with pytest.raises(UserError, match="its weights hold 9,244 bytes|its weights hold [0-9,]+ bytes, not"):
        formats.load(tmp_path / "model.json")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda nodes: nodes[:2], "without constants of 1x1 convolutions"),
        (lambda nodes: {}, "without constants of 1x1 convolutions"),
        (lambda nodes: [*nodes, huge()], "holds more than 16,000,000 numbers"),
        (lambda nodes: [*nodes, short()], "a constant of 4 numbers has 4 letters"),
        (lambda nodes: [{"op": "Const", "attr": 7}, "nonsense", None, *nodes[:1]], "without constants"),
    ],
)
def test_a_hostile_graph_is_one_line(tmp_path, change, says):
    graph(tmp_path / "a.json", change)
    with pytest.raises(UserError, match=says):
        formats.load(tmp_path / "a.json")


def test_shards_that_are_not_there_and_constants_that_are_no_numbers(tmp_path):
    graph(tmp_path / "a.json")
    told = json.loads((tmp_path / "a.json").read_text())
    weights = [{"name": "a", "shape": [4], "dtype": "float32"}]
    (tmp_path / "away.json").write_text(json.dumps(told | {"weightsManifest": [{"paths": ["b"], "weights": weights}]}))
    with pytest.raises(UserError, match="its weights lie in 'b', and there is no such file"):
        formats.load(tmp_path / "away.json")
    for value, says in (([10**400], "holds no numbers"), (["x"], "holds no numbers"), ([1, 2, 3], "holds no numbers")):
        node = constant("odd", torch.zeros(2))
        del node["attr"]["value"]["tensor"]["tensorContent"]
        node["attr"]["value"]["tensor"]["floatVal"] = value
        graph(tmp_path / "odd.json", lambda nodes, node=node: [*nodes, node])
        with pytest.raises(UserError, match=says):
            formats.load(tmp_path / "odd.json")
    filled = constant("dmodel/conv2d/BiasAdd/ReadVariableOp/resource", torch.zeros(HIDDEN))
    filled["attr"]["value"]["tensor"] |= {"floatVal": [0.5]}
    del filled["attr"]["value"]["tensor"]["tensorContent"]
    graph(tmp_path / "filled.json", lambda nodes: [filled if n.get("name") == filled["name"] else n for n in nodes])
    assert (formats.load(tmp_path / "filled.json").rule.biases[0] == 0.5).all()


def huge() -> dict[str, object]:
    node = constant("much", torch.zeros(2))
    node["attr"]["value"]["tensor"]["tensorShape"] = {"dim": [{"size": "1000000000"}, {"size": "1000000000"}]}
    return node


def short() -> dict[str, object]:
    node = constant("short", torch.zeros(4))
    node["attr"]["value"]["tensor"]["tensorContent"] = "AAAA"
    return node


def test_google_texture_by_name(tmp_path):
    (w1, b1), (w2, b2) = textures(tmp_path / "models.json")
    theirs = state(12, 9, 8, 1.2).clamp(-2, 2)
    maps = stacked(felt(theirs, [ONE, SX / 8, SX.T / 8, LAP9 / 8], "circular"))
    y = (theirs + dense(dense(maps, w1.T, b1).relu(), w2.T, b2)).clamp(-2, 2)
    assert float((y.abs() == 2).double().mean()) > 0.05, "the bounds are met"
    made = formats.load(tmp_path / "models.json", net="grid_0002")
    rule = made.rule.double()
    object.__setattr__(rule, "config", type(rule.config)(**{**rule.config.__dict__, "fire_rate": 1.0}))
    torch.testing.assert_close(2 * rule(theirs[None] / 2)[0], y, atol=1e-6, rtol=0)
    torch.testing.assert_close(made.layout.picture(theirs[None] / 2)[0], theirs[:3] / 2 + 0.5)
    assert made.card["name"] == "grid-0002"
    assert torch.equal(formats.load(tmp_path / "models.json", net="3").rule.weights[0], made.rule.float().weights[0])


def test_a_texture_is_asked_for_by_name(tmp_path, capsys):
    textures(tmp_path / "models.json")
    assert main(["import", str(tmp_path / "models.json")]) == 2
    assert "holds 5 textures; choose one: --net NAME, of bubbly, chequered, dotted" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "models.json"), "--net", "bubbley"]) == 2
    assert "Did you mean 'bubbly'" in capsys.readouterr().err
    out = tmp_path / "bubbly.safetensors"
    assert main(["import", str(tmp_path / "models.json"), "--net", "bubbly", "-o", str(out)]) == 0
    assert main(["show", str(out)]) == 0
    assert "Apache-2.0" in capsys.readouterr().out


def torn(told: dict) -> dict:
    """A first layer whose picture ends with a chunk of colours that breaks off where its reader doesn't expect it."""
    png, odd = base64.b64decode(told["layers"][0]["data"].partition(",")[2]), b"iCCPa\0"
    at = png.index(b"IEND") - 4
    png = png[:at] + struct.pack(">I", 2) + odd + struct.pack(">I", zlib.crc32(odd)) + png[at:]
    data = "data:image/png;base64," + base64.b64encode(png).decode()
    return told | {"layers": [told["layers"][0] | {"data": data}, told["layers"][1]]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"told": torn}, "can be read"),
        ({"pixels": lambda p: p[:-1]}, "should be a PNG of 72x98 pixels, and is one of 72x97"),
        ({"told": lambda t: t | {"layers": [t["layers"][0] | {"scale": math.nan}, t["layers"][1]]}}, "no number: nan"),
        ({"told": lambda t: t | {"layers": [t["layers"][0] | {"shape": [10**9, 96]}, t["layers"][1]]}}, "shape is"),
        ({"told": lambda t: t | {"layers": [t["layers"][0] | {"data": "AAAA"}, t["layers"][1]]}}, "no PNG as a data"),
        ({"told": lambda t: t | {"layers": [t["layers"][0] | {"data": "data:image/png;base64,AA"}]}}, "can be read"),
        ({"told": lambda t: t | {"layers": ["x"]}}, "its layers are none"),
        ({"told": lambda t: t | {"layers": [t["layers"][0] | {"scale": 10**400}, t["layers"][1]]}}, "no number: 1000"),
        (
            {"told": lambda t: {"layers": [one | {"layout": [60_000, 60_000]} for one in t["layers"]]}},
            "says that it holds 3,600,000,000 textures",
        ),
    ],
)
def test_hostile_tiles_are_one_line(tmp_path, changes, says):
    textures(tmp_path / "models.json", **changes)
    with pytest.raises(UserError, match=says):
        formats.load(tmp_path / "models.json", net="3")


def torus_alive(x: torch.Tensor, edge: str) -> torch.Tensor:
    padded = F.pad(x[None, 3:4], (1, 1, 1, 1), "circular" if edge == "circular" else "constant")
    return F.max_pool2d(padded, 3, 1)[0] > 0.1


@pytest.mark.parametrize(
    ("name", "origin", "order", "kernels", "edge"),
    [
        ("update_network", "monash-growing", stacked, [ONE, SX, -SX.T], "zero"),
        ("net", "nca-tutorial", interleaved, [0 * ONE, SX, SX.T], "circular"),
        ("whatever", "johnromanelis", interleaved, [ONE, SX, SX.T], "circular"),
    ],
)
def test_growing_on_a_torus(tmp_path, name, origin, order, kernels, edge):
    w1, b1, w2 = living()
    named = {f"{name}.0.weight": w1[..., None, None], f"{name}.0.bias": b1, f"{name}.2.weight": w2[..., None, None]}
    torch.save(named, tmp_path / "a.pth")
    x = 0.05 * state(16)
    x[:, 4, 6] = x[3, 0, 2] = 1.0  # living cells at the rim, with dead ones across it
    y = x + dense(dense(order(felt(x, kernels, "circular")), w1, b1).relu(), w2, None) / 8
    named[f"{name}.2.weight"] /= 8
    torch.save(named, tmp_path / "a.pth")
    mine, made = ours(tmp_path / "a.pth", x, "johnromanelis" if origin == "johnromanelis" else "")
    torch.testing.assert_close(mine, y * torus_alive(y, edge), atol=1e-6, rtol=1e-6)
    assert made.card["origin"]["from"] == origin
    assert made.layout.straight
    seed = made.layout.seed(1, 9)[0, :, 4, 4]
    assert seed[3] == 1
    assert float(seed[4:].sum()) == (12.0 if origin == "johnromanelis" else 0.0)
    if origin == "johnromanelis":
        with pytest.raises(UserError, match="of no format that planaria knows"):
            formats.load(tmp_path / "a.pth")
    elif edge == "zero":
        assert not torch.equal(torus_alive(y, "zero"), torus_alive(y, "circular")), "the rim matters here"


def test_monash_growing_for_the_web(tmp_path):
    w1, b1, w2 = drawn({"w1": (128, 48), "b1": (128,), "w2": (16, 128)}).values()
    named = {"update_network.0.weight": w1, "update_network.0.bias": b1, "update_network.2.weight": w2}
    torch.save({k: v[..., None, None] if v.ndim == 2 else v for k, v in named.items()}, tmp_path / "cat.pth")
    (tmp_path / "cat.bin").write_bytes(torch.cat([t.flatten() for t in (w1, b1, w2)]).numpy().tobytes())
    a, b = formats.load(tmp_path / "cat.pth"), formats.load(tmp_path / "cat.bin")
    assert all(torch.equal(p, q) for p, q in zip(a.rule.parameters(), b.rule.parameters(), strict=True))
    assert b.card["origin"]["from"] == "monash-growing-web"


class Conv2d:
    """Stands for torch's; written under its name, it must not be looked up."""


class CA:
    """A whole module, as `torch.save(model)` wrote it, with modules in a list of modules."""

    def __init__(self, tensors: dict[str, torch.Tensor], blurs: list[torch.Tensor]):
        self.training, self._modules = True, {}
        for name in ("w1", "w2", "w3"):
            part = Conv2d()
            part.__dict__ |= {"_parameters": {"weight": tensors[f"{name}.weight"], "bias": tensors[f"{name}.bias"]}}
            self._modules[name] = part
        several = Conv2d()
        several.__dict__["_modules"] = {}
        for k, weight in enumerate(blurs):
            one = Conv2d()
            one.__dict__ |= {"_buffers": {"weight": weight[None, None]}, "groups": 1, "conv": F.conv2d}
            several.__dict__["_modules"][str(k)] = one
        self._modules["blur_layers"] = several
        self.pad_size = [1, 3, 7]


def blur(size: int) -> torch.Tensor:
    away = torch.arange(size).double() - (size - 1) / 2
    line = torch.exp(-(away**2) / 8)
    return torch.outer(line, line) / line.sum() ** 2


def test_image_manipulation_by_its_notebooks(tmp_path):
    shapes = {"w1.weight": (90, 72, 1, 1), "w1.bias": (90,), "w2.weight": (90, 90, 1, 1), "w2.bias": (90,)}
    t = drawn(shapes | {"w3.weight": (15, 90, 1, 1), "w3.bias": (15,)}, 0.1)
    kernels = [blur(size) for size in (3, 7, 15)]
    torch.save(CA(t, [k.float() for k in kernels]), tmp_path / "Vaporwave.pt")
    theirs = state(18, 12, 10)
    rest = interleaved(felt(theirs, [SX, SX.T, LAP9], "circular"))
    y = dense(torch.cat([theirs, rest]), t["w1.weight"], t["w1.bias"]).relu()
    y = dense(dense(y, t["w2.weight"], t["w2.bias"]).relu(), t["w3.weight"], t["w3.bias"])
    melted = theirs.clone()
    for channel, kernel in zip((16, 15, 14), kernels, strict=True):
        r = len(kernel) // 2
        around = theirs[channel][torch.arange(-r, 12 + r) % 12][:, torch.arange(-r, 10 + r) % 10]
        melted[channel] = F.conv2d(around[None, None], kernel[None, None])[0, 0]
    mine, made = ours(tmp_path / "Vaporwave.pt", torch.cat([theirs[3:], theirs[:3]]))
    torch.testing.assert_close(mine, torch.cat([melted[3:] + y, theirs[:3]]), atol=1e-6, rtol=1e-6)
    assert made.card["origin"]["from"] == "image-manipulation-notebook"
    photo = torch.rand(1, 3, 12, 10, generator=rng(5))
    start = made.layout.pose(photo)[0]
    assert torch.equal(start[:3], start[15:])
    torch.testing.assert_close(start[:3], photo[0] - 0.5)


def test_nothing_in_a_module_is_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'executed'}",)

    t = {"w1.weight": torch.zeros(90, 72, 1, 1), "evil": Evil()}
    torch.save(t, tmp_path / "a.pt")
    with pytest.raises(UserError):
        formats.load(tmp_path / "a.pt")
    assert not (tmp_path / "executed").exists()
