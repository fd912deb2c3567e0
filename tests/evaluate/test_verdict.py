import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
from helpers.moving import MEMORY, SHIFT, memory, shift, shifting, still

from planaria.core.rule import Rule
from planaria.evaluate.judging import bounds, course, judge
from planaria.evaluate.life import Life
from planaria.evaluate.verdict import METRICS, Course, Verdict, verdict_on
from planaria.store.cards import Card

FILM = shifting(24, h=8, w=12)
HALF = 24 / 23 / 12 * 11 / 12
"""Half the mean squared error between two frames of the film: a column of 12 is white, of 24 frames."""


def fading(share: float) -> Rule:
    """A rule that moves its picture one cell to the right in a step, and keeps `share` of its brightness."""
    rule = shift()
    with torch.no_grad():
        rule.weights[0].view(1, 1, 9)[0, 0, 3] = share
    return rule


@dataclass(frozen=True)
class Played(Life):
    """Runs that were made before."""

    made: Sequence[torch.Tensor] = ()

    def pictures(self, clip, count, what):
        assert count <= len(self.made)
        return (picture[None] for picture in self.made)


def played(made: torch.Tensor) -> Played:
    return Played(shift(), SHIFT, 1, made=list(made))


def test_the_bound_is_half_of_copying():
    assert bounds(FILM) == pytest.approx([HALF] * 23)  # at lag 12 the film is as it was: that doesn't count
    slow = torch.linspace(0, 1, 40).view(40, 1, 1, 1).expand(-1, 1, 4, 4)  # frames h apart differ by h / 39
    found = bounds(slow)
    assert found[4] == pytest.approx((5 / 39) ** 2 / 2)
    assert found[:4] == [found[4]] * 4
    assert found[7] == pytest.approx((8 / 39) ** 2 / 2)
    assert found[-1] == pytest.approx(float(slow[:, 0, 0, 0].var()))
    assert bounds(torch.full((9, 1, 4, 4), 0.5)) == [(1 / 255) ** 2] * 8  # less than a level can't be seen


def test_a_model_that_makes_no_mistake_follows_to_the_end():
    found = course(Life(shift(), SHIFT, 1), FILM, 1, 2)
    assert found == Course(23, 23, 1000, 1000)
    assert str(found) == "follows the film for 23 of 23 frames; stays alike for 1,000 of 1,000"
    assert course(Life(shift(), SHIFT, 1), FILM, 2, 50) == Course(22, 22, 1200, 1200)


def test_copying_does_not_follow():
    assert course(Life(still(), SHIFT, 1), FILM, 1, 2) == Course(0, 23, 0, 1000)
    assert str(course(Life(still(), SHIFT, 1), FILM, 1, 0)) == "follows the film for 0 of 23 frames"


def test_it_follows_until_its_error_passes_the_bound():
    passes = next(k for k in range(1, 24) if (1 - 0.7**k) ** 2 / 12 > HALF)
    found = course(Life(fading(0.7), SHIFT, 1), FILM, 1, 2)
    assert 5 < passes < 20
    assert (found.follows, found.alike) == (passes - 1, 0)


def test_it_stays_until_a_window_is_no_longer_alike():
    windows = [[0.9985 ** (2 * k) for k in range(20 * j + 1, 20 * j + 21)] for j in range(50)]
    left = next(j for j, variances in enumerate(windows) if sum(variances) / 20 < 0.5)
    assert left == 12
    assert course(Life(fading(0.9985), SHIFT, 1), FILM, 1, 2) == Course(23, 23, 20 * left, 1000)


def test_the_films_own_windows_are_always_alike():
    bright = torch.cat([FILM[:20], 0.5 * FILM[:20], FILM[:20], 0.5 * FILM[:20]])
    assert course(played(bright[torch.arange(1, 1001) % 80]), bright, 1, 2).alike == 1000
    assert course(played(0.25 * bright[torch.arange(1, 1001) % 80]), bright, 1, 2).alike == 0


@pytest.mark.parametrize(
    ("wrong", "follows"), [(range(3), 79), (range(21), 0), (range(30, 31), 30), (range(20, 22), 0)]
)
def test_a_bad_beginning_may_be_made_good(wrong, follows):
    film = FILM[torch.arange(80) % 24]
    made = film[torch.arange(1, 1001) % 72].clone()
    made[list(wrong)] = 1.0
    verdict = judge(played(made), film, 1, 2)
    assert verdict.noisy.follows == follows
    assert verdict.course.follows == wrong.start
    assert verdict.alone is None


def test_numbers_that_are_none_are_not_alike():
    made = FILM[torch.arange(1, 1001) % 24].clone()
    made[500:] = math.nan
    assert course(played(made), FILM, 1, 2) == Course(23, 23, 500, 1000)


def test_other_starts_and_one_frame():
    found = judge(Life(memory(), MEMORY, 1), 0.3 + 0.4 * shifting(24, h=8, w=12), 2, 2)
    assert found.alone is not None
    assert found.alone.follows == 0  # one frame says nothing of where it goes
    assert found.reach == 12
    assert len(found.starts) == 8
    right = judge(Life(shift(), SHIFT, 1), FILM, 1, 2)
    assert right.starts == (12,) * 8
    assert right.noisy.follows == 23
    assert right.alone is None


def test_a_verdict_in_lines():
    whole = Course(1570, 1570, 3000, 3000)
    found = Verdict(whole, (7, 3, 20, 12), 78, Course(0, 159, 60, 3000), Course(1, 1, 0, 0))
    assert found.lines() == [
        "follows the film for 1,570 of 1,570 frames; stays alike for 3,000 of 3,000",
        "from 4 places in the film: 7 of 78 frames in the median, 3 at worst",
        "from one frame alone: follows the film for 0 of 159 frames; stays alike for 60 of 3,000",
        "with noise 0.1: follows the film for 1 of 1 frame",
    ]


def test_a_course_is_read_from_metrics():
    whole = Course(157, 157, 3000, 3000)
    assert Course.read({"mse 1 ahead": 0.1, **whole.metrics()}) == whole
    assert Course.read({"mse 1 ahead": 0.1}) is None
    for odd in (-1.0, math.nan, math.inf, 1e300):
        assert Course.read({**whole.metrics(), METRICS[0]: odd}) is None


def test_the_verdict_in_a_card_is_that_of_its_task():
    met = {"frames followed": 20.0, "frames to follow": 1.0, "frames alike": 3.0, "frames run": 10.0}
    assert verdict_on(Card.parse({"task": "video", "figures": met})) == str(Course(20, 1, 3, 10))
    moving = {"look at step 10000": 1.5, "motion at step 10000": 2.0}
    said = verdict_on(Card.parse({"task": "dynamic_texture", "figures": moving}))
    assert said.startswith("after 10,000 steps it looks 1.5 and moves 2 times as far from the clip")
    assert verdict_on(Card.parse({"task": "grow", "figures": moving})) == ""
    assert verdict_on(Card.parse({"task": "no such task", "figures": moving})) == ""
    for odd in (10**400, math.inf, math.nan):
        assert (
            verdict_on(Card.parse({"task": "dynamic_texture", "figures": {**moving, "look at step 10000": odd}})) == ""
        )
