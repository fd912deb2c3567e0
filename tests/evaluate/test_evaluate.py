import dataclasses
import json
import math

import pytest
import torch
from helpers.moving import MEMORY, SHIFT, memory, shift, shifting
from PIL import Image

from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.evaluate import evaluate
from planaria.report import scores as report
from planaria.report import tables
from planaria.report.plots import strip


@pytest.fixture(scope="module")
def scores():
    """A model that goes on in a line."""
    frames = 0.3 + 0.4 * shifting(24, h=16, w=24)
    return evaluate(memory(), MEMORY, frames, context=2, steps=1, start=16, horizons=(1, 2, 5, 50), times=2)


@pytest.fixture(scope="module")
def right():
    """A model that makes no mistake."""
    frames = shifting(24, h=16, w=24)
    told = []
    found = evaluate(
        shift(), SHIFT, frames, context=1, steps=1, start=16, horizons=(1, 2, 5, 50), times=2,
        progress=lambda *now: told.append(now),
    )  # fmt: skip
    assert list(dict.fromkeys(what for what, _, _ in told)) == [
        "held-out starts", "from 8 places", "verdict", "with noise", "whole video",
        "long run", "random", "shuffled", "flipped", "rolled", "1.5 times larger",
        "1.5 times smaller", "twice the grid",
    ]  # fmt: skip
    assert all(0 < done <= of for _, done, of in told)
    return found, frames


def test_a_model_that_makes_no_mistake(right):
    found, frames = right
    assert found.model.psnr == (100, 100, 100)
    assert found.still.mse == found.line.mse == pytest.approx((1 / 12,) * 3)
    assert found.left_out == (50,)
    assert set(found.whole.psnr) == {100}
    torch.testing.assert_close(found.film, frames)
    for window in found.long:
        assert (window.mean, window.variance, window.motion) == pytest.approx((1, 1, 1))
        assert window.spectrum == pytest.approx(0, abs=1e-6)
        assert (window.outside, window.finite) == (0, True)
    for name in ("flipped", "rolled"):
        assert found.unseen[name].motion == pytest.approx(1)
    assert found.unseen["random"].mean == pytest.approx(12, rel=0.1)  # a half beside one of 24 columns
    assert found.sizes["twice the grid"].mean == pytest.approx(1)
    assert set(found.noise) == {"0.05", "0.1", "0.2"}
    assert found.alone == found.whole
    rising = [curve.mse[0] for curve in found.noise.values()]
    assert 0 < rising[0] < rising[1] < rising[2] < 0.04


def test_a_model_that_needs_its_context(scores):
    assert scores.model == scores.line
    assert scores.noise["alone"].mse[0] != scores.model.mse[0]
    assert scores.alone.psnr[0] != scores.whole.psnr[0]
    assert scores.alone.first == 1
    assert scores.whole.first == 2
    assert scores.long[0].outside > 0.05  # a line leaves the range
    assert scores.long[1].variance > scores.long[0].variance > 2


def test_scores_are_json(scores):
    told = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert "film" not in told
    assert told["model"]["psnr"] == pytest.approx(scores.model.psnr)
    assert told["noise"]["0.1"]["horizons"] == [1, 2, 5]
    assert told["left_out"] == [50]
    assert len(told["long"]) == 2
    assert set(told["verdict"]["course"]) == {"follows", "of", "alike", "run"}
    wild = memory()
    with torch.no_grad():
        wild.weights[0].fill_(1e30)
    frames = shifting(12, h=8, w=8)
    broken = evaluate(wild, MEMORY, frames, context=1, steps=1, start=8, horizons=(1,), times=2)
    told = json.loads(json.dumps(broken.to_dict(), allow_nan=False))
    assert told["unseen"]["random"]["mean"] is None
    assert told["unseen"]["random"]["finite"] is False
    assert "no number" in tables.markdown("wild", broken)


def test_the_tables_say_it(right):
    text = tables.markdown("mover", right[0])
    assert text.startswith("# How mover predicts\n\n**Follows ")
    assert "\n\nMeasured on 24 frames of 24x16 cells, the last 8 held out." in text
    assert "| 1 | 8 | 0.00000 | 100.0 | 1.000 | 0.08333 | 10.8 | 0.08333 | 10.8 |" in text
    assert "horizon 50 is left out: the held-out part has 8 frames" in text
    assert "\n\n**Follows the film for 23 of 23 frames; stays alike for 1,000 of 1,000.**\n\n- from 8 places" in text
    assert "| 24..48 | 1.00 | 1.00 | 1.00 | 0.00 | 0.00% |" in text
    assert "alone" not in text
    close = dataclasses.replace(right[0].model, mse=(3.2e-7, 1e-4, 0.0))
    text = tables.markdown("mover", dataclasses.replace(right[0], model=close))
    assert all(
        word in text for word in ("| 1 | 8 | 3.2e-07 | 64.9 |", "| 2 | 7 | 0.00010 | 40.0 |", "| 0.00000 | 100.0 |")
    )
    for table in tables.tables(right[0]):
        assert {len(row) for row in table.rows} == {len(table.head)}


def test_what_needs_its_context_says_so(scores):
    text = tables.markdown("line", scores)
    assert "frame 0 alone" in text
    assert "last frame alone" in text


@pytest.mark.parametrize("visible", [1, 3])
def test_files(tmp_path, visible):
    layout = Layout(visible=visible, alpha=None, hidden=0)
    frames = shifting(14, h=16, w=24).expand(-1, visible, -1, -1).contiguous()
    found = evaluate(shift(layout), layout, frames, context=1, steps=1, start=10, horizons=(1, 2), times=1)
    written = report.write(tmp_path / "new", "mover", found, frames, fps=10)
    assert [p.name for p in written] == ["scores.json", "scores.md", "scores.png", "rollout.png", "rollout.webp"]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(p.name for p in written)
    assert json.loads(written[0].read_text())["name"] == "mover"
    with Image.open(written[2]) as plot:
        assert min(plot.size) > 700
    with Image.open(written[4]) as film:
        assert film.n_frames == 14
        film.seek(5)
        x = torch.frombuffer(bytearray(film.convert("RGB").tobytes()), dtype=torch.uint8)
        x = x.view(film.height, film.width, 3)
    assert torch.equal(x[:192], x[195:387]), "the model's picture is the truth's"
    assert x[0, :, 0].nonzero().flatten().tolist() == list(range(5 * 12, 6 * 12))
    again = [p.read_bytes() for p in written]
    report.write(tmp_path / "new", "mover", found, frames, fps=10)
    assert [p.read_bytes() for p in written] == again


def test_a_strip_of_large_pictures_is_small(right):
    found, frames = right
    large = torch.nn.functional.interpolate(frames, (400, 600))
    assert strip(large, large, found.whole).width < 1500
    assert strip(frames, found.film, found.whole).height > 200


def test_no_long_run(tmp_path):
    frames = shifting(8)
    found = evaluate(shift(), SHIFT, frames, context=1, steps=1, start=6, horizons=(9,), times=0)
    assert (found.long, found.late, found.model.horizons) == ((), None, ())
    assert "Long run" not in tables.markdown("x", found)
    report.write(tmp_path, "x", found, frames)


def test_too_few_frames():
    with pytest.raises(UserError, match="2 frames must come before them"):
        evaluate(shift(), SHIFT, shifting(2), context=1, steps=1, start=2)
    assert math.isfinite(evaluate(shift(), SHIFT, shifting(3), context=1, steps=1, start=2, times=1).model.mse[0])
