import hashlib
import subprocess
import sys

import pytest
import torch

from planaria.data import simulate
from planaria.data.frames import open_frames
from planaria.engine import choose, run, unroll
from planaria.errors import UserError

NAMES = ("gray-scott", "lenia", "life")
every_one = pytest.mark.parametrize("name", NAMES)


def test_the_folder_is_the_list():
    assert tuple(simulate.names()) == NAMES
    told = simulate.about()
    assert all(name in told for name in NAMES)
    assert all(told.values())
    for name in told:
        assert simulate.load(name).name.startswith(name)


@every_one
def test_it_is_called_as_a_rule_is(name):
    there = simulate.load(name, size=32)
    x = there.start(2, seed=4)
    assert x.shape == (2, there.layout.channels, 32, 32)
    assert x.dtype == torch.float32
    assert choose(there, x)[0] == "reference"
    y = there(x, 3, seed=5, cond=None, dt=None)
    assert y.shape == x.shape
    assert torch.equal(y, there(x, 99, seed=1))  # nothing is random
    assert torch.equal(run(there, x, 5), run(there, run(there, x, 2), 3, t=2))
    assert torch.equal(list(unroll(there, x, 5))[-1], run(there, x, 5))
    for k in range(2):  # no sample sees another
        assert torch.allclose(there(x[k : k + 1]), y[k : k + 1], atol=1e-5)


@every_one
def test_a_seed_decides_a_life_to_the_bit(name):
    film = simulate.frames(name, 12, size=40, seed=7)
    assert film.shape == (12, 1, 40, 40)
    assert film.dtype == torch.float32
    assert 0 <= film.min() < film.max() <= 1
    assert torch.equal(film, simulate.frames(name, 12, size=40, seed=7))
    assert torch.equal(film, simulate.frames(f"{name},seed=7,size=40", 12))
    assert torch.equal(film, simulate.frames(f"{name},seed=3", 12, size=(40, 40), seed=4))
    assert not torch.equal(film[0], simulate.frames(name, 1, size=40, seed=8)[0])
    code = (
        "import hashlib, torch; torch.set_num_threads(1); from planaria.data import simulate;"
        f"print(hashlib.sha256(simulate.frames('{name}', 12, size=40, seed=7).numpy().tobytes()).hexdigest())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == hashlib.sha256(film.numpy().tobytes()).hexdigest()


@every_one
def test_skip_and_every(name):
    film = simulate.frames(name, 11, size=32)
    assert torch.equal(simulate.frames(name, 3, size=32, skip=2, every=4), film[2::4])
    assert torch.equal(simulate.frames(f"{name},skip=2,every=4,size=32", 3), film[2::4])
    assert torch.equal(open_frames(f"sim:{name},size=32", count=3, start=2, every=4).stack(0, 3), rounded(film[2::4]))


def rounded(film: torch.Tensor) -> torch.Tensor:
    """What is kept of frames in as many bits as they are read with."""
    read = open_frames("sim:life").depth
    return film if read == 32 else film.mul(2**read - 1).round().div(2**read - 1)


def test_a_frame_is_so_many_steps():
    lenia = simulate.load("lenia,size=32")
    film, x = simulate.frames("lenia,size=32", 4), lenia.start()
    assert torch.equal(film[3], run(lenia, x, 3 * lenia.frame)[0])


def test_settings_and_their_order():
    assert simulate.load("lenia/bubbles").settings.radius == 10
    assert simulate.load("lenia/bubbles,radius=12").settings.radius == 12
    assert simulate.load("lenia/bubbles,radius=12", radius=14).settings.radius == 14
    assert simulate.load("lenia,beta=1,0.5,radius=7").settings.beta == (1.0, 0.5)
    assert simulate.load("lenia, radius=7, beta=1").settings.radius == 7
    assert simulate.load("life", size=(20, 31)).size == simulate.load("life,size=20x31").size == (20, 31)
    assert simulate.load("life/B36/S23,density=0.2,size=9").settings.rule == "B36/S23"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("lif", "unknown simulator 'lif'; have: gray-scott, lenia, life. Did you mean 'life'?"),
        ("", "unknown simulator"),
        ("base", "unknown simulator"),
        ("life/higlife", "Did you mean 'highlife'?"),
        ("gray-scott/corl", "Did you mean 'coral'?"),
        ("lenia/orbum", "Did you mean 'orbium'?"),
        ("lenia,radios=3", "Did you mean 'radius'?"),
        ("lenia,radius=many", "radius"),
        ("life,size=0", "size='0'"),
        ("life,size=axb", "size='axb'"),
        ("life,size=99999", "size='99999'"),
        ("life,every=0", "every >= 1"),
        ("life,skip=-1", "skip >= 0"),
        ("life,density", "unknown simulator 'life,density'"),
    ],
)
def test_mistakes_are_told(spec, told):
    with pytest.raises(UserError) as said:
        simulate.load(spec)
    assert told in str(said.value)
    assert "\n" not in str(said.value)


def test_sizes_are_checked_before_memory_is_taken():
    for wrong in ({"size": 0}, {"size": (4, 0)}, {"size": 20_000}, {"n": 0}, {"n": 10**6, "size": 1000}):
        with pytest.raises(UserError, match="cells are too many"):
            simulate.load("life").start(**wrong)
    with pytest.raises(UserError, match="ask for fewer"):
        simulate.frames("life", 10**7)
    with pytest.raises(UserError, match="count >= 1"):
        simulate.frames("life", 0)


def test_films_are_endless_and_lazy():
    film = simulate.load("life,size=16").film(10**12)
    assert next(film).shape == next(film).shape == (1, 16, 16)
