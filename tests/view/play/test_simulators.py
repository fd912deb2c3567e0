"""Known automata under the hands: whatever plays a rule plays them."""

import pytest
import torch

from planaria.errors import UserError
from planaria.view.play.open import open_play
from planaria.view.play.terminal import status

every_one = pytest.mark.parametrize(
    "name", ["sim:gray-scott/chaos,size=32", "sim:lenia,size=32", "sim:life/B36/S23,size=32"]
)


@every_one
def test_every_key_and_the_brush(name, tmp_path):
    play = open_play(name, seed=3, folder=tmp_path, size=(24, 32))
    began = play.world.x
    play.pointer = (5, 6)
    for key in "qwertyuiopasdfghjklzxcvbnm123456780[]":
        play.key(key)
        play.advance(0.05)
    play.over = play.help = play.paused = False
    play.press(4, 4)
    play.drag(12, 20)
    play.lift()
    play.advance(0.2)
    assert play.world.x.shape == began.shape
    assert play.world.x.isfinite().all()
    assert play.image().shape == (24, 32, 3)
    assert play.name in status(play, 200)
    play.world.reset()
    assert torch.equal(play.world.x, began)
    play.close()


@every_one
def test_a_saved_state_goes_on_to_the_bit(name, tmp_path):
    play = open_play(name, seed=3, folder=tmp_path)
    play.world.tick(7)
    path = play.save()
    again = open_play(name, start=str(path), folder=tmp_path)
    assert (again.world.t, again.world.seed) == (7, 3)
    for sitting in (play, again):
        sitting.world.tick(5)
    assert torch.equal(play.world.x, again.world.x)
    again.world.reset()
    play.world.reset()
    assert torch.equal(play.world.x, again.world.x)


def test_what_there_is_not():
    with pytest.raises(UserError, match="Did you mean 'life'"):
        open_play("sim:lief")
    with pytest.raises(UserError, match="engine native"):
        open_play("sim:life", engine="native").advance(0.1)
