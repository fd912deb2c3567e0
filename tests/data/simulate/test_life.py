import itertools

import pytest
import torch

from planaria.data.simulate import load
from planaria.data.simulate.life import PRESETS, neighbours
from planaria.engine import ENGINES, choose, run
from planaria.errors import UserError
from planaria.world import World

RULES = ("B3/S23", "B36/S23", "B2/S", "B3678/S34678", "B3/S12345", "B0/S8", "B0123478/S01234678", "B1357/S02468", "B/S")
GLIDER = ((0, 1), (1, 2), (2, 0), (2, 1), (2, 2))


def world(*cells: tuple[int, int], size: int = 12, at: tuple[int, int] = (4, 4)) -> torch.Tensor:
    x = torch.zeros(1, 1, size, size)
    for row, column in cells:
        x[0, 0, (row + at[0]) % size, (column + at[1]) % size] = 1
    return x


def every_neighbourhood() -> torch.Tensor:
    """`(512, 1, 3, 3)`: all that a cell can see."""
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=9))).view(512, 1, 3, 3)


def counted(block: list[list[float]], rule: str) -> float:
    """What becomes of the middle cell, as a person would count it."""
    born, survives = (set(map(int, part[1:])) for part in rule.split("/"))
    living = sum(block[i][j] == 1 for i in range(3) for j in range(3) if (i, j) != (1, 1))
    return float(living in (survives if block[1][1] == 1 else born))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("edge", ["zero", "circular"])
def test_all_512_neighbourhoods(rule, edge):
    blocks = every_neighbourhood()
    y = load(f"life/{rule},edge={edge}")(torch.nn.functional.pad(blocks, (2, 2, 2, 2)))
    assert y[:, 0, 3, 3].tolist() == [counted(b[0].tolist(), rule) for b in blocks]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("edge", ["zero", "circular"])
def test_as_a_rule_it_is_the_same_automaton(rule, edge):
    life = load(f"life/{rule},edge={edge},density=0.4")
    twin, layout = life.as_rule()
    blocks = torch.nn.functional.pad(every_neighbourhood(), (2, 2, 2, 2))
    assert torch.equal(twin(blocks), life(blocks))
    x = y = life.start(2, (17, 23), seed=5)
    for t in range(30):
        x, y = life(x, t), twin(y, t)
        assert torch.equal(x, y)
    assert layout == life.layout


def test_as_a_rule_it_judges_grey_cells_alike():
    """Any 8-bit grey, and numbers as `World.randomise` draws them; what comes out is alive or dead but for rounding."""
    life = load("life/highlife")
    twin, _ = life.as_rule()
    rng = torch.Generator().manual_seed(3)
    for x in (
        torch.randint(0, 256, (1, 1, 40, 40), generator=rng) / 255,
        torch.rand(1, 1, 40, 40, generator=rng).mul(4).sub(1.5).mul(100).round().div(100),
    ):
        x = torch.where(x == 0.5, 0.4, x)
        y, z = life(x), twin(x)
        torch.testing.assert_close(z, y, rtol=0, atol=1e-3)
        for t in range(20):
            y, z = life(y, t), twin(z, t)
        torch.testing.assert_close(z, y, rtol=0, atol=1e-3)


@pytest.mark.parametrize("engine", ["native", "sparse"])
def test_as_a_rule_it_runs_on_every_engine_of_this_machine(engine):
    life = load("life")
    twin, _ = life.as_rule()
    x = life.start(1, 32, seed=1)
    if choose(twin, x, "auto")[0] == "reference":
        pytest.skip("no compiled engine here")
    assert engine in ENGINES
    assert torch.equal(run(twin, x, 50, engine=engine), run(life, x, 50))


def test_a_block_a_beehive_and_a_boat_stay():
    life = load("life")
    for cells in (
        [(0, 0), (0, 1), (1, 0), (1, 1)],
        [(0, 1), (0, 2), (1, 0), (1, 3), (2, 1), (2, 2)],
        [(0, 0), (0, 1), (1, 0), (1, 2), (2, 1)],
    ):
        assert torch.equal(run(life, world(*cells), 7), world(*cells))


def test_a_blinker_blinks():
    life, row, column = load("life"), [(1, 0), (1, 1), (1, 2)], [(0, 1), (1, 1), (2, 1)]
    assert torch.equal(life(world(*row)), world(*column))
    assert torch.equal(run(life, world(*row), 2), world(*row))


def test_a_glider_moves_one_cell_down_and_right_in_four_steps_and_round_the_torus():
    life, x = load("life"), world(*GLIDER)
    assert torch.equal(run(life, x, 4), x.roll((1, 1), (2, 3)))
    assert torch.equal(run(life, x, 48), x)
    walled = load("life,edge=zero")
    assert torch.equal(run(walled, x, 4), x.roll((1, 1), (2, 3)))
    assert not torch.equal(run(walled, x, 48), x)


