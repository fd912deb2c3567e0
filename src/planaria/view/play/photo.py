"""Pictures given to a player by hand: a file dropped onto its window."""

from pathlib import Path

from planaria.errors import UserError
from planaria.living import begin, exposed, shape_of
from planaria.view.play.player import Player
from planaria.world import World


def drop(play: Player, source: str) -> None:
    """Show a picture to the cells, with a message on it or on what is wrong with it.

    Cells that repaint photos get it as their photo: they go on from what they show, or begin with it on a grid of its
    shape, as many cells as now, where it has another. All others show it themselves, from step 0.
    """
    try:
        if play.world.layout.photo:
            _lay(play, source)
        else:
            world = play.world
            world.start = begin(world.rule, world.layout, world.size, source, seed=world.seed, engine=world.engine)
            world.reset()
        play.say(f"{Path(source).name} is in")
    except UserError as e:
        play.say(str(e))


def _lay(play: Player, source: str) -> None:
    old = play.world
    size = shape_of(source, old.size[0] * old.size[1])
    photo = exposed(old.layout, size, source)
    if size == old.size:
        old.expose(photo)
        return
    if play.recorder.on:
        raise UserError("an animation is being recorded, and the photo has another shape: end it first, with R")
    start = old.layout.pose(photo[None].to(old.x), seed=old.seed)
    world = World(
        old.rule, old.layout, size, seed=old.seed, start=start, cond=old.cond, device=old.device, engine=old.engine
    )
    world.photo = world.x[0, -world.layout.frozen :]
    play.lift()
    play.recorder.fit(size)
    play.world = world
