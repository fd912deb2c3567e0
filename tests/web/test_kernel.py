"""The WebAssembly kernel in node: what its sources give; it runs and differentiates rules as PyTorch does."""

import base64
import hashlib
import json
import re
import runpy
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.payloads import payload
from helpers.rules import brink
from helpers.rules import rule as random_rule

from planaria import store
from planaria.core.layout import Layout
from planaria.core.noise import derive
from planaria.engine import run

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILT = ROOT / "src/planaria/web/engine/kernel.wasm"
BATCH, SIZE, STEPS = 2, (11, 13), 8
MOMENT = {"seed": 2**32 - 5, "t": 3, "steps": STEPS, "origin": (4, 70000)}

RULES = {
    "classic": {"channels": 16, "hidden": (32,)},
    "two layers": {"hidden": (9, 7)},
    "four layers": {"hidden": (5, 8, 6), "bias": "all", "life": "none"},
    "no hidden layer": {"hidden": ()},
    "no bias": {"bias": "none"},
    "no bias, a condition": {"bias": "none", "cond": 2},
    "torus": {"edge": "circular"},
    "torus without life": {"edge": "circular", "life": "none", "filters": ("identity", "sobel", "laplacian")},
    "copied rim": {"edge": "replicate", "life": "after"},
    "life before": {"life": "before"},
    "life after": {"life": "after", "edge": "circular"},
    "life elsewhere": {"life_channel": 5, "life_threshold": 0.2},
    "life below zero": {"life_threshold": -0.02},
    "life below zero, on a torus": {"life_threshold": -0.02, "edge": "circular"},
    "life ends at the rim": {"edge": "circular", "life_edge": "zero"},
    "every cell acts": {"fire_rate": 1.0, "dt": 0.25},
    "no cell acts": {"fire_rate": 0.0},
    "dilated": {"filters": ("identity", "sobel", "sobel@2", "learned@7"), "life": "none", "dt": 0.25},
    "dilated, on a torus": {"filters": ("identity", "laplacian@3", "scharr"), "edge": "circular"},
    "rings": {"filters": ("ring@2", "identity", "sobel", "ring@7"), "edge": "replicate", "frozen": 1},
    "rings on a torus": {"filters": ("identity", "ring", "ring@9"), "edge": "circular", "life": "none", "dt": 0.25},
    "blurred": {"channels": 9, "edge": "circular", "life": "none", "blurs": ("4@3", "5@7", "7@15"), "dt": 0.5},
    "blurred, at a rim": {"channels": 9, "frozen": 2, "blurs": ("6@5",), "dt": 0.5},
    "frozen": {"frozen": 3, "channels": 11},
    "a condition": {"cond": 3},
    "many channels": {"channels": 37, "hidden": (130,)},
    **{name: {"activation": name} for name in ("leaky_relu", "elu", "gelu", "silu", "tanh")},
}
HASHES = [(0, 0, 0, 0, 0), (7, 63, 2, 11, 70), (2**32 - 1, 2**31, 5, 2**32 - 1, 2**31 - 1)]


def text(x: torch.Tensor) -> str:
    return base64.b64encode(x.detach().float().numpy().tobytes()).decode()


def numbers(told: str, like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(told), np.float32).copy()).view(like.shape)


def case(folder: Path, name: str) -> tuple:
    """Rule, state, slope of a loss, condition; and the order for node."""
    rule = random_rule(0.1, **RULES[name]).float()
    frozen, channels = rule.config.frozen, rule.config.channels
    store.save(folder / "m.safetensors", rule, Layout(4, 3, hidden=channels - 4 - frozen, frozen=frozen))
    x = brink(BATCH, channels, *SIZE).float()
    slope = torch.randn(x.shape, generator=torch.Generator().manual_seed(9))
    cond = torch.tensor([0.5, -1.0, 0.25])[: rule.config.cond]
    order = {
        "payload": payload(folder / "m.safetensors"), "size": list(SIZE), "batch": BATCH, "moment": MOMENT,
        "start": text(x), "slope": text(slope), "cond": cond.tolist() or None,
    }  # fmt: skip
    return rule, x, slope, cond, order


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found


@pytest.fixture(scope="module")
def told(node, tmp_path_factory) -> dict:
    """What node makes of every case and hash."""
    orders = [case(tmp_path_factory.mktemp("model"), name)[-1] for name in RULES]
    hashes = [dict(zip(("seed", "t", "sample", "row", "column"), at, strict=True)) for at in HASHES]
    given = json.dumps({"cases": orders, "hashes": hashes})
    done = subprocess.run([node, HERE / "run_kernel.mjs"], input=given, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return answer | {"cases": dict(zip(RULES, answer["cases"], strict=True))}


def close(got: torch.Tensor, want: torch.Tensor, within: float) -> bool:
    return bool((got - want).abs().max() <= within * max(1.0, want.abs().max().item()))


@pytest.mark.parametrize("name", RULES)
def test_states_and_gradients_are_those_of_the_reference(told, tmp_path, name):
    rule, x, slope, cond, _ = case(tmp_path, name)
    rule, x, slope = rule.double(), x.double().requires_grad_(), slope.double()
    every = cond.double().expand(BATCH, -1) if len(cond) else None
    where = {key: MOMENT[key] for key in ("seed", "t", "origin")}
    y = run(rule, x, STEPS, cond=every, engine="reference", **where)
    leaves = [x, *rule.weights, *rule.biases]
    gx, *gradients = torch.autograd.grad(y, leaves, slope, allow_unused=True)
    got = told["cases"][name]
    assert close(numbers(got["state"], y), y.detach(), 1e-5)
    assert close(numbers(got["gradient"], gx), gx, 1e-4)
    parameters = [*rule.weights, *rule.biases]
    for values, like, want in zip(got["weights"] + got["biases"], parameters, gradients, strict=True):
        wanted = torch.zeros_like(like) if want is None else want
        assert close(numbers(values, like), wanted, 1e-4)


@pytest.mark.parametrize("name", RULES)
def test_gradients_of_samples_add_up_to_the_same_bytes(told, name):
    got = told["cases"][name]
    for group in ("weights", "biases"):
        for i, whole in enumerate(got[group]):
            parts = [np.frombuffer(base64.b64decode(one[group][i]), np.float32) for one in got["perSample"]]
            total = np.zeros_like(parts[0])
            for part in parts:
                total += part
            assert total.tobytes() == base64.b64decode(whole)


def test_the_hash_is_that_of_the_core(told):
    assert told["hashes"] == [derive(*at) for at in HASHES]


@pytest.mark.long
def test_the_committed_module_is_what_its_sources_give(tmp_path):
    pinned = re.findall(r"^ziglang==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[0]
    try:
        installed = version("ziglang")
    except PackageNotFoundError:
        pytest.skip("ziglang is not installed")
    if installed != pinned:
        pytest.skip(f"ziglang {installed} gives other bytes than {pinned}")
    script = runpy.run_path(str(ROOT / "scripts/wasm.py"))
    script["build"](tmp_path / "kernel.wasm")
    built = (tmp_path / "kernel.wasm").read_bytes()
    assert hashlib.sha256(built).hexdigest() == hashlib.sha256(BUILT.read_bytes()).hexdigest(), "run `make wasm`"
