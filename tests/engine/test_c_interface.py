"""The kernel's C interface, called as from C: what it gives are the bytes of Python's door to the same kernel."""

import ctypes as c
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.rules import brink
from helpers.rules import rule as random_rule

from planaria.core.moment import Moment
from planaria.core.rule import Rule, spread
from planaria.engine import native

pytestmark = pytest.mark.skipif("PLANARIA_PURE" in os.environ, reason="the kernel was left out on purpose")
HEADER = Path(__file__).parents[2] / "native/planaria.h"
Floats = c.POINTER(c.c_float)
Whole = c.POINTER(c.c_int32)


class RuleInC(c.Structure):
    """`planaria_rule`; a test compares it with the header."""

    _fields_ = [
        *((name, c.c_double) for name in ("fire", "life_threshold", "dt")),
        *((name, c.c_int32) for name in ("channels", "own", "life", "life_channel", "edge", "open", "activation")),
        *((name, c.c_int32) for name in ("filters", "layers", "blurs")),
        ("taps", Floats), ("reaches", Whole), ("widths", Whole), ("blurred", Whole), ("sides", Whole),
        ("blur_lines", Floats), ("counts", Whole), ("places", Whole), ("weights", Floats),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def library() -> c.CDLL:
    assert native.kernel is not None
    found = c.CDLL(native.kernel.__file__)
    for name in ("prepare", "state", "gradient"):
        getattr(found, f"planaria_{name}").restype = c.c_void_p
    found.planaria_message.restype = c.c_char_p
    found.planaria_hash.restype = c.c_uint32
    return found


def floats(values) -> c.Array:
    flat = np.asarray(values, np.float32).ravel()
    return (c.c_float * max(1, flat.size))(*flat)


def whole(values) -> c.Array:
    return (c.c_int32 * max(1, len(values)))(*values)


def pointers(arrays) -> c.Array:
    return (Floats * len(arrays))(*(None if a is None else c.cast(a, Floats) for a in arrays))


def in_c(rule: Rule) -> RuleInC:
    config, blurs = rule.config, spread(rule.config.blurs)
    nine, _, wide, places, weights = native._taps(config.filters, torch.float32)
    counts = {k: len(w) for k, w in zip(wide, weights, strict=True)}
    lines = [kernel[len(kernel) // 2] / kernel[len(kernel) // 2].sum() for _, kernel in blurs]
    return RuleInC(
        round(config.fire_rate * 2**32), config.life_threshold, config.dt, config.channels,
        config.channels - config.frozen, native.LIVES[config.life], config.life_channel, native.EDGES[config.edge],
        config.life_edge == "zero", native.ACTIVATIONS[config.activation], len(rule.kernels), len(rule.weights),
        len(blurs), floats(nine), whole(rule.reaches), whole([len(w) for w in rule.weights]),
        whole([channel for channel, _ in blurs]), whole([len(line) for line in lines]),
        floats(torch.cat(lines) if lines else []), whole([counts.get(k, 0) for k in range(len(nine))]),
        whole([v for place in places for v in place]), floats(np.concatenate([np.zeros(0), *weights])),
    )  # fmt: skip


def view(address: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.ctypeslib.as_array(c.cast(address, Floats), shape)


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": 16, "hidden": (32,)},
        {"filters": ("identity", "sobel@2"), "edge": "circular", "bias": "all", "life": "none"},
        {"channels": 5, "filters": ("ring@4", "sobel", "ring@2"), "edge": "circular", "frozen": 1},
        {"channels": 9, "frozen": 2, "blurs": ("5@5", "6@3"), "activation": "gelu", "edge": "replicate"},
    ],
)
def test_its_bytes_are_those_of_pythons_door(library, settings):
    rule = random_rule(0.1, **settings).float()
    x = brink(2, rule.config.channels, 9, 8).float().requires_grad_()
    y = native.rollout(rule, x, 6, Moment(t=2, seed=7, origin=(3, 5)), None)
    slope = torch.randn(y.shape, generator=torch.Generator().manual_seed(9))
    gx, *gradients = torch.autograd.grad(y, [x, *rule.weights, *rule.biases], slope)

    weights, layers = [floats(w.detach()) for w in rule.weights], len(rule.weights)
    biases = [floats(b.detach()) for b in rule.biases] + [None] * (layers - len(rule.biases))
    plan = library.planaria_prepare(c.byref(in_c(rule)), pointers(weights), pointers(biases), 2, 9, 8)
    assert plan, library.planaria_message()
    plan = c.c_void_p(plan)
    view(library.planaria_state(plan), x.shape)[:] = x.detach().numpy()
    assert library.planaria_run(plan, 7, 2, 6, 1, 3, 5) == 0
    assert view(library.planaria_state(plan), x.shape).tobytes() == y.detach().numpy().tobytes()
    view(library.planaria_gradient(plan), x.shape)[:] = slope.numpy()
    assert library.planaria_backward(plan) == 0
    assert view(library.planaria_gradient(plan), x.shape).tobytes() == gx.numpy().tobytes()
    got = [floats(np.ones(g.numel())) for g in gradients]
    rest = [None] * (2 * layers - len(got))
    assert library.planaria_gradients(plan, -1, pointers(got[:layers]), pointers(got[layers:] + rest)) == 0
    for mine, theirs in zip(got, gradients, strict=True):
        torch.testing.assert_close(torch.tensor(list(mine)).view_as(theirs), theirs, rtol=1e-6, atol=1e-6)
    library.planaria_free(plan)


def test_mistakes_are_told_in_words(library):
    rule = random_rule().float()
    told, arrays = in_c(rule), pointers([floats(w.detach()) for w in rule.weights])
    told.life_channel = 6
    assert library.planaria_prepare(c.byref(told), arrays, arrays, 1, 4, 4) is None
    assert library.planaria_message() == b"the settings do not fit the state"
    told = in_c(random_rule(filters=("ring@2",)).float())
    told.places[3] = -(2**31)
    assert library.planaria_prepare(c.byref(told), arrays, arrays, 1, 4, 4) is None
    assert library.planaria_message() == b"a filter has taps within reach"
    told.counts[0] = -1
    assert library.planaria_prepare(c.byref(told), arrays, arrays, 1, 4, 4) is None
    assert library.planaria_message() == b"a filter has 0 to 2^20 taps of its own"
    assert library.planaria_prepare(c.byref(in_c(rule)), arrays, arrays, 1, 2**30, 2**30) is None
    assert library.planaria_message() == b"there is not enough memory"


def test_the_header_and_this_file_name_the_same_fields():
    body = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    body = re.findall(r"typedef struct planaria_rule \{(.*?)\}", body, re.DOTALL)[0]
    assert re.findall(r"(\w+);", body) == [name for name, _ in RuleInC._fields_]