def test_the_replicator_of_highlife_copies_itself():
    rows = "..###", ".#..#", "#...#", "#..#.", "###.."
    cells = [(i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if cell == "#"]
    start = world(*cells, size=40, at=(18, 18))
    assert run(load("life/highlife"), start, 12).sum() == 2 * start.sum()
    assert run(load("life"), start, 12).sum() != 2 * start.sum()


def test_nothing_is_born_in_the_void_but_where_the_rule_says_so():
    empty = torch.zeros(1, 1, 5, 7)
    assert load("life")(empty).sum() == 0
    assert load("life/B0/S8")(empty).sum() == 35
    assert load("life/B0/S8")(load("life/B0/S8")(empty)).sum() == 35


def test_a_world_of_one_row_wraps_onto_itself():
    x = torch.tensor([1.0, 0, 0, 0, 0, 0]).view(1, 1, 1, 6)
    # each neighbour sees the cell three times, the cell itself twice
    assert load("life/B3/S2")(x).flatten().tolist() == [1, 1, 0, 0, 0, 1]


def test_grey_counts_as_alive_above_a_half():
    x = world(*GLIDER)
    grey = torch.where(x > 0, 0.51, 0.5)
    assert torch.equal(load("life")(grey), load("life")(x))
    assert load("life")(torch.full((1, 1, 4, 4), torch.nan)).sum() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_it_keeps_its_precision(dtype):
    x = load("life").start(1, 16)
    y = load("life")(x.to(dtype))
    assert y.dtype == dtype
    assert torch.equal(y.float(), load("life")(x))


def test_it_is_shift_equivariant_on_the_torus():
    life = load("life/daynight,size=20x30")
    x = life.start(seed=3)
    assert torch.equal(run(life, x.roll((7, -4), (2, 3)), 25), run(life, x, 25).roll((7, -4), (2, 3)))


@pytest.mark.parametrize("text", ["B3/S23", "b3/s23", "S23/B3", "s23/b3", "23/3", "B3S23", "B33/S232", " B3 / S23 "])
def test_spellings(text):
    assert neighbours(text) == (frozenset({3}), frozenset({2, 3}))
    assert torch.equal(load("life", rule=text)(world(*GLIDER)), load("life")(world(*GLIDER)))


def test_a_rule_is_named_as_people_write_it():
    assert load("life").name == load("life/conway").name == "life/conway"
    assert load("life/s23/b63").name == "life/B36/S23"
    assert load("life/HighLife").name == "life/highlife"
    assert load("life/highlife,rule=B3/S23").name == "life/B3/S23"
    assert neighbours("/2") == (frozenset({2}), frozenset())


@pytest.mark.parametrize("text", ["B9/S23", "B3/S29", "B3/X23", "B3//S23", "B3/S23/4", "33", "-3/2", "B3/S2³"])
def test_what_is_no_rule(text):
    with pytest.raises(UserError, match="rule"):
        load("life", rule=text)
    with pytest.raises(UserError):
        load(f"life/{text}")


def test_what_is_out_of_range():
    for wrong in ("density=1.5", "density=-0.1", "patch=-1", "edge=round"):
        with pytest.raises(UserError, match=wrong.split("=")[0]):
            load(f"life,{wrong}")


@pytest.mark.parametrize("name", PRESETS)
def test_every_famous_rule_lives(name):
    life = load(f"life/{name}")
    x, states = life.start(), set()
    for t in range(60):
        x = life(x, t)
        states.add(tuple(x.flatten().tolist()))
    assert 0.0005 < x.mean() < 0.98
    assert len(states) >= (12 if name == "assimilation" else 2)


def test_a_soup():
    assert abs(load("life,density=0.3,size=128").start().mean() - 0.3) < 0.01
    patch = load("life,patch=6,density=1,size=20x31").start()[0, 0]
    assert patch.sum() == 36
    assert patch[7:13, 12:18].all()
    assert load("life,patch=99,density=1,size=20").start().sum() == 400
    small, large = load("life").start(1, 16), load("life").start(1, 64)
    assert torch.equal(small, large[..., :16, :16])  # a cell's random numbers do not depend on the grid


def test_hands_in_a_world():
    life = load("life")
    world = World(life, life.layout, 32, seed=2, start=life.start(1, 32, 2))
    world.tick(3)
    before = world.x
    world.paint(10, 10, 3, life.layout.colour((200, 200, 200)))
    world.tick()
    assert set(world.x.unique().tolist()) <= {0.0, 1.0}
    world.erase("left")
    assert world.x[..., :16].sum() == 0
    assert world.undo()
    assert world.undo()
    assert torch.equal(world.x, before)
    world.randomise()
    world.tick(2)
    assert set(world.x.unique().tolist()) == {0.0, 1.0}
    world.reset()
    assert torch.equal(world.x, life.start(1, 32, 2))
    world.clear()
    world.tick()
    assert world.x.sum() == 0
