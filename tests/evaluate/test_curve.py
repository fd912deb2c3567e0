import pytest
import torch
from helpers.moving import MEMORY, SHIFT, memory, shift, shifting, still
from helpers.rules import rule as random_rule
from PIL import Image

from planaria.core.layout import Layout
from planaria.engine import run
from planaria.engine.context import charge
from planaria.errors import UserError
from planaria.evaluate import curve
from planaria.evaluate.curve import as_seen, copy_last, fitting, horizon_curve, linear, roll_out
from planaria.losses.quality import ssim


def blurred(n: int = 12, v: int = 1, h: int = 7, w: int = 9, seed: int = 0) -> torch.Tensor:
    """A random film, in 0..1."""
    return torch.rand(n, v, h, w, generator=torch.Generator().manual_seed(seed))


def test_baselines_on_lenia_are_the_published_ones(shared):
    folder = shared / "data" / "lenia"
    if not folder.is_dir():
        pytest.skip("no Lenia frames in shared/")
    small = [Image.open(p).convert("RGB").resize((96, 54), Image.Resampling.BOX) for p in sorted(folder.iterdir())]
    bytes_ = torch.stack([torch.frombuffer(bytearray(p.tobytes()), dtype=torch.uint8) for p in small])
    frames = bytes_.view(100, 54, 96, 3).permute(0, 3, 1, 2) / 255
    copied = copy_last(frames, start=90, horizons=(1, 2, 5, 10))
    assert copied.mse == pytest.approx((0.00295, 0.00846, 0.02442, 0.03888), abs=1e-5)
    assert copied.starts == (10, 9, 6, 1)
    line = linear(frames, start=90, horizons=(1, 2, 5, 10))
    assert line.mse == pytest.approx((0.00220, 0.00759, 0.02788, 0.05041), abs=1e-5)


def test_a_model_that_is_right_and_a_copy_that_is_wrong():
    frames = shifting()
    made = horizon_curve(shift(), SHIFT, frames, context=1, steps=1, start=15, horizons=(5, 1, 2, 50, 1))
    assert (made.horizons, made.starts) == ((1, 2, 5), (5, 4, 1))
    assert made.mse == pytest.approx((0, 0, 0), abs=1e-12)
    assert made.psnr == (100, 100, 100)
    assert made.ssim == pytest.approx((1, 1, 1))
    for other in (copy_last, linear):  # two of twelve columns are wrong, whatever the horizon
        assert other(frames, start=15, horizons=(1, 2, 5)).mse == pytest.approx((1 / 6,) * 3)
    wrong = horizon_curve(still(), SHIFT, frames, context=1, steps=3, start=15, horizons=(1, 2, 5))
    assert wrong == copy_last(frames, start=15, horizons=(1, 2, 5))


@pytest.mark.parametrize("context", [2, 4])
def test_a_model_with_a_memory_goes_on_in_a_line(context):
    frames = blurred()
    made = horizon_curve(memory(), MEMORY, frames, context=context, steps=1, start=6, horizons=(1, 2, 3))
    line = linear(frames, start=6, horizons=(1, 2, 3))
    assert made.starts == line.starts == (6, 5, 4)
    assert made.mse == pytest.approx(line.mse)
    assert made.ssim == pytest.approx(line.ssim, abs=1e-4)
    alone = horizon_curve(memory(), MEMORY, frames, context=1, steps=1, start=6, horizons=(1,))
    doubled = (2 * frames[5:11]).clamp(0, 1)
    assert alone.mse[0] == pytest.approx(float((doubled - frames[6:]).square().mean()))


@pytest.mark.parametrize("fire_rate", [1.0, 0.5])
def test_every_start_step_by_step(fire_rate):
    """The curve of a random rule, beside one cell step at a time and one picture at a time."""
    layout = Layout(visible=3, alpha=None, hidden=3, offset=0.5)
    made_by = random_rule(0.05, fire_rate=fire_rate, life="none").float().requires_grad_(False)
    frames, horizons = blurred(11, 3), (1, 2, 4)
    errors, similarity = {h: [] for h in horizons}, {h: [] for h in horizons}
    x = charge(made_by, layout, torch.stack([frames[i - 2 : i + 1] for i in range(6, 10)]), 2, seed=3)
    for h in range(1, 5):
        for t in (2 * h - 2, 2 * h - 1):
            x = run(made_by, x, 1, t=t, seed=3, engine="reference")
        for k, i in enumerate(range(6, 10)):
            if h in horizons and i + h < 11:
                shown = (x[k, :3] + 0.5).clamp(0, 1)
                errors[h].append(float((shown - frames[i + h]).square().mean()))
                similarity[h].append(float(ssim(shown[None], frames[i + h][None])))
    found = horizon_curve(made_by, layout, frames, context=3, steps=2, start=7, horizons=horizons, seed=3)
    assert found.starts == tuple(len(errors[h]) for h in horizons) == (4, 3, 1)
    assert found.mse == pytest.approx([sum(errors[h]) / len(errors[h]) for h in horizons], rel=1e-4)
    assert found.ssim == pytest.approx([sum(similarity[h]) / len(similarity[h]) for h in horizons], rel=1e-3)


