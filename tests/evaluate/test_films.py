import pytest
import torch

from planaria.data.clips import Clips, Kept
from planaria.errors import UserError
from planaria.evaluate import films


def clips(*lengths: int, held_out: float = 0.1) -> Clips:
    """Films whose frames are all of one value, the film's number in 255ths."""
    made = tuple(Kept(torch.full((n, 1, 4, 6), k, dtype=torch.uint8)) for k, n in enumerate(lengths))
    return Clips(made, 1, (4, 6), 30.0, held_out)


@pytest.mark.parametrize(
    ("made", "context", "number", "start"),
    [
        (clips(100), 3, 0, 90),
        (clips(100, held_out=0.25), 3, 0, 75),
        (clips(100, held_out=1.0), 3, 0, 3),
        (clips(100, held_out=1.0), 1, 0, 2),
        (clips(50, held_out=0), 1, 0, 45),
        (clips(10, 20, 30, 40), 3, 3, 3),
        (clips(10, 20, 30, 40, held_out=0.5), 1, 2, 2),
    ],
)
def test_what_a_model_is_measured_on(made, context, number, start):
    film, first = films.held_out(made, context)
    assert first == start
    assert film.shape == (len(made.clips[number]), 1, 4, 6)
    assert (film == torch.tensor(number) / 255).all()


def test_a_film_too_long(monkeypatch):
    monkeypatch.setattr(films, "MOST_BYTES", 99 * 4 * 24)
    with pytest.raises(UserError, match="100 frames of 6x4 are too much to measure at once; take 99 of them"):
        films.held_out(clips(100), 1)
