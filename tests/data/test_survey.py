"""What a film is like is found by looking at it: each thing where it is, and nowhere else."""

import re

import numpy as np
import pytest
import torch
from helpers import scenery

from planaria.data import simulate
from planaria.data.clips import open_clips, scenes
from planaria.data.frames import open_frames, write_frames
from planaria.data.survey import Finding, size_for, steps_for, survey
from planaria.data.survey.analogues import predictable
from planaria.data.survey.choices import choose
from planaria.errors import UserError

SETTINGS = {
    "size": 0, "largest": 96, "every": 1, "crop": "none", "count": 0, "colour": "auto", "steps": 0, "cuts": "split",
    "least": 12, "held_out": 0.0,
}  # fmt: skip


def found(source: str, **options) -> dict[str, Finding]:
    (film,) = survey(source, largest=96, **options)
    return {finding.name: finding for finding in film.findings}


def test_a_plain_ball_raises_no_alarm(tmp_path):
    (film,) = survey(scenery.folder(tmp_path / "ball", scenery.ball(160)))
    assert film.findings == ()
    assert film.size == (36, 48)
    assert (film.count, film.grey, film.scenes, film.noise) == (160, False, ((0, 160),), 0.0)
    assert film.predictable == film.looked == 160
    assert 1.3 <= film.speed <= 1.9
    assert steps_for(film.fast) == 2


@pytest.mark.parametrize("spec", ["lenia", "life", "gray-scott"])
def test_simulators_raise_no_alarm(spec, tmp_path):
    for source in (f"sim:{spec}", str(tmp_path / "frames")):
        if not source.startswith("sim:"):
            write_frames(simulate.frames(spec, 80, size=64), source)
        (film,) = survey(source, count=80)
        assert film.findings == (), source


def test_bars_are_found_and_cut_off(tmp_path):
    film = np.pad(scenery.drift(1), ((0, 0), (6, 8), (3, 0), (0, 0)))
    source = scenery.folder(tmp_path / "film", film)
    assert found(source)["bars"].settings == {"crop": "3,6,64,48"}
    auto = open_frames(source, crop="auto")
    assert auto.size == (48, 64)
    assert torch.equal(auto[5], open_frames(source, crop="3,6,64,48")[5])
    assert "bars" not in found(source, crop="auto")
    assert open_frames(scenery.folder(tmp_path / "ball", scenery.ball(ground=0.0)), crop="auto").size == (36, 48)
    assert open_frames("sim:life", crop="auto", count=2).size == open_frames("sim:life", count=2).size


def test_a_logo_is_found_and_left_out(tmp_path):
    film = scenery.drift(2)
    film[:, 3:9, 52:60] = 1.0
    logo = found(scenery.folder(tmp_path / "film", film))["overlay"]
    left, top, wide, high = map(int, str(logo.settings["crop"]).split(","))
    assert wide * high >= 0.7 * 48 * 64
    assert left + wide <= 52 or top >= 9
    assert "overlay" not in found(scenery.folder(tmp_path / "plain", scenery.drift(2)))


def test_cuts_split_the_film_and_a_flash_does_not(tmp_path):
    film = np.concatenate(
        [scenery.drift(3, 30), scenery.drift(4, 40, (1, 0)), scenery.drift(5, 10), scenery.drift(6, 24)]
    )
    source = scenery.folder(tmp_path / "film", film)
    (seen,) = survey(source)
    assert seen.scenes == ((0, 30), (30, 70), (80, 104)), "a scene of 10 frames is too short"
    assert "30, a cut before frame 70, a cut before frame 80" in found(source)["cuts"].text
    chosen, _ = choose(source, **SETTINGS)
    assert chosen["cuts"] == "0:30,30:70,80:104"
    clips = open_clips(source, cuts=chosen["cuts"])
    assert [len(clip) for clip in clips.clips] == [30, 40, 24]
    assert torch.equal(clips.clips[2].stack(0, 24), open_frames(source).stack(80, 104))
    assert all(i + 10 <= len(clips.clips[k]) for k, i in clips.starts(10))
    assert not any("cut" in line for line in choose(source, **SETTINGS | {"cuts": "keep"})[1])
    flash = scenery.drift(3, 40)
    flash[20] = 1.0
    assert "cuts" not in found(scenery.folder(tmp_path / "flash", flash))


