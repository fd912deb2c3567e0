"""Known automata as files: films of all, and pages and graphs of those that are rules."""

import pytest
import torch
from PIL import Image

from planaria.data import simulate
from planaria.engine import run
from planaria.errors import UserError
from planaria.export import Options, html, write


@pytest.fixture
def kept(monkeypatch):
    """Models that pages are made of."""
    seen = []
    real = html.write

    def watched(model, output, options):
        seen.append((model.rule, model.layout, model.card, model.start))
        return real(model, output, options)

    monkeypatch.setattr(html, "write", watched)
    return seen


def test_a_page_of_life_is_life(kept, tmp_path):
    path = write("sim:life/highlife,size=20x24", tmp_path / "life.html", Options(seed=5))
    assert "life/highlife" in path.read_text()
    (rule, layout, card, start), life = kept[0], simulate.load("life/highlife,size=20x24")
    assert (card["grid"], card["frame"]) == ([20, 24], {"steps": 1, "solver": "euler"})
    assert torch.equal(start, life.start(seed=5))
    assert torch.equal(run(rule, start, 60), run(life, start, 60))
    assert layout == life.layout
    write("sim:life", tmp_path / "life.html", Options(size=16))
    assert kept[1][2]["grid"] == [16, 16]


@pytest.mark.parametrize("name", ["lenia", "gray-scott/coral"])
@pytest.mark.parametrize("suffix", [".html", ".onnx"])
def test_others_have_no_weights(name, suffix, tmp_path):
    with pytest.raises(UserError, match=f"sim:{name}.* has no weights"):
        write(f"sim:{name}", tmp_path / f"x{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", simulate.names())
def test_films(name, tmp_path):
    write(f"sim:{name},size=24", tmp_path / "x.webp", Options(frames=3, scale=1))
    with Image.open(tmp_path / "x.webp") as film:
        assert (film.n_frames, film.size) == (3, (24, 24))


def test_what_there_is_not(tmp_path):
    for suffix in (".html", ".gif"):
        with pytest.raises(UserError, match="Did you mean 'life'"):
            write("sim:lief", tmp_path / f"x{suffix}")
