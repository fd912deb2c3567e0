"""A live run and its brush."""

import pytest
import torch
from helpers.rules import rule

from planaria.core.damage import Damage
from planaria.core.layout import Layout
from planaria.engine import run
from planaria.errors import UserError
from planaria.world import World

LAYOUT = Layout(4, 3, hidden=1, frozen=1)


def world(size: int | tuple[int, int] = (7, 9), **options) -> World:
    return World(rule(frozen=1).float(), LAYOUT, size, **options)


def alive(size: int | tuple[int, int] = (7, 9), **options) -> World:
    """A world where every cell holds something, all of it different."""
    w = world(size, **options)
    w.x = torch.rand(w.x.shape, generator=torch.Generator().manual_seed(2)) + 0.1
    return w


def test_it_begins_with_a_seed():
    w = world()
    assert torch.equal(w.x, LAYOUT.seed(1, (7, 9)))
    assert w.t == 0
    assert w.size == (7, 9)
    assert world(5).x.shape == (1, 6, 5, 5)


def test_it_lives_as_run_does():
    w = world(seed=4)
    w.tick()
    w.tick(3)
    w.tick(0)
    assert w.t == 4
    assert torch.equal(w.x, run(w.rule, LAYOUT.seed(1, (7, 9)), 4, seed=4))
    assert not torch.equal(w.x, run(w.rule, LAYOUT.seed(1, (7, 9)), 4, seed=5))
    assert not w.x.requires_grad


@pytest.mark.parametrize("engine", ["reference", "sparse"])
def test_its_engine_is_the_one_asked_for(engine):
    w = world(engine=engine, seed=1)
    w.tick(3)
    assert torch.equal(w.x, run(w.rule, LAYOUT.seed(1, (7, 9)), 3, seed=1, engine=engine))
    with pytest.raises(UserError, match="unknown engine"):
        world(engine="none").tick()


def test_reset_begins_again():
    w = world(seed=4)
    w.tick(5)
    first = w.x
    w.erase("left")
    w.reset()
    assert w.t == 0
    assert torch.equal(w.x, LAYOUT.seed(1, (7, 9)))
    w.tick(5)
    assert torch.equal(w.x, first)


def test_the_same_calls_give_the_same_life():
    def life(seed: int) -> torch.Tensor:
        w = world(seed=seed)
        w.tick(2)
        w.paint(2, 3, 1.5)
        w.erase("speckle(0.2)")
        w.erase("noise(0.4)")
        w.tick(2)
        return w.x

    assert torch.equal(life(3), life(3))
    assert not torch.equal(life(3), life(4))


@pytest.mark.parametrize("damage", ["left", "centre(3)", "circle(2,3,1.5)"])
def test_erasing_cuts_out_and_spares_the_frozen(damage):
    w = alive()
    before = w.x
    w.erase(damage)
    gone = Damage.parse(damage).mask((7, 9))
    assert 0 < gone.sum() < gone.numel()
    assert (w.x[0, :5, gone] == 0).all()
    assert torch.equal(w.x[0, :, ~gone], before[0, :, ~gone])
    assert torch.equal(w.x[:, 5], before[:, 5])
    assert w.t == 0


def test_erasing_by_chance_differs_from_step_to_step_and_seed_to_seed():
    first, later, other = alive(seed=1), alive(seed=1), alive(seed=2)
    later.t = 1
    for w in (first, later, other):
        w.erase("speckle(0.5)")
    assert not torch.equal(first.x == 0, later.x == 0)
    assert not torch.equal(first.x == 0, other.x == 0)


def test_noise_falls_on_the_living_only():
    w = world()
    w.paint(3, 4, 1, {3: 0.2})
    w.paint(1, 1, 0, {0: 0.7})  # painted, yet without life
    before = w.x
    w.erase("noise(0.5)")
    changed = (w.x != before)[0]
    living = before[0, 3] > 0
    assert 0 < living.sum() < living.numel()
    assert changed[:5, living].all()
    assert not changed[:, ~living].any()
    assert not changed[5].any()


def test_without_life_noise_falls_everywhere():
    w = World(rule(life="none").float(), Layout(3, None, hidden=3), 5)
    w.erase("noise")
    assert (w.x != 0).all()


def test_an_unknown_damage_changes_nothing():
    w = alive()
    before = w.x
    with pytest.raises(UserError, match=r"unknown damage 'lefft'.*Did you mean 'left'\?"):
        w.erase("lefft")
    assert torch.equal(w.x, before)


def test_painting_plants_seeds():
    w = world()
    w.x = torch.zeros_like(w.x)
    w.paint(2, 5, 0)
    assert w.x[0, 3:5, 2, 5].tolist() == [1, 1]  # life and hidden, neither colour nor frozen
    assert w.x.sum() == 2
    w.paint(3, 4, 0)
    w.reset()
    seed = w.x
    w.x = torch.zeros_like(w.x)
    w.paint(3, 4, 0)
    assert torch.equal(w.x, seed)