def test_a_fade_belongs_to_neither_scene(tmp_path):
    film = np.concatenate([scenery.drift(3, 30), scenery.drift(4, 46)])
    mixed = np.linspace(0, 1, 18)[1:-1, None, None, None]
    film[30:46] = (1 - mixed) * film[29] + mixed * film[46]
    (seen,) = survey(scenery.folder(tmp_path / "film", film))
    assert len(seen.scenes) == 2
    (first, end), (second, last) = seen.scenes
    assert (first, last) == (0, 76)
    assert 26 <= end <= 36
    assert 40 <= second <= 50


def test_the_held_out_part_is_not_half_of_a_film_with_one_cut(tmp_path):
    source = scenery.folder(tmp_path / "film", np.concatenate([scenery.drift(3, 50), scenery.drift(4, 50)]))
    chosen, _ = choose(source, **SETTINGS | {"held_out": 0.1})
    assert chosen["cuts"] == "0:50,50:90,90:100"
    assert open_clips(source, cuts=chosen["cuts"], held_out=0.1).held == [(2, 1)]


def test_scenes_are_checked_at_the_door(tmp_path):
    source = scenery.folder(tmp_path / "film", scenery.drift(1, 10, h=8, w=8))
    assert scenes("keep") == scenes("split") == []
    for wrong in ("0-4", "4:4", "", "0:4,", "x"):
        with pytest.raises(UserError, match="cuts"):
            scenes(wrong)
    for wrong in ("0:11", "0:4;4:10"):
        with pytest.raises(UserError, match="cuts: scene|cuts: a scene ends"):
            open_clips(source, cuts=wrong)


def test_a_camera_that_shakes_is_told_from_a_thing_that_moves(tmp_path):
    still, rng = scenery.texture(7, 80, 96), np.random.default_rng(0)
    ways = rng.integers(-3, 4, (40, 2)).cumsum(0)
    shaken = np.stack([np.roll(still, tuple(way), (0, 1)) for way in ways])
    assert "it changes" in found(scenery.folder(tmp_path / "shaken", shaken))["camera"].text
    panned = found(scenery.folder(tmp_path / "panned", scenery.drift(7, 40, (0, 2))))["camera"]
    assert "2.0 cells a frame to the right" in panned.text
    zoomed = np.stack([_zoomed(still, 1.02**k) for k in range(30)])
    text = found(scenery.folder(tmp_path / "zoomed", zoomed))["camera"].text
    assert re.search(r"zooms, by \+(1\.[6-9]|2\.[0-4]) % a frame", text)


def _zoomed(picture: np.ndarray, by: float) -> np.ndarray:
    h, w, _ = picture.shape
    rows = ((np.arange(h) - h / 2) / by + h / 2).round().astype(int) % h
    columns = ((np.arange(w) - w / 2) / by + w / 2).round().astype(int) % w
    return picture[rows][:, columns]


def test_noise_is_measured_where_nothing_moves(tmp_path):
    film = scenery.ball(60, ground=0.4) + np.random.default_rng(0).normal(0, 0.02, (60, 36, 48, 3))
    (seen,) = survey(scenery.folder(tmp_path / "film", film))
    assert [finding.name for finding in seen.findings] == ["noise"]
    assert seen.noise == pytest.approx(0.02, rel=0.2)
    assert seen.moving < 0.1, "noise is no motion"


