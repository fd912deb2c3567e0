"""Ctrl-C, SIGTERM and SIGHUP in every phase of a training: nothing is lost, and one line says how to go on."""

import shlex
import signal

import pytest
from helpers.tiny import WORDS

from planaria.cli import main, signals
from planaria.report import run as run_report
from planaria.training import session

every_signal = pytest.mark.parametrize("name", [name for name in signals.SIGNALS if hasattr(signal, name)])


def send(name: str):
    return lambda *_, **__: signal.raise_signal(getattr(signal, name))


def train(runs, *words: str) -> int:
    return main(["train", "grow", "--runs", str(runs), "--name", "my run", *WORDS, "train.steps=12", *words])


@every_signal
def test_while_it_is_measured_nothing_is_lost(tmp_path, monkeypatch, capsys, name):
    with monkeypatch.context() as patch:
        patch.setattr(run_report, "loss_plot", send(name))
        assert train(tmp_path) == 130
    said = capsys.readouterr().err.splitlines()[-1]
    line = f"planaria train {shlex.quote(str(tmp_path / 'my run'))} --resume"
    assert said == f"planaria: interrupted while measuring; all 12 iterations are saved, finish it with: {line}"
    assert main([*shlex.split(line)[1:]]) == 0
    assert (tmp_path / "my run" / "README.md").exists()


@every_signal
def test_while_it_is_set_up_nothing_is_left(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr(session, "Trainer", send(name))
    assert train(tmp_path / "runs") == 130
    assert capsys.readouterr().err == "planaria: interrupted\n"
    assert list(tmp_path.iterdir()) == []


@every_signal
def test_a_second_one_interrupts_at_once_and_says_how_to_go_on(tmp_path, monkeypatch, capsys, name):
    broadcast = session.Broadcast
    monkeypatch.setattr(broadcast, "requested", lambda _: send(name)() or send(name)() or 0)
    assert train(tmp_path) == 130
    assert "interrupted; what was saved is whole, go on with: planaria train" in capsys.readouterr().err
    monkeypatch.undo()
    assert train(tmp_path, "--resume") == 0


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with signals.listening() as stop:
            signal.raise_signal(signal.SIGTERM)
        assert not stop.asked
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_handlers_are_put_back(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), signals.listening():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_what_a_library_makes_of_an_interrupt_is_the_interrupt(monkeypatch, capsys):
    def importing(_: str):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("Error calling __set_name__") from None

    monkeypatch.setattr("planaria.recipes.find", importing)
    assert main(["train", "grow"]) == 130
    assert capsys.readouterr().err == "planaria: interrupted\n"


def test_an_error_after_a_gentle_signal_is_not_hidden():
    def stopped_on_a_full_disk():
        with signals.listening() as stop, stop.gently():
            signal.raise_signal(signal.SIGTERM)
            raise ValueError("a full disk")

    with pytest.raises(ValueError, match="a full disk"):
        stopped_on_a_full_disk()
