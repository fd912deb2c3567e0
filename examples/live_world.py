"""Poke a living pattern by hand: tick, erase, paint, look. Works with any model file."""

import sys

import planaria as pl


def main(model: str) -> float:
    """Grow, cut the left half off, let it heal; gives the share of pixels that differ by then."""
    rule, layout = pl.load(model)
    world = pl.World(rule, layout, size=72, seed=1)
    world.tick(150)
    before = world.image().float()
    world.erase("left")
    world.tick(100)
    world.paint(row=10, column=10, radius=1.5)  # plants a second seed
    world.tick(1)
    return (world.image().float() - before).abs().gt(64).any(2).float().mean().item()


if __name__ == "__main__":
    print(main(sys.argv[1]))
