"""What a person's own program may hand over. The type checks of the tests would come first, so `run` has a process."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from planaria.core.rule import Rule, RuleConfig
from planaria.core.solve import Solver
from planaria.engine import door
from planaria.errors import UserError

NO_NUMBERS = [1.5, None, True, "3", float("nan"), np.float32(2), np.True_, torch.tensor(True), torch.ones(2), [3]]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_whole_number_is_told_in_a_line(value):
    with pytest.raises(UserError, match="^seed must be a whole number, got [^\n]{1,60}$"):
        door.whole("seed", value)


@pytest.mark.parametrize("value", [7, np.int64(7), np.uint8(7), torch.tensor(7), torch.tensor(7, dtype=torch.int16)])
def test_whole_numbers_of_every_make_become_python_s(value):
    assert type(door.whole("seed", value)) is int
    assert door.whole("seed", value) == 7
    assert door.pair("origin", [value, -value if isinstance(value, int) else value])[0] == 7


def test_bounds():
    assert door.whole("steps", 2**31 - 1, 0, 2**31) == 2**31 - 1
    assert door.whole("seed", -(2**70)) == -(2**70)
    for value, least, why in ((2**31, 0, "less than 2,147,483,648"), (-1, 0, "can't be negative"), (0, 1, "1 or more")):
        with pytest.raises(UserError, match=f"steps .*{why}"):
            door.whole("steps", value, least, 2**31)


@pytest.mark.parametrize("value", [5, (1,), (1, 2, 3), (1.5, 2), "ab", None, {1: 2, 3: 4}, torch.ones(2)], ids=repr)
def test_an_origin_is_two_numbers(value):
    with pytest.raises(UserError, match="^origin.* whole number"):
        door.pair("origin", value)


def test_sizes():
    assert door.grid(5) == door.grid((5, 5)) == door.grid([5, np.int64(5)]) == (5, 5)
    for wrong in (0, -1, 1.5, (2, 0), (1.5, 2), "72", None, (3,), 10**6):
        with pytest.raises(UserError):
            door.grid(wrong)


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), "1", True, 1e39, torch.ones(2), [1.0], 10**400])
def test_dt_is_a_finite_number_that_the_state_can_hold(value):
    with pytest.raises(UserError, match="dt must be a finite number"):
        door.length(value, torch.float32)


def test_dt_has_no_gradient():
    assert door.length(torch.tensor(0.5), torch.float32) == door.length(np.float32(0.5), torch.float32) == 0.5
    assert door.length(1e39, torch.float64) == 1e39
    with pytest.raises(UserError, match="no gradient"):
        door.length(torch.tensor(0.5, requires_grad=True), torch.float32)


X = torch.zeros(2, 16, 8, 9)


@pytest.mark.parametrize(
    ("x", "why"),
    [
        (X[0], r"\(b, c, h, w\).*did you mean x\[None\]"),
        (X[None], r"\(1, 2, 16, 8, 9\)"),
        (X.double(), r"state holds float64, the rule float32; did you mean x.to\(torch.float32\)"),
        (X.half(), "float16"),
        (X.long(), "int64; did you mean x.float"),
        (X.to(torch.complex64), "complex64"),
        (X.numpy(), "of type ndarray"),
        (None, "not None"),
        (X[:, :5], "5 channels, the rule 16"),
        (X.to("meta"), "the state is on meta, the rule on cpu"),
        (X[..., :0], "8 rows and 0 columns"),
        (X.to_sparse(), "sparse_coo"),
    ],
)
@pytest.mark.parametrize("solved", [False, True])
def test_a_state_fits_its_rule(x, why, solved):
    rule = Rule(RuleConfig(life="none", fire_rate=1.0))
    with pytest.raises(UserError, match=why):
        door.fits(Solver(rule, "euler") if solved else rule, x, None)


def test_no_samples_halves_and_autocast_are_fine():
    assert door.fits(Rule(), X[:0], None) is not None
    assert door.fits(Rule().half(), X.half(), None) is not None
    with torch.autocast("cpu"):
        assert door.fits(Rule(), X.bfloat16(), None) is not None


@pytest.mark.parametrize(
    ("cond", "why"),
    [
        (torch.zeros(1, 3), r"\(2, 3\), not \(1, 3\)"),
        (torch.zeros(2, 4), r"\(2, 3\), not \(2, 4\)"),
        (torch.zeros(3), r"not \(3,\)"),
        (torch.zeros(2, 3).double(), "cond holds float64, the state float32"),
        (torch.zeros(2, 3).long(), "int64"),
        (torch.zeros(2, 3, device="meta"), "cond is on meta, the state on cpu"),
        ([1, 2, 3], "of type list"),
    ],
)
def test_a_condition_fits_rule_and_state(cond, why):
    with pytest.raises(UserError, match=why):
        door.fits(Rule(RuleConfig(cond=3)), X, cond)


def test_a_condition_wants_a_rule_that_is_told_one():
    with pytest.raises(UserError, match="takes no cond"):
        door.fits(Rule(), X, torch.zeros(2, 3))


def test_a_rule_is_a_module_and_other_modules_take_what_they_like():
    for wrong, why in (((Rule(), 1), "did you mean rule, layout"), (None, "not None"), ("lizard", "of type str")):
        with pytest.raises(UserError, match=why):
            door.fits(wrong, X, None)
    assert door.fits(torch.nn.Identity(), X.double(), None) is not None


CALLS = """
import torch
import planaria as pl
from planaria.errors import UserError

