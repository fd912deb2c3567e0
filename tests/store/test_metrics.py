"""Metrics that nobody vouches for: numbers or nothing, and memory that doesn't grow with the file."""

import json
import os
import tracemalloc

import pytest

from planaria.errors import UserError
from planaria.store import metrics


def lines(path, count: int, **more) -> bytes:
    text = b"".join(json.dumps({"step": k, "loss": 1 / k, **more}).encode() + b"\n" for k in range(1, count + 1))
    path.write_bytes(text)
    return text


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", b"\xff", b"[" * 9_000, b'{"step": "x"}', b'{"step": true}', b'{"step": 1.5}', b'{"step": null}',
     b'{"step": -1}', b'{"step": 1' + b"0" * 20 + b"}", b'{"step": 1' + b"0" * 9000 + b"}", b'{"step": [1]}',
     b'{"step": 1, "loss": 0', b'{"step": 1e400}', b'{"step": 1, "x": "' + b"x" * 200_000 + b'"}'],
    ids=lambda line: repr(line[:20]),
)  # fmt: skip
def test_a_line_without_an_iteration_says_nothing(line):
    assert metrics.parse(line) is None


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e400", b'"1"', b"true", b"[1]", b"{}", b"1" + b"0" * 400])
def test_what_is_no_number_is_none(number):
    line = b'{"step": 3, "loss": %b, "lr": %b, "validation": %b, "terms": {"a": %b, "b": 2}}' % ((number,) * 4)
    found = metrics.parse(line)
    assert found == metrics.Metric(3, terms={"b": 2.0})
    assert found.as_dict() == {"step": 3, "terms": {"b": 2.0}}


def test_texts_can_be_written_again():
    found = metrics.parse(b'{"step": 0, "event": "\\ud800' + b"x" * 2000 + b'", "terms": {"\\ud800": 1}}')
    assert json.dumps(found.as_dict(), ensure_ascii=False).encode()
    assert (len(found.event), found.terms) == (metrics.LONGEST_TEXT, {"?": 1.0})
    assert metrics.parse(b'{"step": 1, "event": 5}').event == ""


def test_cutting_keeps_the_bytes_up_to_the_iteration(tmp_path):
    path = tmp_path / "m"
    whole = lines(path, 9)
    metrics.cut(path, 9)
    assert path.read_bytes() == whole
    path.write_bytes(whole + b'{"step": 10, "lo')
    metrics.cut(path, 10)
    assert path.read_bytes() == whole, "a torn line is none"
    metrics.cut(path, 4)
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:4])
    odd = b'garbage\n{"step": "x"}\n' + b"x" * 300_000 + b'\n{"loss": 1, "step": 5}\n'
    path.write_bytes(odd + b'{"loss": 1, "step": 6}\n{"step": 5}\n')
    metrics.cut(path, 5)
    assert path.read_bytes() == odd
    metrics.cut(path, 0)
    assert path.read_bytes() == odd[: odd.index(b'{"loss"')]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_or_a_link_elsewhere_is_one_line(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    os.mkfifo(run / "pipe")
    lines(tmp_path / "elsewhere", 3)
    (run / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("pipe", "link"):
        with pytest.raises(UserError, match=f"can't cut .*{name} at iteration 1"):
            metrics.cut(run / name, 1)
    with pytest.raises(UserError, match="can't read"):
        metrics.thinned(run / "pipe", 5)


def test_a_curve_is_thinned_evenly_and_keeps_what_happened(tmp_path):
    path = tmp_path / "m"
    lines(path, 1000)
    assert [m.step for m in metrics.thinned(path, 1000)] == list(range(1, 1001))
    with path.open("ab") as file:
        file.write(b'{"step": 1001, "event": "hm"}\n' + b"".join(b'{"step": %d}\n' % k for k in range(1002, 1100)))
    steps = [m.step for m in metrics.thinned(path, 100)]
    assert steps[:2] == [1, 17]
    assert 1001 in steps
    assert steps[-1] == 1099
    assert len(steps) <= 102


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "m"
    with path.open("wb") as file:
        for k in range(100):
            file.write(b"".join(b'{"step": %d, "loss": 0.5}\n' % n for n in range(k * 1000, k * 1000 + 1000)))
        file.write(b"x" * 5_000_000)
    tracemalloc.start()
    metrics.thinned(path, 500)
    metrics.cut(path, 60_000)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1_000_000
    assert path.read_bytes().endswith(b'{"step": 60000, "loss": 0.5}\n')
