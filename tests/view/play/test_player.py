"""Playing without a window: every deed and its key."""

from pathlib import Path

import pytest
import torch
from helpers.playing import LAYOUT, play, ticks
from helpers.rules import rule

from planaria.core.damage import KINDS
from planaria.core.turn import turned
from planaria.view.play.keys import ALL_KEYS, DAMAGE, GROUPS, KEYS, action_of, keys_of
from planaria.view.play.player import COLOURS, RADII, SPEEDS, Player
from planaria.world import World


@pytest.mark.parametrize(("speed", "steps"), [(60, 120), (1, 2), (7, 14), (240, 480)])
def test_time_passes_at_its_speed(tmp_path, speed, steps, monkeypatch):
    monkeypatch.setattr("planaria.view.play.player.BUDGET", 1e9)  # however slow this machine is
    p = play(tmp_path, 6, speed=speed)
    ticks(p, 2)
    assert abs(p.world.t - steps) <= 1
    assert p.pace == pytest.approx(speed, rel=0.2) or speed == 1


def test_a_speed_that_cannot_be_held_leaves_hands_free(tmp_path, monkeypatch):
    p = play(tmp_path, speed=1e6)
    p._cost = 0.005
    monkeypatch.setattr(p.world, "tick", lambda n: setattr(p.world, "t", p.world.t + n))
    p.advance(10.0)
    assert p.world.t == 2
    p._cost = 100.0
    p.advance(0.01)
    assert p.world.t == 3


def test_pause_and_one_step(tmp_path):
    p = play(tmp_path)
    p.key("space")
    ticks(p, 0.5)
    assert (p.paused, p.world.t) == (True, 0)
    p.key(".")
    p.key(".")
    assert (p.paused, p.world.t) == (True, 2)
    p.key("space")
    p.key(".")
    assert (p.paused, p.world.t) == (True, 3)
    p.key("space")
    ticks(p, 0.5)
    assert p.world.t > 20


def test_the_ladder_of_speeds(tmp_path):
    p = play(tmp_path, speed=45)
    p.key("+")
    assert p.speed == 60
    p.key("-")
    p.key("-")
    assert p.speed == 20
    for key, end in (("+", SPEEDS[-1]), ("-", SPEEDS[0])):
        for _ in range(30):
            p.key(key)
        assert p.speed == end


def test_a_loop_begins_again(tmp_path):
    p = play(tmp_path, length=10)
    p.world.tick(25)
    p.key("l")
    seen = []
    for _ in range(20):
        p.key(".")
        seen.append(p.world.t)
    assert seen == [26, 27, 28, 29, 30, *range(1, 11), *range(1, 6)]
    first = World(p.world.rule, LAYOUT, p.world.size, seed=3)
    first.tick(5)
    assert torch.equal(p.world.x, first.x)
    assert not p.world.undo()
    p.key("l")
    p._live(20)
    assert p.world.t == 25


def test_a_loop_of_many_steps_at_once(tmp_path):
    p = play(tmp_path, length=7)
    p.loop = True
    p._live(30)
    assert p.world.t == 2
    first = World(p.world.rule, LAYOUT, p.world.size, seed=3)
    first.tick(2)
    assert torch.equal(p.world.x, first.x)


def test_painting_a_colour(tmp_path):
    p = play(tmp_path)
    p.key("c")
    assert p.colour == (255, 255, 255)
    p.press(5, 6)
    p.lift()
    assert p.world.x[0, :4, 5, 6].tolist() == [1, 1, 1, 1]
    assert (p.world.x[0, 3] > 0).sum() == 5
    p.key("k")
    p.press(1, 1)
    assert p.world.x[0, :4, 1, 1].tolist() == pytest.approx([v / 255 for v in COLOURS[1]] + [1])


def test_a_stroke_leaves_no_gap_and_is_one_to_undo(tmp_path):
    p = play(tmp_path, 40)
    p.key("c")
    before = p.world.x
    for brush_size in (0, 2, 4):
        p._radii["paint"] = brush_size
        p.press(2, 3)
        p.drag(35, 30)
        p.lift()
        lit = p.world.x[0, 3] > 0
        rows = lit.any(1).nonzero()[:, 0].tolist()
        assert set(range(2, 36)) <= set(rows)
        assert lit[2, 3]
        assert lit[35, 30]
        p.key("z")
        assert torch.equal(p.world.x, before)
    p.drag(5, 5)  # nothing is down
    assert torch.equal(p.world.x, before)


def test_erasing_and_planting(tmp_path):
    p = play(tmp_path, 20)
    p.key("tab")
    p.key("e")
    p.press(10, 10)
    p.lift()
    y, x = torch.meshgrid(torch.arange(20), torch.arange(20), indexing="ij")
    disc = (y - 10) ** 2 + (x - 10) ** 2 <= p.radius**2
    assert (p.world.x[0][:, disc] == 0).all()
    assert (p.world.x[0][:, ~disc] != 0).float().mean() > 0.99
    p.key("e")
    assert p.brush == "paint"
    p.press(3, 3, "erase")
    assert p.brush == "paint"
    assert p.world.x[0, :, 3, 3].tolist() == [0] * 6
    p.key("c")
    p.key("p")
    p.press(4, 7)
    p.lift()
    assert p.world.x.nonzero().tolist() == [[0, c, 4, 7] for c in (3, 4, 5)]


