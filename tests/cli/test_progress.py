"""The screen of a training run, on terminals and elsewhere."""

import io
import math
import re
import time

import numpy as np
import pytest
import torch
from rich.console import Console

from planaria.cli.progress import TrainingScreen
from planaria.tasks.about import View


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def plain() -> Console:
    return Console(file=io.StringIO(), width=100)


def lively(width: int = 100) -> Console:
    return Console(file=io.StringIO(), width=width, height=50, force_terminal=True, color_system="truecolor")


def said(console: Console) -> str:
    """What was written, without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


def test_without_a_terminal_there_is_a_line_now_and_then(clock):
    console = plain()
    with TrainingScreen("lizard", 1000, 0, console) as shown:
        assert not shown.wants_picture
        for step in range(1, 101):
            clock.now += 0.25
            shown.update(step, 0.01)
    lines = said(console).splitlines()
    assert lines == [
        "41/1000  loss 0.01000  log10 -2.00  4.0 it/s  240 s left",
        "82/1000  loss 0.01000  log10 -2.00  4.0 it/s  230 s left",
    ]


def test_the_last_step_is_always_told(clock):
    console = plain()
    with TrainingScreen("lizard", 3, 1, console) as shown:
        clock.now += 1
        shown.update(2, 1.0)
        clock.now += 1
        shown.update(3, 1.0)
    assert said(console) == "3/3  loss 1.00000  log10 0.00  1.0 it/s  0 s left\n"


def test_the_loss_is_smoothed(clock):
    console = plain()
    shown = TrainingScreen("lizard", 3, 0, console)
    for step, loss in ((1, 1.0), (2, 0.5), (3, 0.0)):
        clock.now += 20
        shown.update(step, loss)
    assert re.findall(r"loss (\S+)", said(console)) == ["1.00000", "0.95000", "0.85500"]


def test_what_the_guardian_did_is_told(clock):
    for console in (plain(), lively()):
        with TrainingScreen("lizard", 100, 0, console) as shown:
            shown.update(1, 0.5, "step 1: explosion; back to step 0 [x]")
        assert "step 1: explosion; back to step 0 [x]" in said(console)


@pytest.mark.parametrize("loss", [math.nan, math.inf, 0.0, -1.0])
@pytest.mark.parametrize("make", [plain, lively])
def test_a_loss_that_has_no_logarithm(clock, loss, make):
    console = make()
    with TrainingScreen("lizard", 2, 0, console) as shown:
        shown.update(1, loss)
        shown.update(2, loss)
    assert "log10 -" in said(console) or "log10 inf" in said(console)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_bad_loss_is_soon_forgotten(clock, bad):
    console = plain()
    shown = TrainingScreen("lizard", 4, 0, console)
    for step, loss in ((1, 0.5), (2, bad), (3, 0.25), (4, 0.25)):
        clock.now += 20
        shown.update(step, loss)
    assert re.findall(r"loss (\S+)", said(console))[2:] == ["0.25000", "0.25000"]


def test_a_terminal_shows_a_bar_and_metrics(clock):
    console = lively()
    with TrainingScreen("lizard[bold]", 100, 0, console) as shown:
        clock.now += 2
        shown.update(10, 0.001)
    text = said(console)
    for part in ("lizard[bold]", "10/100", "loss 0.00100", "log10 -3.00", "5.0 it/s"):
        assert part in text


def test_speed_counts_from_where_it_was_resumed(clock):
    console = lively()
    with TrainingScreen("lizard", 100, 50, console) as shown:
        clock.now += 2
        shown.update(60, 0.001)
    assert "60/100" in said(console)
    assert "5.0 it/s" in said(console)


def test_a_terminal_shows_pictures_two_a_second(clock):
    console = lively()
    image = np.full((8, 12, 3), (10, 200, 30), np.uint8)
    with TrainingScreen("lizard", 100, 0, console) as shown:
        assert shown.wants_picture
        shown.update(1, 0.5, picture=image)
        assert not shown.wants_picture
        clock.now += 0.6
        assert shown.wants_picture
        shown.update(2, 0.5)
        assert shown.wants_picture
    text = said(console)
    assert [line for line in text.splitlines() if "▀" in line][-1].strip() == "▀" * 12
    assert "38;2;10;200;30" in console.file.getvalue()
    assert "2/100" in text


@pytest.mark.parametrize(("width", "columns"), [(200, 72), (40, 36)])
def test_a_picture_fits_the_terminal(clock, width, columns):
    console = lively(width)
    with TrainingScreen("lizard", 100, 0, console) as shown:
        image = np.zeros((20, 300, 3), np.uint8)
        image[:, 270:] = (0, 0, 254)  # shrunk, not cut off
        shown.update(1, 0.5, picture=image)
    assert "38;2;0;0;254" in console.file.getvalue()
    assert max(line.count("▀") for line in said(console).splitlines()) == columns


@pytest.mark.parametrize(("width", "picks"), [(170, "1 5 10 20 50 100"), (80, "1 10 100"), (20, "1 100")])
def test_a_view_shows_as_many_columns_as_fit(clock, width, picks):
    console = lively(width)
    truth, made = (torch.full((6, 3, 36, 48), share) for share in (0.0, 1.0))
    view = View(("1", "5", "10", "20", "50", "100"), {"video": truth, "alone": made}, "truth above, model below")
    with TrainingScreen("film", 100, 0, console) as shown:
        shown.update(1, 0.5, picture=view)
    lines = said(console).splitlines()
    assert picks.split() in [line.split() for line in lines]
    assert any("truth above" in line for line in lines)
    assert max(map(len, (line.rstrip() for line in lines if "\u2580" in line))) <= width
    for colour in ("38;2;0;0;0", "38;2;255;255;255"):
        assert colour in console.file.getvalue()


def test_a_tiny_terminal_is_no_reason_to_stop(clock):
    with TrainingScreen("lizard", 100, 0, lively(4)) as shown:
        shown.update(1, 0.5, picture=np.zeros((20, 30, 3), np.uint8))
        assert shown.progress.tasks[0].completed == 1


def test_the_terminal_is_given_back_after_an_error(clock):
    console = lively()
    shown = TrainingScreen("lizard", 100, 0, console)

    def fail() -> None:
        with shown:
            assert shown.live.is_started
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not shown.live.is_started
    assert console.file.getvalue().endswith("\x1b[?25h")
