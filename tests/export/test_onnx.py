"""ONNX: another runtime lives the same life."""

import json
import logging
import re
import sys

import numpy as np
import pytest
import torch
from helpers.rules import brink, rule

from planaria import store
from planaria.commands import install
from planaria.config import parse
from planaria.core.layout import Layout
from planaria.core.noise import fire
from planaria.core.rule import Rule, RuleConfig
from planaria.core.turn import turned
from planaria.engine import run
from planaria.errors import UserError
from planaria.export import Options, write
from planaria.export.onnx import graph

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
ort = pytest.importorskip("onnxruntime")

RULES = {
    "life ends at the rim": {"edge": "circular", "life": "after", "life_edge": "zero"},
    "blurred": {"edge": "circular", "life": "none", "blurs": ("4@3", "1@7"), "fire_rate": 1.0, "dt": 0.5},
    "zero, both": {},
    "circular, before, frozen, cond": {"edge": "circular", "life": "before", "life_channel": 2, "frozen": 2, "cond": 3},
    "circular, after, dt, gelu": {"edge": "circular", "life": "after", "dt": 0.5, "activation": "gelu", "bias": "all"},
    "none, two layers, tanh": {"life": "none", "hidden": (8, 5), "activation": "tanh", "fire_rate": 1.0},
    "frozen, silu, filters": {"frozen": 1, "activation": "silu", "filters": ("identity", "laplacian", "mean")},
    "elu, no bias, one channel of life": {"activation": "elu", "bias": "none", "life_channel": 0, "fire_rate": 0.3},
    "dilated": {"filters": ("identity", "sobel", "laplacian@3")},
    "dilated, circular": {"filters": ("learned@2", "scharr@12"), "edge": "circular", "life": "none", "spread": 0.05},
    "rings": {"filters": ("ring@3", "identity", "sobel", "ring"), "edge": "circular", "spread": 0.05},
    "replicate, both, frozen": {"edge": "replicate", "frozen": 2},
    "replicate, dilated": {"edge": "replicate", "life": "none", "filters": ("identity", "sobel@2"), "fire_rate": 1.0},
    "leaky, learned, no hidden layer": {
        "spread": 0.05,
        "activation": "leaky_relu",
        "filters": ("learned",),
        "hidden": (),
    },
}


def session(data: bytes):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def lived(live, r: Rule, x: torch.Tensor, steps: int, seed: int, cond: torch.Tensor | None) -> np.ndarray:
    """The state after `steps` steps in the other runtime, with the hash deciding who acts."""
    y, told = x.numpy(), {} if cond is None else {"cond": cond.numpy()}
    b, _, h, w = x.shape
    for t in range(steps):
        act = fire(r.config.fire_rate, seed, t, (b, h, w)).numpy()
        (y,) = live.run(None, {"x": y, "fire": act, **told})
    return y


@pytest.mark.parametrize("name", RULES)
def test_another_runtime_lives_the_same_life(name):
    r = rule(**RULES[name]).float().requires_grad_(False)
    k = r.config.cond
    live = session(graph(r, Layout(3, 0, hidden=3 - r.config.frozen, frozen=r.config.frozen)))
    assert [i.name for i in live.get_inputs()] == ["x", "fire", "cond"][: 2 + bool(k)]
    for b, h, w in ((1, 6, 7), (3, 11, 5), (2, 1, 9)):
        x = brink(b, 6, h, w).float() if h > 1 else torch.rand(b, 6, h, w)
        cond = torch.linspace(-1, 1, b * k).reshape(b, k) if k else None
        want = run(r, x, 20, seed=5, cond=cond, engine="reference")
        got = lived(live, r, x, 20, 5, cond)
        assert got.dtype == np.float32
        assert np.abs(got - want.numpy()).max() < 1e-5
        assert (want - x).abs().max() > 0.01
        if r.config.life == "both":
            assert ((want == 0).all(1).numpy() == (got == 0).all(1)).all()
        if h == 11 and r.config.fire_rate < 1:
            assert (want[:, : 6 - r.config.frozen] != 0).float().mean() > 0.1
            assert np.abs(lived(live, r, x, 20, 6, cond) - want.numpy()).max() > 1e-3


@pytest.fixture(scope="module")
def lizard(tmp_path_factory):
    """The lizard as a graph, under another name: writing one takes seconds."""
    return write("lizard", tmp_path_factory.mktemp("onnx") / "new" / "lizard.onnx", Options(name="Liz"))


def test_a_trained_model_grows_there(lizard):
    assert [p.name for p in lizard.parent.iterdir()] == ["lizard.onnx"]
    r, layout = store.load("lizard")
    x = layout.seed(1, (48, 56))
    got = lived(session(lizard.read_bytes()), r, x, 60, 7, None)
    want = run(r, x, 60, seed=7)
    assert np.abs(got - want.numpy()).max() < 1e-5
    assert (want[0, 3] > 0.5).sum() > 300


def test_it_says_what_it_is(lizard):
    proto = onnx.load(lizard)
    onnx.checker.check_model(proto, full_check=True)
    told = {p.key: p.value for p in proto.metadata_props}
    header = json.loads(told["planaria"])
    r, layout = store.load("lizard")
    assert parse(RuleConfig, (header["rule"], "rule")) == r.config
    assert parse(Layout, (header["layout"], "layout")) == layout
    assert header["card"] == {**store.card("lizard"), "name": "Liz"}
    assert "fold(key, v)" in told["fire"]
    assert "y = step(x, fire)" in proto.doc_string
    shapes = [
        (v.name, v.type.tensor_type.elem_type, [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim])
        for v in [*proto.graph.input, *proto.graph.output]
    ]
    kinds = onnx.TensorProto
    assert shapes == [
        ("x", kinds.FLOAT, ["b", 16, "h", "w"]),
        ("fire", kinds.BOOL, ["b", 1, "h", "w"]),
        ("y", kinds.FLOAT, ["b", 16, "h", "w"]),
    ]
    assert b"/planaria/" not in lizard.read_bytes()  # no file of whoever wrote it
    assert b"def forward" not in lizard.read_bytes()


def test_it_writes_in_silence_and_leaves_the_rule_alone(capfd):
    r = rule()
    level = logging.getLogger("torch.onnx").level
    assert graph(r, Layout(3, 0, hidden=3)) == graph(r, Layout(3, 0, hidden=3))
    assert logging.getLogger("torch.onnx").level == level
    assert capfd.readouterr() == ("", "")
    assert all(p.dtype == torch.double and p.requires_grad for p in r.parameters())


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_without_its_extra(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UserError, match=f"writing .onnx needs an optional dependency: {re.escape(install('onnx'))}"):
        write("lizard", tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_turned_graph_is_that_of_the_turned_rule(tmp_path):
    made, layout = rule().float(), Layout(4, 3, hidden=2)
    store.save(tmp_path / "m.safetensors", made, layout, {"name": "m"})
    path = write(tmp_path / "m.safetensors", tmp_path / "m.onnx", Options(turn=120))
    x = brink().float()
    want = run(turned(made, 120), x, 5, seed=3).detach().numpy()
    np.testing.assert_allclose(lived(session(path.read_bytes()), made, x, 5, 3, None), want, atol=1e-5)
