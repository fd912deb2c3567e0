"""An infection under the hands: in a world, a film, on the command line, in players, and in files."""

import pytest
import torch
from helpers import infected

from planaria import store, usual
from planaria.cli import main
from planaria.core.infection import Spread
from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.export import Options, movie
from planaria.living import find
from planaria.living import infected as infect
from planaria.model import load
from planaria.view.play.open import open_play
from planaria.view.play.player import Player
from planaria.world import World


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    infected.save(tmp_path)
    return tmp_path


def ill(**told) -> World:
    return find("ill.safetensors", **told).world()


def test_a_click_infects_living_cells_and_it_spreads(place):
    world = ill()
    strain = world.layout.strain
    assert world.infect("0,0") == 0
    world.tick(20)
    assert world.infect("6,6,1") == 5
    world.tick(30)
    sick = world.x[0, strain] > 0
    assert torch.equal(sick, world.rule.alive(world.x)[0, 0])
    assert world.x[0, 1].max() > 0.5 > 0.2 > world.x[0, 0].min()
    assert world.undo()
    assert not world.x[0, strain].any()


def test_seeds_noise_and_chance_make_nobody_ill(place):
    world = ill()
    strain = world.layout.strain
    for deed in (
        world.reset,
        world.randomise,
        lambda: world.erase("noise(3)"),
        lambda: world.plant(3, 3),
        lambda: world.paint(6, 6, 2, {0: 1.0}),
    ):
        deed()
        assert not world.x[0, strain:].any()
    world.infect("all")
    world.erase("noise(3)")
    assert set(world.x[0, strain].unique().tolist()) <= {0.0, 1.0}
    world.erase("left")
    assert not world.x[0, strain, :, :6].any(), "what is cut off is cut off whole"


def test_what_holds_no_infection_says_so(place, capsys):
    with pytest.raises(UserError, match="holds no infection"):
        find("host.safetensors").world().infect("middle")
    for words in (["host.safetensors", "--at", "6,6@3"], ["lizard", "--at", "middle@3"]):
        assert main(["run", *words, "--steps", "5", "-o", "a.gif"]) == 2
        assert "so nothing can be infected; --infect VIRUS puts one in" in capsys.readouterr().err


def test_any_fitting_model_infects_any_other(place):
    alone = infect(find("host.safetensors"), "virus.safetensors", delay=2, recovery=9, chance=0.6)
    again = infect(find("ill.safetensors"), "ill.safetensors")
    assert (alone.layout.channels, again.layout.channels) == (13, 9)
    worlds = [alone.world(), again.world()]
    for world in worlds:
        world.tick(20)
        world.infect("middle")
        world.tick(10)
    assert worlds[0].x[0, 8].sum() < worlds[1].x[0, 8].sum(), "a delay"
    with pytest.raises(UserError, match="the host has channels=8, the virus channels=16"):
        infect(find("host.safetensors"), "lizard")
    drawn = infect(find("host.safetensors", start="random"), "virus.safetensors")
    assert drawn.start is not None
    assert drawn.start.shape == (1, 9, 12, 12)
    assert not drawn.start[:, 8].any()


def test_the_battle_as_a_film(place, capsys):
    words = ["run", "--infect", "virus.safetensors", "--at", "6,6@20", "host.safetensors", "--steps", "50"]
    assert main([*words, "-o", "battle.gif", "--scale", "2"]) == 0
    assert "battle.gif: 27 frames" in capsys.readouterr().out
    assert main([*words, "--at", "2,2@20", "--erase", "left@20", "-o", "battle.png"]) == 0
    assert main(["run", "ill.safetensors", "--steps", "120"]) == 0
    assert main(["run", "host.safetensors", "--delay", "3"]) == 2
    assert "give --infect VIRUS too" in capsys.readouterr().err
    assert main([*words[:3], "--at", "left@20", "host.safetensors"]) == 2
    assert "is no place where an infection begins" in capsys.readouterr().err
    assert main([*words[:3], "--at", "6,6", "host.safetensors"]) == 2
    assert "write ROW,COLUMN@STEP, as in 20,20@100" in capsys.readouterr().err