def test_a_still_film_and_one_whose_small_part_moves(tmp_path):
    still = np.repeat(scenery.texture(1)[None], 20, 0)
    assert "nothing moves" in found(scenery.folder(tmp_path / "still", still))["still"].text
    small = found(scenery.folder(tmp_path / "part", scenery.ball(80, 72, 96, within=(24, 30))))
    left, top, wide, high = map(int, str(small["part"].settings["crop"]).split(","))
    assert left <= 1
    assert top <= 1
    assert wide <= 31
    assert high <= 25


def test_repeated_frames(tmp_path):
    film = scenery.ball(30)
    twice = found(scenery.folder(tmp_path / "twice", film.repeat(2, 0)))["repeats"]
    assert twice.settings == {"every": 2}
    pulled = found(scenery.folder(tmp_path / "pulled", film.repeat([2, 3] * 15, 0)))["repeats"]
    assert pulled.settings == {}
    assert "61 %" in pulled.text


@pytest.mark.parametrize(("speed", "steps"), [(1, 2), (3, 3), (6, 6)])
def test_cell_steps_follow_from_the_speed(speed, steps, tmp_path):
    source = scenery.folder(tmp_path / "film", scenery.drift(8, 30, (0, speed), 64, 96))
    (film,) = survey(source)
    assert film.speed == pytest.approx(speed, abs=0.1)
    chosen, lines = choose(source, **SETTINGS)
    assert chosen["steps"] == steps
    assert any(f"steps={steps}" in line for line in lines) == (steps > 4)
    (half,) = survey(source, size=48)
    assert half.speed == pytest.approx(speed / 2, abs=0.3)


def test_a_large_source_is_reduced_and_a_small_one_is_not(tmp_path):
    assert [size_for(n, 96) for n in (48, 128, 129, 1920)] == [0, 0, 96, 96]
    assert size_for(1920, 0) == 0
    source = scenery.folder(tmp_path / "film", scenery.drift(9, 16, h=100, w=200))
    chosen, lines = choose(source, **SETTINGS)
    assert chosen["size"] == 96
    assert any("200x100 pixels are reduced to 96x48 cells" in line for line in lines)
    assert choose(source, **SETTINGS | {"size": 50})[0]["size"] == 50
    assert choose(source, **SETTINGS | {"largest": 0})[0]["size"] == 0
    (film,) = survey(source)
    assert any("size=96 is usual" in finding.text for finding in film.findings)


def test_several_films_are_chosen_for_together(tmp_path):
    bars = ((0, 0), (6, 6), (0, 0), (0, 0))
    scenery.folder(tmp_path / "films" / "a", np.pad(scenery.drift(1, 30), bars))
    scenery.folder(tmp_path / "films" / "b", np.pad(np.concatenate([scenery.drift(2, 20), scenery.drift(3, 20)]), bars))
    source = str(tmp_path / "films")
    chosen, lines = choose(source, **SETTINGS | {"crop": "auto"})
    assert chosen["crop"] == "0,6,64,48"
    assert chosen["cuts"] == "0:30;0:20,20:40"
    assert [len(clip) for clip in open_clips(source, cuts=chosen["cuts"], crop=chosen["crop"]).clips] == [30, 20, 20]
    assert all(line.startswith(("a: ", "b: ")) for line in lines)


def test_simulators_are_not_looked_at():
    assert choose("sim:none-such", **SETTINGS | {"crop": "auto"}) == ({"steps": 4, "crop": "none", "cuts": "keep"}, [])


def test_how_far_a_film_is_predictable():
    ball = scenery.tensor(scenery.ball(160))
    assert predictable(ball) == 160
    again = scenery.tensor(scenery.drift(1, 16, (0, 4), h=32, w=32)).repeat(5, 1, 1, 1)
    assert predictable(again) == 80
    assert predictable(ball[:1].repeat(30, 1, 1, 1)) == 30
    assert predictable(simulate.frames("life", 60, size=64, seed=1)) <= 12
    assert predictable(torch.rand(60, 1, 32, 32, generator=torch.Generator().manual_seed(0))) <= 2
    assert predictable(ball[:3]) == 3
