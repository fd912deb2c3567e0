"""The films of the benchmarks are what the tables say: the ball's numbers, and a snake whose law is visible."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "films.py"
spec = importlib.util.spec_from_file_location("benchmark_films", SCRIPT)
assert spec is not None
assert spec.loader is not None
films = importlib.util.module_from_spec(spec)
spec.loader.exec_module(films)


@pytest.mark.parametrize("name", films.FILMS)
def test_a_film_is_the_same_from_the_same_seed_and_another_from_another(name):
    one = films.frames(name, 6, (16, 24), 1)
    assert (one.shape, one.dtype) == ((6, 16, 24, 3), np.uint8)
    assert np.array_equal(one, films.frames(name, 6, (16, 24), 1))
    assert not np.array_equal(one, films.frames(name, 6, (16, 24), 2))
    assert any(not np.array_equal(one[0], frame) for frame in one)


def test_the_ball_bounces_as_the_tables_say():
    film = films.frames("ball").astype(float)
    assert film.shape == (160, 36, 48, 3)
    cover = film[..., 0] - film[0, -1, -1, 0]
    rows, columns = np.mgrid[:36, :48]
    places = np.stack([(cover * at).sum((1, 2)) / cover.sum((1, 2)) for at in (rows, columns)], 1)
    assert np.allclose(places[0], (12, 10), atol=0.1)
    assert np.allclose(np.abs(np.diff(places, axis=0))[:15], (0.9, 1.3), atol=0.1)
    assert np.allclose(places.min(0), (4, 4), atol=1)
    assert np.allclose(places.max(0), (31, 43), atol=1), "it turns where its rim meets a wall"


@pytest.mark.parametrize("seed", range(3))
def test_a_snake_follows_the_law_that_its_colours_show(seed):
    film = films.frames("snake", 400, seed=seed).astype(float) / 255
    meals = 0
    for now, then in itertools.pairwise(film):
        life, food, head = read(now)
        there = films._next(life, food, head)
        assert there is not None, "it lives"
        meals += food[there] == films.RIPE
        grown = min(films.LONGEST, life[head] + int(food[there] == films.RIPE))
        expected = np.maximum(life - 1, 0)
        expected[there] = grown
        after, ripening, moved = read(then)
        assert moved == there
        assert np.array_equal(after, expected)
        free = (expected == 0) & (food >= 0)
        assert np.array_equal(ripening[free], np.minimum(food + 1, films.RIPE)[free])
    assert meals >= films.MEALS


def read(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Life, food and the head's place, from the colours alone."""
    red, green, blue = np.moveaxis(frame, -1, 0)
    (head,) = np.argwhere(red > 0.9)
    life = np.where(green > 0.3, np.rint((green - 0.28) / 0.06), 0).astype(int)
    food = np.where(blue < 0.2, -1, np.rint((blue - 0.25) / 0.75 * films.RIPE)).astype(int)
    return life, food, (int(head[0]), int(head[1]))