def test_the_brush_has_sizes(tmp_path):
    p = play(tmp_path)
    for _ in range(40):
        p.key(">")
    assert p.radius == RADII[-1]
    p.key("e")
    assert p.radius != RADII[-1]
    for _ in range(40):
        p.key("<")
    assert p.radius == 0
    p.key("p")
    p.key(">")
    assert p.radius == 0


def test_picking_a_colour(tmp_path):
    p = play(tmp_path)
    p.world.paint(5, 5, 1, LAYOUT.colour((10, 200, 30)))
    p.key("e")
    p.pick(5, 5)
    assert (p.brush, p.colour) == ("paint", (10, 200, 30))
    p.pick(-1, 5)
    p.pick(5, 99)
    assert p.colour == (10, 200, 30)
    p.pointer = (0, 0)
    p.key("g")
    assert p.colour == (255, 255, 255)
    p.key("b")
    p.key("g")
    assert p.colour == (26, 26, 26)


def test_damage(tmp_path):
    p = play(tmp_path, 20)
    p.key("tab")
    whole = p.world.x
    gone = []
    for key in "12345678":
        p.key(key)
        gone.append((p.world.x == 0).float().mean().item())
        assert p.message
        p.key("z")
        assert torch.equal(p.world.x, whole)
    assert gone[:4] == pytest.approx([0.5] * 4, abs=0.01)
    assert gone[4] == pytest.approx(16 / 400, abs=0.01)
    assert 0 < gone[5] < 0.2
    assert gone[6] == pytest.approx(0.3, abs=0.1)
    p.pointer = (2, 17)
    p.key("6")
    assert p.world.x[0, :, 2, 17].abs().sum() == 0
    said = set()
    for _ in range(8):
        p.key("d")
        said.add(p.message.partition("(")[0])
    assert said == {"left", "right", "top", "bottom", "centre", "circle", "speckle", "noise"}


def test_channels_go_round(tmp_path):
    p = play(tmp_path)
    p.world.paint(5, 5, 1, {4: -1.0})
    views = []
    for _ in range(7):
        p.key("]")
        views.append(p.view)
    assert views == [
        "channel 0 red", "channel 1 green", "channel 2 blue", "channel 3 alpha", "channel 4 hidden", "channel 5 hidden",
        "colour",
    ]  # fmt: skip
    p.key("[")
    p.key("[")
    assert p.image()[5, 5].tolist() == [0, 0, 255]
    p.key("0")
    assert p.channel is None


def guide() -> str:
    """The table of keys as docs/play.md has it."""
    lines = ["| key | what it does | where |", "|---|---|---|"]
    for group in GROUPS:
        lines.append(f"| **{group}** | | |")
        for key in ALL_KEYS:
            if key.group == group:
                caps = " ".join(f"`{cap}`" for cap in key.caps)
                where = "" if len(key.places) == 3 else ", ".join(key.places)
                lines.append(f"| {caps} | {'; '.join(filter(None, (key.says, key.note)))} | {where} |")
    return "\n".join(lines) + "\n"


def test_the_guide_has_the_table_of_keys():
    text = (Path(__file__).parents[3] / "docs" / "play.md").read_text()
    assert guide() in text, f"docs/play.md should hold:\n{guide()}"


def test_the_kinds_of_damage_are_those_there_are():
    assert set(DAMAGE) == set(KINDS)
    for place in ("window", "terminal", "page"):
        names = [name for key in ALL_KEYS if place in key.places for name in key.names]
        assert len(set(names)) == len(names), place


def test_arrows_move_the_pointer_and_enter_uses_the_brush(tmp_path):
    p = play(tmp_path, (14, 18))
    p.key("c")
    for name in ("right", "down", "enter"):
        p.key(name)
    assert p.pointer == (8, 10)
    assert (p.world.x[0, 3] > 0).nonzero().tolist() == [[7, 10], [8, 9], [8, 10], [8, 11], [9, 10]]
    for _ in range(30):
        p.key("left")
    assert p.pointer == (8, 0)


def test_every_key_does_something_and_is_told_once(tmp_path):
    p = play(tmp_path)
    names = [name for key in KEYS for name in key.names]
    assert len(names) == len(set(names))
    assert {key.group for key in KEYS} == set(GROUPS)
    assert action_of("ä") is None
    assert not p.key("")
    assert not p.key("ctrl+s")
    for name in names:
        if name not in ("q", "escape"):
            assert p.key(name), name
            p.advance(1 / 60)
    p.help = True
    p.key("escape")
    assert (p.help, p.over) == (False, False)
    p.key("q")
    assert p.over
    p.close()


def test_the_direction_is_turned_and_its_cells_live_on(tmp_path):
    p = play(tmp_path)
    straight = p.world.rule
    ticks(p, 0.5)
    x, t = p.world.x, p.world.t
    for _ in range(3):
        p.key("t")
    assert (p.degrees, p.message) == (45, "turned by 45°")
    assert torch.equal(p.world.x, x)
    assert p.world.t == t
    want = turned(straight, 45)
    assert all(torch.equal(a, b) for a, b in zip(p.world.rule.parameters(), want.parameters(), strict=True))
    for _ in range(21):
        p.key("t")
    assert (p.degrees, p.world.rule) == (0, straight)


def test_a_rule_that_knows_no_direction_says_so(tmp_path):
    world = World(rule(filters=("identity", "laplacian")).float(), LAYOUT, 9)
    p = Player(world, "round", folder=tmp_path)
    p.key("t")
    assert "can't be turned" in p.message
    assert p.degrees == 0
    assert "turn" not in {key.action for key in keys_of(p.able)}
    assert "turn" in {key.action for key in keys_of(play(tmp_path).able)}