model = pl.load("lizard")
rule, layout = model
x = layout.seed(1, 24)
world = lambda **more: pl.World(rule, layout, **({"size": 24} | more))
for call in (
    lambda: pl.run(rule, x, 1.5), lambda: pl.run(rule, x, 2**31), lambda: pl.run(rule, x, None),
    lambda: pl.run(rule, x, 2, seed=1.5), lambda: pl.run(rule, x, 2, t=None), lambda: pl.run(rule, x[0], 2),
    lambda: pl.run(rule, x.double(), 2), lambda: pl.run(rule, x, 2, origin=3), lambda: pl.run(rule, x, 2, dt="1"),
    lambda: pl.run(model, x, 2), lambda: pl.run(rule, x, 2, cond=torch.zeros(1, 2)),
    lambda: pl.unroll(rule, x, 4, every=0), lambda: pl.unroll(rule, x, 4.0), lambda: pl.unroll(rule, x[0], 4),
    lambda: pl.unroll(rule, x, 4, engine="natvie"),
    lambda: world(size=1.5), lambda: world(size=(0, 3)), lambda: world(seed=1.5), lambda: world(start=x[0]),
    lambda: world(start=x.numpy()), lambda: world().tick(1.5), lambda: world().tick(-1),
    lambda: pl.film(rule, layout, steps=1.5), lambda: pl.film(rule, layout, every=1.5),
    lambda: pl.film(rule, layout, fps_factor=None), lambda: pl.film(rule, layout, background="red"),
    lambda: pl.film(rule, layout, erase="left@3"), lambda: model.film(steps=True), lambda: model.film(size=[0, 3]),
    lambda: pl.film(rule, layout, seed=None), lambda: pl.film(rule, layout, start=x[0]),
    lambda: model.run(x[0], 3), lambda: model.run(x, 3.5), lambda: model.world(1.5), lambda: model.film(steps=4.5),
):
    try:
        call()
        print("taken")
    except UserError as e:
        print(e)
import numpy as np
shot = model.film(steps=np.int64(4), every=torch.tensor(2), size=np.array([9, 8]))
print([type(t) for t in shot.at] == [int] * 3 and shot.frames.shape[1:3] == (9, 8))
many = pl.run(rule, x, np.int64(6), seed=torch.tensor(3), origin=np.array([1, 2]), dt=np.float32(0.5))
print(torch.equal(many, pl.run(rule, x, 6, seed=3, origin=(1, 2), dt=0.5)))
traced = torch.jit.trace(lambda x: pl.run(rule, x, 2), x, check_trace=False)
print(torch.allclose(traced(x * 0.5), pl.run(rule, x * 0.5, 2), atol=1e-5))
later = world(start=x.double())
later.tick(np.int64(2))
print(type(later.t), later.x.dtype)
"""


def test_every_way_in_has_the_door():
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *said, filmed, equal, traced, kinds = done.stdout.splitlines()
    assert len(said) == 35
    assert "taken" not in said
    assert filmed == equal == traced == "True"
    assert kinds == "<class 'int'> torch.float32"
