"""A player without a window, over a small world, and time that passes for it."""

from pathlib import Path

from helpers.rules import rule
from planaria.core.layout import Layout
from planaria.view.play.player import Player
from planaria.world import World

LAYOUT = Layout(4, 3, hidden=2)


def play(tmp_path: Path, size: int | tuple[int, int] = (14, 18), **settings) -> Player:
    world = World(rule().float(), LAYOUT, size, seed=settings.pop("seed", 3))
    return Player(world, "worm", folder=tmp_path, **settings)


def ticks(p: Player, seconds: float, frames: int = 60) -> None:
    for _ in range(round(seconds * frames)):
        p.advance(1 / frames)