def test_painting_sets_a_disc_of_cells():
    w = alive()
    before = w.x
    w.paint(3, 4, 2, {0: 0.25, 4: -1.0})
    y, x = torch.meshgrid(torch.arange(7), torch.arange(9), indexing="ij")
    disc = (y - 3) ** 2 + (x - 4) ** 2 <= 4
    assert disc.sum() == 13
    assert (w.x[0, 0, disc] == 0.25).all()
    assert (w.x[0, 4, disc] == -1).all()
    assert torch.equal(w.x[0, :, ~disc], before[0, :, ~disc])
    assert torch.equal(w.x[:, [1, 2, 3, 5]], before[:, [1, 2, 3, 5]])
    assert w.t == 0


def test_painting_leaves_former_states_as_they_were():
    w = alive()
    former, copy = w.x, w.x.clone()
    w.paint(3, 3, 9)
    w.erase("left")
    w.tick()
    assert torch.equal(former, copy)


@pytest.mark.parametrize(
    ("row", "column", "radius", "count"),
    [(0, 0, 1, 3), (-1, -1, 1, 0), (-1, 0, 1, 1), (6.5, 8.5, 1, 1), (99, 99, 5, 0)],
)
def test_a_brush_may_reach_beyond_the_edge(row, column, radius, count):
    w = world()
    w.x = torch.zeros_like(w.x)
    w.paint(row, column, radius, {0: 1.0})
    assert w.x.sum() == count


def test_a_brush_may_cover_everything():
    w = world()
    w.paint(3, 4, 1e6, {1: 0.5})
    assert (w.x[:, 1] == 0.5).all()


@pytest.mark.parametrize("channel", [-1, 5, 6, 100])
def test_channels_that_cannot_be_painted(channel):
    w = alive()
    before = w.x
    with pytest.raises(UserError, match=rf"^can't paint channel {channel}; this pattern's channels are 0..4$"):
        w.paint(3, 3, 2, {0: 1.0, channel: 1.0})
    assert torch.equal(w.x, before)


def test_an_image_is_what_a_person_sees():
    w = world()
    w.x = torch.zeros_like(w.x)
    w.x[0, :4, 1, 2] = torch.tensor([0.5, 0.0, 0.0, 0.5])
    w.x[0, :4, 6, 8] = torch.tensor([9.0, -1.0, 0.0, 1.0])
    image = w.image()
    assert image.shape == (7, 9, 3)
    assert image.dtype == torch.uint8
    assert image[0, 0].tolist() == [255, 255, 255]
    assert image[1, 2].tolist() == [255, 128, 128]
    assert image[6, 8].tolist() == [255, 0, 0]
    assert w.image(0.0)[1, 2].tolist() == [128, 0, 0]
    assert w.image(0.0)[0, 0].tolist() == [0, 0, 0]


def test_one_channel_is_red_above_zero_and_blue_below():
    w = world()
    w.x = torch.zeros_like(w.x)
    for column, value in enumerate((1.0, -1.0, 0.5, -9.0, torch.nan)):
        w.x[0, 4, 0, column] = value
    seen = w.image(channel=4)[0, :6].tolist()
    assert seen == [[255, 0, 0], [0, 0, 255], [255, 128, 128], [0, 0, 255], [255, 255, 255], [255, 255, 255]]
    assert w.image(0.0, channel=5).min() == 255
    for channel in (-1, 6):
        with pytest.raises(UserError, match=rf"no channel {channel}; have 0..5"):
            w.image(channel=channel)


def test_picking_tells_the_colour_that_is_seen():
    w = world()
    w.x[0, :4, 1, 2] = torch.tensor([0.5, 0.0, 0.0, 0.5])
    assert w.pick(1, 2) == (255, 128, 128)
    assert w.pick(1, 2, 0.0) == (128, 0, 0)
    for row, column in ((-1, 0), (0, -1), (7, 0), (0, 9)):
        with pytest.raises(UserError, match=f"no cell at row {row}, column {column}; the grid has 7 rows and 9"):
            w.pick(row, column)


def test_planting_makes_the_seed():
    w = world()
    w.clear()
    w.plant(3.4, 3.8)
    assert torch.equal(w.x, LAYOUT.seed(1, (7, 9)))


def test_clearing_spares_the_frozen():
    w = alive()
    frozen = w.x[:, 5]
    w.t = 4
    w.clear()
    assert w.x[:, :5].abs().sum() == 0
    assert torch.equal(w.x[:, 5], frozen)
    assert w.t == 4


def test_chance_fills_what_is_not_frozen_and_repeats():
    layout = Layout(3, None, hidden=2, frozen=1, offset=0.5)
    w = World(rule(frozen=1, life="none").float(), layout, (30, 40), seed=5)
    w.randomise()
    seen, hidden, frozen = layout.picture(w.x), w.x[:, 3:5], w.x[:, 5]
    for values, least in ((seen, 0.0), (hidden, -0.5)):
        assert least <= values.min() < least + 0.01
        assert least + 0.99 < values.max() < least + 1
    assert frozen.abs().sum() == 0
    first = w.x
    w.randomise()
    assert torch.equal(w.x, first)
    w.t = 1
    w.randomise()
    assert not torch.equal(w.x, first)