def test_small_batches_give_the_same(monkeypatch):
    frames = blurred(20)
    settings = {"context": 2, "steps": 1, "start": 8, "horizons": (1, 3, 9)}
    whole = horizon_curve(memory(), MEMORY, frames, **settings)
    monkeypatch.setattr(curve, "NUMBERS", 3 * 2 * 2 * 63)  # three starts at a time
    parts = horizon_curve(memory(), MEMORY, frames, **settings)
    assert parts.starts == whole.starts == (12, 10, 4)
    assert parts.mse == pytest.approx(whole.mse)
    assert copy_last(frames, start=8, horizons=(1, 3)).starts == (12, 10)


def test_a_few_starts_are_spread_evenly():
    frames = blurred(30)
    found = horizon_curve(still(), SHIFT, frames, context=1, steps=1, start=10, horizons=(1, 5), most=3)
    assert found == copy_last(frames, start=10, horizons=(1, 5), most=3)
    assert found.starts == (3, 2)
    wanted = sum(float((frames[i] - frames[i + 1]).square().mean()) for i in (9, 19, 28)) / 3
    assert found.mse[0] == pytest.approx(wanted)


@pytest.mark.parametrize("sigma", [0.05, 0.1])
def test_noise_comes_out_as_it_went_in(sigma):
    frames = torch.full((60, 1, 20, 20), 0.5)
    found = horizon_curve(shift(), SHIFT, frames, context=3, steps=1, start=40, horizons=(1, 4), noise=sigma, seed=4)
    assert found.mse == pytest.approx((sigma**2,) * 2, rel=0.05)
    again = horizon_curve(shift(), SHIFT, frames, context=3, steps=1, start=40, horizons=(1, 4), noise=sigma, seed=4)
    assert found == again
    assert found != horizon_curve(
        shift(), SHIFT, frames, context=3, steps=1, start=40, horizons=(1, 4), noise=sigma, seed=5
    )


def test_a_model_that_breaks_down_is_black_and_white():
    seen = as_seen(torch.tensor([[[float("nan"), float("inf"), -float("inf"), 0.25]]]))
    assert seen.flatten().tolist() == [0, 1, 0, 0.25]
    wild = memory()
    with torch.no_grad():
        wild.weights[0].fill_(1e30)
    found = horizon_curve(wild, MEMORY, blurred(), context=2, steps=2, start=6, horizons=(1, 5))
    assert all(0 < m <= 1 for m in found.mse)


def test_progress_ends_at_the_end():
    told = []
    horizon_curve(
        still(),
        SHIFT,
        blurred(12),
        context=1,
        steps=1,
        start=8,
        horizons=(1, 3),
        progress=lambda *now: told.append(now),
    )
    # starts 7, 8 live three frames, 9 and 10 only one
    assert told == [("held-out starts", 4, 8), ("held-out starts", 8, 8)]


def test_pictures_one_after_the_other():
    frames = shifting(5)
    made = list(roll_out(shift(), SHIFT, frames[:1], 1, 4))
    torch.testing.assert_close(torch.cat(made), frames[1:])
    assert not made[0].requires_grad


def test_horizons_that_fit():
    assert fitting((50, 1, 10, 1), 100, 90) == (1, 10)
    assert fitting((11,), 100, 90) == ()
    with pytest.raises(UserError, match="a horizon is 1 frame or more, got 0"):
        fitting((1, 0), 100, 90)
    none = horizon_curve(still(), SHIFT, blurred(), context=1, steps=1, start=10, horizons=(5,))
    assert (none.horizons, none.mse, none.psnr) == ((), (), ())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"start": 12}, "held-out frames from 12 on, of 12: 2 frames must come before them, and one be there"),
        ({"start": 2, "context": 3}, "3 frames must come before them"),
        ({"context": 0}, "a context is 1 frame or more, got 0"),
        ({"frames": blurred(12, 3)}, "the frames are in colour, the model's grey"),
    ],
)
def test_what_cannot_be_measured(change, line):
    settings = {"frames": blurred(12), "context": 1, "start": 8, "steps": 1, **change}
    with pytest.raises(UserError, match=line):
        horizon_curve(still(), SHIFT, settings.pop("frames"), **settings)
