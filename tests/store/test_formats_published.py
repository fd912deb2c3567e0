"""Published automata as they were published: what grows, what fails, what is infected, what is repainted."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from planaria.cli import main
from planaria.core.infection import Spread, combine, infectable
from planaria.core.infection_site import InfectionSite
from planaria.data import scenes
from planaria.data.images import picture
from planaria.engine import run
from planaria.repaint.files import planes_of
from planaria.store import formats


@pytest.fixture
def weights(shared):
    return shared / "data" / "weights"


def grown(made: formats.Imported, size: int, steps: int, seed: int = 0) -> torch.Tensor:
    return run(made.rule, made.layout.seed(1, size), steps, seed=seed)


def mse(made: formats.Imported, x: torch.Tensor, target: torch.Tensor) -> float:
    return float((made.layout.picture(x) - target).square().mean())


def lizard(shared) -> torch.Tensor:
    """The picture as its authors made it: straight RGBA, each channel read between four pixels."""
    with Image.open(shared / "data" / "targets" / "lizard_160.png") as image:
        rgba = torch.from_numpy(np.array(image.convert("RGBA"))).permute(2, 0, 1)[None] / 255
    return F.interpolate(rgba, (40, 40), mode="bilinear", align_corners=False)[0]


def test_the_chest_grows_and_the_retina_never_learned(weights, shared):
    chest = picture(str(shared / "data" / "targets" / "chest.png"), 28)
    made = formats.load(weights / "erikhelmut" / "chest_sobel.pt")
    assert all(mse(made, grown(made, 28, 500, seed), chest) < 4e-4 for seed in range(3))
    retina = formats.load(weights / "erikhelmut" / "retina_laplacian.pt")
    shown = grown(retina, 28, 500)[0, :3]
    assert (shown - shown.flip(1)).abs().max() > 0
    assert (shown - shown.mT).abs().mean() < 0.02, "symmetric filters can't tell directions"


def test_the_lizard_grows(weights, shared):
    made = formats.load(weights / "differentiable-morphogenesis" / "nca_lizard.pt")
    assert all(mse(made, grown(made, 40, 200, seed), lizard(shared)) < 5e-5 for seed in range(3))


def test_a_bird_is_infected_as_published(weights, shared):
    bird, virus = (
        formats.load(weights / "differentiable-morphogenesis" / f"{name}.pt")
        for name in ("nca_bird", "infect_bird_to_lizard")
    )
    found = []
    for seed in range(3):
        x = grown(bird, 40, 110, seed)
        stops = [run(virus.rule, x, steps, seed=seed + 7) for steps in (20, 50, 500)]
        found.append([mse(virus, y, lizard(shared)) for y in stops])
    young, taken, old = torch.tensor(found).mean(0).tolist()
    assert young == pytest.approx(0.0028, abs=0.001)
    assert taken == pytest.approx(0.0020, abs=0.001)
    assert old > 0.05, "it doesn't last"


@pytest.mark.parametrize("age", [110, 45])
def test_the_published_infection_spreads_from_one_place(weights, shared, age):
    bird, virus = (
        formats.load(weights / "differentiable-morphogenesis" / f"{name}.pt")
        for name in ("nca_bird", "infect_bird_to_lizard")
    )
    rule, layout = combine(bird.rule, virus.rule), infectable(bird.layout, Spread())
    for seed in range(3):
        x = run(rule, layout.seed(1, 40), age, seed=seed).clone()
        assert torch.equal(x[:, :16], grown(bird, 40, age, seed)), "nobody is ill"
        x[0, 16][InfectionSite.parse("middle").mask(x[0, 3] > 0.1)] = 1.0
        x = run(rule, x, 60, t=age, seed=seed)
        assert (x[0, 16] > 0)[x[0, 3] > 0.1].all()
        assert (layout.picture(x) - lizard(shared)).square().mean() < 0.012, "a lizard, in about 50 steps"
        x = run(rule, x, 400, t=age + 60, seed=seed)
        assert (layout.picture(x) - lizard(shared)).square().mean() > 0.03, "which falls apart, as it was published"


@pytest.mark.parametrize("name", ["Grid", "A pencil sketch"])
def test_photos_are_repainted_within_bounds(weights, name):
    made = formats.load(weights / "image-manipulation" / f"{name}.pt")
    photo = planes_of(scenes.load("street", (128, 160))).float() / 255
    x, most = made.layout.pose(photo[None], seed=1), 0.0
    for t in range(0, 120, 10):
        x = run(made.rule, x, 10, t=t, seed=1)
        most = max(most, float(x.abs().max()))
    assert most <= 0.9
    assert (made.layout.rgb(x)[0] - photo).abs().mean() > 0.05


@pytest.mark.parametrize("name", ["distill/ex1_butterfly.json", "distill/ex3_lizard.json"])
def test_the_articles_demos_grow(weights, name):
    made = formats.load(weights / name)
    body = grown(made, 72, 200)[0, 3] > 0.1
    assert 200 < int(body.sum()) < 1600
    assert bool(body[36, 36])
    rows, columns = body.any(1).nonzero(), body.any(0).nonzero()
    assert 24 < int(rows.max() - rows.min()) < 48
    assert 30 < int(columns.max() - columns.min()) < 48


def test_bubbles_grow(weights):
    made = formats.load(weights / "monash" / "texture-bubbles.bin")
    assert made.card["origin"]["from"] == "monash-texture-web"
    x = grown(made, 64, 300)
    assert x.abs().max() < 5
    assert made.layout.rgb(x).std() > 0.15


def test_the_command(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    theirs = str(weights / "image-manipulation" / "A pencil sketch.pt")
    assert main(["import", theirs, "-o", "pencil.safetensors"]) == 0
    assert "image-manipulation, 18 channels, 15,570 parameters" in capsys.readouterr().out
    assert main(["show", "pencil.safetensors"]) == 0
    assert "no licence: for your own machine" in capsys.readouterr().out
    assert main(["apply", "pencil.safetensors", "scene:cat", "-o", "cat.png", "--size", "64", "--steps", "20"]) == 0
    assert main(["export", "pencil.safetensors", "page.html"]) == 0
    assert main(["import", theirs, "-o", "pencil.safetensors"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["show", theirs]) == 2
    assert "planaria import" in capsys.readouterr().err
    assert main(["list", "formats"]) == 0
    assert "CC-BY-4.0" in capsys.readouterr().out