def test_a_photo_lies_under_the_cells_for_good():
    w = alive()
    before = w.x
    photo = torch.rand(1, 7, 9)
    w.expose(photo)
    assert torch.equal(w.x[0, 5:], photo)
    assert torch.equal(w.x[:, :5], before[:, :5])
    w.tick(2)
    w.reset()
    assert torch.equal(w.x[0, 5:], photo)
    assert torch.equal(w.x[:, :5], LAYOUT.seed(1, (7, 9))[:, :5])
    for wrong in (torch.rand(2, 7, 9), torch.rand(1, 9, 7)):
        with pytest.raises(UserError, match="doesn't fit 1 frozen channels"):
            w.expose(wrong)
    with pytest.raises(UserError, match="doesn't fit 0 frozen channels"):
        World(rule().float(), Layout(4, 3, hidden=2), 5).expose(torch.rand(0, 5, 5))


def test_a_photo_is_shifted_as_the_cells_are():
    w = World(rule(frozen=1, life="none").float(), Layout(3, None, hidden=2, frozen=1, offset=0.5), 5)
    w.expose(torch.full((1, 5, 5), 0.75))
    assert (w.x[0, 5] == 0.25).all()


def test_undo_goes_back_edit_by_edit():
    w = alive()
    moments = []
    for edit in (
        lambda: w.paint(3, 3, 1), lambda: w.erase("left"), w.clear, w.randomise, lambda: w.plant(1, 1), w.reset,
        lambda: w.expose(torch.rand(1, 7, 9)),
    ):  # fmt: skip
        w.tick(2)
        moments.append((w.x, w.t))
        edit()
    for x, t in reversed(moments):
        assert w.undo()
        assert torch.equal(w.x, x)
        assert w.t == t
    assert not w.undo()
    assert torch.equal(w.x, moments[0][0])
    frozen = w.x[:, 5]
    w.reset()
    assert torch.equal(w.x[:, 5], frozen)  # the photo was taken back, too


def test_from_press_to_lift_is_one_edit():
    w = alive()
    before = w.x
    w.press()
    for column in range(5):
        w.paint(2, column, 1)
        w.tick()
    w.lift()
    after = w.x
    w.paint(5, 5, 1)
    assert w.undo()
    assert torch.equal(w.x, after)
    assert w.undo()
    assert torch.equal(w.x, before)
    assert w.t == 0
    w.press()
    assert w.undo()  # lifts, too
    w.paint(2, 2, 1)
    w.paint(2, 3, 1)
    assert w.undo()
    assert w.undo()
    assert not w.undo()


def test_the_past_is_bounded(monkeypatch):
    w = alive()
    for _ in range(100):
        w.paint(3, 3, 1)
    assert sum(w.undo() for _ in range(200)) == 64
    monkeypatch.setattr("planaria.world.UNDO_BYTES", 3 * w.x.nbytes)
    for _ in range(9):
        w.clear()
    assert sum(w.undo() for _ in range(200)) == 3
    monkeypatch.setattr("planaria.world.UNDO_BYTES", 0)
    w.clear()
    w.clear()
    assert sum(w.undo() for _ in range(200)) == 1


def test_a_start_of_ones_own():
    start = torch.rand(1, 6, 7, 9)
    w = world(start=start)
    assert torch.equal(w.x, start)
    w.tick(2)
    w.reset()
    assert torch.equal(w.x, start)
    for wrong in (torch.rand(1, 6, 9, 7), torch.rand(2, 6, 7, 9), torch.rand(1, 5, 7, 9)):
        with pytest.raises(UserError, match="start"):
            world(start=wrong)


def test_a_loop_is_no_edit():
    w = world(seed=4)
    w.tick(5)
    w.restart()
    assert w.t == 0
    assert torch.equal(w.x, LAYOUT.seed(1, (7, 9)))
    assert not w.undo()


def test_cells_hear_what_they_are_told():
    r = rule(cond=2).float()
    layout, told = Layout(4, 3, hidden=2), torch.tensor([[1.0, -2.0]])
    w = World(r, layout, 7, cond=told)
    w.tick(3)
    assert torch.equal(w.x, run(r, layout.seed(1, 7), 3, cond=told))
    assert not torch.equal(w.x, run(r, layout.seed(1, 7), 3, cond=-told))


@pytest.mark.parametrize("radius", [0, 1, 2.5, 4, -2, 1e6])
def test_a_disc_is_a_disc_wherever_it_lies(radius):
    y, x = torch.meshgrid(torch.arange(7), torch.arange(9), indexing="ij")
    for row in (-3, 0, 2.5, 6, 8.2):
        for column in (-1.5, 0, 4, 8, 11):
            w = world()
            w.clear()
            w.paint(row, column, radius, {1: 0.5})
            assert torch.equal(w.x[0, 1] != 0, (y - row) ** 2 + (x - column) ** 2 <= radius**2)


def test_a_world_has_cells():
    with pytest.raises(UserError, match="at least one sample and one cell"):
        world((0, 5))
