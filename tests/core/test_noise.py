import numpy as np
import pytest
import torch

from planaria.core.noise import Stream, TrainingStream, derive, fire, fold, mix, uniform, words

WORD = 0xFFFFFFFF


def slow_mix(v: int) -> int:
    v ^= v >> 16
    v = v * 0x7FEB352D & WORD
    v ^= v >> 15
    v = v * 0x846CA68B & WORD
    return v ^ (v >> 16)


def slow_cell(seed: int, t: int, sample: int, row: int, column: int) -> int:
    """The specification in the module's docstring, in Python integers."""
    key = 0
    for v in (seed, t, sample, row, column):
        key = slow_mix((key + 0x9E3779B9 & WORD) ^ v)
    return key


def test_the_mixer_is_the_published_one():
    """lowbias32 of 1, computed by hand from its definition, and its fixed point 0."""
    words = [0, 1, 2, 0x7FFFFFFF, 0x80000000, WORD, 123456789]
    got = mix(torch.tensor(words).to(torch.int32))
    assert [v & WORD for v in got.tolist()] == [slow_mix(w) for w in words]


def test_every_cell_is_the_specification():
    for seed, t in ((0, 0), (7, 3), (2**32 - 1, 2**31)):
        want = [[[slow_cell(seed, t, b, i, j) < 0.3 * 2**32 for j in range(5)] for i in range(4)] for b in range(2)]
        assert fire(0.3, seed, t, (2, 4, 5))[:, 0].tolist() == want


def test_numpy_computes_the_same():
    """The integer arithmetic that other engines use: unsigned 32-bit, wrapping."""
    with np.errstate(over="ignore"):
        v = np.arange(1000, dtype=np.uint32)
        v ^= v >> 16
        v *= np.uint32(0x7FEB352D)
        v ^= v >> 15
        v *= np.uint32(0x846CA68B)
        v ^= v >> 16
    assert np.array_equal(mix(torch.arange(1000, dtype=torch.int32)).numpy().view(np.uint32), v)


def test_fire_is_fair():
    for rate in (0.1, 0.5, 0.9):
        assert fire(rate, 1, 2, (4, 128, 128)).float().mean() == pytest.approx(rate, abs=0.01)
    assert not fire(0.0, 1, 2, (1, 64, 64)).any()
    assert fire(1.0, 1, 2, (1, 64, 64)).all()


def test_a_cells_luck_does_not_depend_on_the_world():
    big = fire(0.3, 1, 2, (4, 128, 128))
    assert torch.equal(big[:2, :, :50, :60], fire(0.3, 1, 2, (2, 50, 60)))
    assert torch.equal(big, fire(0.3, 1, 2, (4, 128, 128)))


def test_neighbours_steps_samples_and_seeds_are_strangers():
    a = fire(0.3, 1, 2, (4, 128, 128)).float()
    others = [fire(0.3, 1, 3, (4, 128, 128)), fire(0.3, 2, 2, (4, 128, 128)), fire(0.3, 2, 1, (4, 128, 128))]
    shifted = [a.roll(1, 0), a.roll(1, 2), a.roll(1, 3), a.roll((1, 1), (2, 3)), a.transpose(2, 3)]
    for other in (*others, *shifted):
        assert abs(torch.corrcoef(torch.stack([a.flatten(), other.flatten().float()]))[0, 1]) < 0.02


def test_derived_seeds_differ_by_every_part():
    seeds = {derive(a, b, c) for a in range(20) for b in range(20) for c in range(20)}
    assert len(seeds) == 8000
    assert derive(5) == slow_mix(0x9E3779B9 ^ 5)
    assert fold(torch.tensor(0, dtype=torch.int32), torch.tensor(5, dtype=torch.int32)).item() & WORD == derive(5)


def test_streams_keep_their_numbers():
    """Published pages, saved runs and models were made with them."""
    assert [*Stream] == [1, 2, 7, 8, 9]
    assert [*TrainingStream] == [0, 2, 3, 6, 7, 9, 10, 11, 14, 15]
    assert derive(5, Stream.NOISE) == derive(5, 1)


def test_words_are_the_specification():
    got = words(7, 3, (2, 4, 5))
    assert got.dtype == torch.int32
    want = [[[slow_cell(7, 3, b, i, j) for j in range(5)] for i in range(4)] for b in range(2)]
    assert (got.long() & WORD).tolist() == want


def test_numbers_by_chance_are_the_upper_bits_of_the_words():
    got = uniform(7, 3, (2, 4, 5))
    want = [[[(slow_cell(7, 3, b, i, j) >> 8) / 2**24 for j in range(5)] for i in range(4)] for b in range(2)]
    assert got.tolist() == want
    many = uniform(1, 0, (1, 300, 300))
    assert 0 <= many.min() < 1e-4 < 1 - 1e-4 < many.max() < 1
    assert many.mean() == pytest.approx(0.5, abs=0.01)
    assert many.var() == pytest.approx(1 / 12, abs=0.01)
    assert torch.equal((many < 0.5)[:, None], fire(0.5, 1, 0, (1, 300, 300)))