def test_a_film_tells_what_was_done_when(place):
    model = load("ill.safetensors")
    shot = model.film(steps=30, every=5, infect={20: "6,6; 2,2"}, erase={20: "right"})
    assert shot.events == {20: "right; infect 6,6; infect 2,2"}
    before, after = (shot.frames[k] for k, at in enumerate(shot.at) if at == 20)
    assert (before != after).any()
    told = movie.take(find("ill.safetensors"), Options(steps=150))
    assert told.events == {100: "infect middle"}
    assert movie.take(find("ill.safetensors"), Options(steps=150, infect={})).events == {}
    assert movie.take(find("ill.safetensors"), Options(steps=90)).events == {45: "infect middle"}
    for place_, fits in (("-1,3", True), ("-2,3", False), ("3,12", True), ("13,3", False), ("30,30,27", True)):
        if fits:
            model.film(steps=4, infect={2: place_})
        else:
            with pytest.raises(UserError, match=f"{place_} lies outside the grid of 12x12 cells"):
                model.film(steps=4, infect={2: place_})
    with pytest.raises(UserError, match="'3,3,-2' is no place where an infection begins"):
        model.film(steps=4, infect={2: "3,3,-2"})
    with pytest.raises(UserError, match="'infect middle' at step 99: the animation has steps 0 to 50"):
        movie.take(find("ill.safetensors"), Options(steps=50, infect={99: "middle"}))


def test_one_that_does_not_spread_takes_its_share(place):
    infected.save(place, Spread(contact=False))
    living = find("ill.safetensors")
    assert (living.layout.frozen, living.layout.photo) == (1, 0)
    assert usual.infection(living.layout, living.card) == {100: "25%"}
    world = living.world(seed=4)
    world.infect("25%")
    mask = world.x[0, 8].clone()
    assert 20 < mask.sum() < 52
    world.tick(30)
    assert torch.equal(world.x[0, 8], mask)
    guest = infect(find("host.safetensors"), "ill.safetensors")
    assert usual.infection(guest.layout, guest.card) == {100: "25%"}
    shared = infect(find("ill.safetensors"), "virus.safetensors")
    assert usual.infection(shared.layout, shared.card) == {100: "middle"}


@pytest.mark.parametrize("spread", [Spread(), Spread(True, 3, 5, 0.5), Spread(contact=False)], ids=str)
def test_how_it_spreads_is_in_its_file_and_of_an_older_one_in_its_weights(place, spread):
    old = store.read(infected.save(place, spread)[2])
    assert (old.card.infection, old.spread) == (None, spread)
    path = load("ill.safetensors").save("new.safetensors")
    assert (store.card(path).infection, store.read(path).spread) == (spread, spread)
    header, tensors = store.read_header(path), store.read_tensors(path)
    for odd in ("x", {"delay": 0}, {"contact": True, "delay": 7}, {"unknown": 1}, None):
        header["card"]["infection"] = odd
        store.write_tensors(path, tensors, header)
        assert store.read(path).spread == spread, "what the weights do, whatever a card says"
    assert store.read("host.safetensors").spread is None


def test_the_players_begin_with_the_infection_in_hand(place):
    play = Player(ill(), "ill", folder=place)
    assert play.brush == "infect"
    assert play.brushes == ("paint", "erase", "plant", "infect")
    play.world.tick(20)
    play.press(6, 6)
    play.lift()
    assert play.world.x[0, 8].sum() == 5
    play.look(8)
    assert play.view == "channel 8 infection"
    assert play.image().shape == (12, 12, 3)
    play.key("v")
    assert play.brush == "paint"
    play.key("v")
    assert play.brush == "infect"
    other = Player(find("host.safetensors").world(), "host", folder=place)
    other.key("v")
    assert (other.brush, other.message) == ("paint", "nothing is infectious here")


def test_any_model_is_played_with_as_a_host(place):
    play = open_play("host.safetensors", infect="virus.safetensors", seed=3, folder=place)
    assert (play.brush, play.name) == ("infect", "host")
    play.world.tick(20)
    play.press(6, 6)
    assert play.world.x[0, 8].sum() == 5
    saved = play.save()
    again = open_play("host.safetensors", infect="virus.safetensors", start=str(saved))
    assert torch.equal(again.world.x, play.world.x)
    with pytest.raises(UserError, match="doesn't fit this model"):
        open_play("host.safetensors", start=str(saved))


def test_layouts_that_lack_room(place):
    for strain in (3, 12, -1):
        with pytest.raises(UserError, match="layout.strain is"):
            Layout(4, 3, hidden=4, strain=strain)
    rule, layout = store.load("ill.safetensors")
    assert [layout.role(k) for k in (0, 3, 4, 8)] == ["red", "alpha", "hidden", "infection"]
    assert rule.config.channels == 9
