"""Playing with a model that repaints photos: it begins with one, and others are dropped onto its window."""

import pytest
import torch
from helpers import easel
from PIL import Image

from planaria.view.play.open import open_play
from planaria.view.play.photo import drop
from planaria.view.play.state import read_state


def seen(p) -> torch.Tensor:
    return p.world.layout.picture(p.world.x)[0]


@pytest.fixture
def gogh(tmp_path):
    easel.save(tmp_path / "gogh.safetensors", size=(12, 12))
    for name, size in (("wide", (48, 12)), ("square", (30, 30))):
        image = Image.new("RGB", size, (255, 0, 0))
        image.paste((0, 0, 255), (size[0] // 2, 0, size[0], size[1]))
        image.save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_photo_gives_the_grid_its_shape(gogh):
    p = open_play(gogh / "gogh.safetensors", start=str(gogh / "wide.png"), seed=3)
    assert p.world.size == (8, 24), "no side has fewer than 8 cells"
    assert seen(p)[:, 0, 0].tolist() == pytest.approx([1, 0, 0], abs=1e-6)
    assert seen(p)[:, -1, -1].tolist() == pytest.approx([0, 0, 1], abs=1e-6)
    p._live(60)
    assert seen(p)[:, 0, 0].tolist() == pytest.approx([0, 1, 0], abs=1e-3)
    assert open_play(gogh / "gogh.safetensors", size=(9, 9), start=str(gogh / "wide.png")).world.size == (9, 9)
    assert open_play(gogh / "gogh.safetensors").world.size == (12, 12)
    for start in ("seed", "random"):
        assert open_play(gogh / "gogh.safetensors", start=start).world.size == (12, 12)


def test_a_photo_of_the_same_shape_is_repainted_from_what_is_there(gogh):
    p = open_play(gogh / "gogh.safetensors", seed=3)
    p._live(5)
    before = seen(p).clone()
    drop(p, str(gogh / "square.png"))
    assert (p.message, p.world.t) == ("square.png is in", 5)
    assert torch.equal(seen(p), before)
    p.key("i")
    assert seen(p)[:, 0, 0].tolist() == pytest.approx([1, 0, 0], abs=1e-6)


def test_a_photo_of_another_shape_brings_its_grid(gogh):
    p = open_play(gogh / "gogh.safetensors", seed=3, folder=gogh)
    p._live(5)
    drop(p, str(gogh / "wide.png"))
    assert (p.world.size, p.world.t, p.world.seed) == ((8, 24), 0, 3)
    first = p.world.x
    p._live(5)
    p.key("i")
    assert torch.equal(p.world.x, first)
    p._live(5)
    p.press(2, 2)
    p.lift()
    p.key("r")
    p.advance(0.1)
    drop(p, str(gogh / "square.png"))
    assert "end it first" in p.message
    assert p.world.size == (8, 24)
    p.key("r")
    p.key("s")
    p.close()
    path = next(gogh.glob("gogh-t*.safetensors"))
    again = read_state(path, p.world.rule, p.world.layout)
    assert torch.equal(again.x, p.world.x)
    again.restart()
    assert again.size == (8, 24)


def test_what_is_no_picture_is_said(gogh):
    p = open_play(gogh / "gogh.safetensors")
    (gogh / "a.png").write_text("nonsense")
    for wrong in ("a.png", "none.png"):
        drop(p, str(gogh / wrong))
        assert wrong in p.message
        assert "is in" not in p.message


def test_others_show_what_is_dropped_themselves(gogh):
    p = open_play("lizard", size=(20, 20))
    p._live(3)
    drop(p, str(gogh / "square.png"))
    assert p.world.t == 0
    assert seen(p)[:, 5, 2].tolist() == pytest.approx([1, 0, 0, 1], abs=1e-5)


def test_a_window_hears_of_a_file(gogh, monkeypatch):
    pygame = pytest.importorskip("pygame")
    from planaria.view.play.window import Window

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    p = open_play(gogh / "gogh.safetensors")
    with Window(p) as window:
        assert p.message == "drop a photo onto this window"
        window.draw()
        pygame.event.clear()
        pygame.event.post(pygame.Event(pygame.DROPFILE, {"file": str(gogh / "wide.png")}))
        window.listen()
        window.draw()
        assert p.world.size == (8, 24)
        assert window.cell((window._place[0], window._place[1])) == (0, 0)
