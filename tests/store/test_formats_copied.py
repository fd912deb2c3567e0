"""The most copied PyTorch version (`fc0`, `fc1`): its step in float64, and the licences that files are told to have."""

import hashlib

import pytest
import torch
from helpers.published import ONE, SX, alive, dense, drawn, felt, layers, ours, stacked, state

from planaria.cli import main
from planaria.store import formats
from planaria.store.formats import licences


def copied(channels: int = 16, hidden: int = 128, last_bias: bool = False) -> dict[str, torch.Tensor]:
    """Random weights, as its linear layers keep them."""
    shapes = {"fc0.weight": (hidden, 3 * channels), "fc0.bias": (hidden,), "fc1.weight": (channels, hidden)}
    return drawn({**shapes, **({"fc1.bias": (channels,)} if last_bias else {})}, 0.1)


@pytest.mark.parametrize("last_bias", [False, True])
@pytest.mark.parametrize(("channels", "hidden"), [(16, 128), (16, 40), (12, 128), (24, 7), (4, 1)])
def test_a_step_is_that_of_its_definition(tmp_path, channels, hidden, last_bias):
    t = copied(channels, hidden, last_bias)
    torch.save(t, tmp_path / "remaster_1.pth")
    x = state(channels, 9, 7)
    maps = stacked(felt(x, [ONE, SX.T / 8, SX / 8], "zero"))  # it turns the grid before it perceives: rows first
    y = x + dense(dense(maps, t["fc0.weight"], t["fc0.bias"]).relu(), t["fc1.weight"], t.get("fc1.bias"))
    mine, made = ours(tmp_path / "remaster_1.pth", x)
    torch.testing.assert_close(mine, y * (alive(x) & alive(y)), atol=1e-6, rtol=1e-6)
    assert made.card["origin"]["from"] == "chenmingxiang110"
    assert made.card["origin"]["read as"] == "stacked, identity, sobel, rows first, zero edge"
    assert (made.rule.config.channels, made.rule.config.hidden) == (channels, (hidden,))
    assert formats.load(tmp_path / "remaster_1.pth").rule.config.fire_rate == 0.5


def test_its_picture_is_one_less_alpha_plus_colour_and_its_seed_is_filled(tmp_path):
    torch.save({"model": copied()}, tmp_path / "a.pth")
    layout = formats.load(tmp_path / "a.pth").layout
    x = torch.zeros(1, 16, 1, 1)
    x[0, :4, 0, 0] = torch.tensor([0.2, 0.1, 0.3, 0.5])
    torch.testing.assert_close(layout.rgb(x)[0, :, 0, 0], torch.tensor([0.7, 0.6, 0.8]))
    assert layout.seed(1, 5)[0, :, 2, 2].tolist() == [0.0] * 3 + [1.0] * 13


def test_the_licence_of_a_formats_home_is_not_that_of_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save(copied(), "mine.pth")
    layers(tmp_path / "ex1_bat.json", [(48, 20), (20, 16)])
    for name, told in (("mine.pth", "code without a licence"), ("ex1_bat.json", "code CC-BY-4.0")):
        assert main(["import", name, "-o", f"{name}.safetensors"]) == 0
        assert f"licence: {told}; of these weights nothing is known" in capsys.readouterr().out
        assert main(["show", f"{name}.safetensors"]) == 0
        assert f"{told}; of these weights nothing is known" in " ".join(capsys.readouterr().out.split())


def test_a_file_that_is_known_to_be_published_has_its_own_licence(tmp_path, monkeypatch):
    layers(tmp_path / "ex1_bat.json", [(48, 20), (20, 16)])
    digest = hashlib.sha256((tmp_path / "ex1_bat.json").read_bytes()).hexdigest()
    monkeypatch.setitem(licences.PUBLISHED, digest, "CC-BY-4.0")
    assert formats.load(tmp_path / "ex1_bat.json").card["origin"]["licence"] == "CC-BY-4.0"


def test_the_published_files_are_known(shared):
    for path in (shared / "data" / "weights").rglob("*.*"):
        told = formats.load(path).card["origin"]["licence"]
        assert told in ("Apache-2.0", "CC-BY-4.0", licences.NO_LICENCE), path.name
