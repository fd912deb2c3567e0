"""A session: one run folder and the training in it, from the first iteration to the card, through any interruption."""

import contextlib
import json
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from planaria import store, tasks
from planaria.config import to_dict, write_yaml
from planaria.core.filters import caveats
from planaria.core.rule import Rule
from planaria.errors import UserError
from planaria.evaluate.health import Certificate, examine
from planaria.evaluate.health.finding import organism, reason_against
from planaria.files import append_regular
from planaria.recipes import Recipe, find, name_for, one_length, taken
from planaria.report import health
from planaria.report import run as run_report
from planaria.store import lock, metrics, run_folder
from planaria.store.cards import Card
from planaria.store.run_folder import Checkpoint, RunFolder
from planaria.tasks.about import View
from planaria.tasks.base import Task, TaskConfig
from planaria.training import budget
from planaria.training.broadcast import PAUSE, STOP, Broadcast
from planaria.training.dist import Ranks, ranks
from planaria.training.loop import Report, Trainer
from planaria.training.preview import png

FREE = ("train.steps", "train.checkpoint", "train.device", "train.engine", "certificate")
"""Settings that may differ when a run is resumed."""


class Session:
    """Training in `folder`. Iterate for reports, then `finish`.

    The folder is this process's alone, until its training has ended or `close` is called. Raises `UserError` when
    another trains in it, when it holds a run and `resume` is not asked for, or holds a different one.
    """

    def __init__(self, folder: Path, task_name: str, config: TaskConfig, ranks: Ranks, *, resume: bool = False):
        self.folder, self.task_name, self.config, self.ranks = folder, task_name, config, ranks
        self.notes: list[str] = []
        """Notes on its inputs, and what was chosen from them, a line each."""
        try:
            is_file = folder.exists() and not folder.is_dir()
        except (OSError, ValueError) as e:
            raise UserError(f"no run can be called {folder.name[:80]!r}: {getattr(e, 'strerror', None) or e}") from None
        if is_file:
            raise UserError(f"{folder} is a file, so no run can be written there")
        self.certificate: Certificate | None = None
        """Health of the trained model, where it was examined at the end."""
        self.budget = ""
        """The iterations that `train.minutes` was found to mean, in a line; empty where none were given."""
        self._hold = self._alone()
        try:
            self._set_up(resume)
        except BaseException:
            self.close(undo=True)
            raise

    def _set_up(self, resume: bool) -> None:
        folder, ranks, kept = self.folder, self.ranks, self.kept
        if kept.began and not resume:
            raise taken(folder, self.config)
        before = kept.settings() if kept.began else None
        config, self.notes = tasks.load(self.task_name).Task.chosen(self.config, before)
        self.config = config
        if config.train.minutes:
            config = self.config = self._fitted()
        settings = {"task": self.task_name, **to_dict(config)}
        if kept.began:
            self._same(kept.settings(), settings)
        for caveat in caveats(config.rule.filters, directed=tasks.load(self.task_name).Task.directed):
            if ranks.writes:
                warnings.warn(caveat, stacklevel=3)
        saved = Checkpoint.read(kept.checkpoint) if kept.checkpoint.exists() else None
        files = saved.task if saved is not None else {}
        with _damages(kept.checkpoint) if files else contextlib.nullcontext():
            self.task: Task = tasks.load(self.task_name).Task(config, ranks.device, files or None)
        for remark in self.task.remarks:
            if ranks.writes:
                warnings.warn(remark, stacklevel=3)
        parent, theirs = store.load(config.train.init) if config.train.init and saved is None else (None, None)
        self.trainer = Trainer(self.task, config, ranks, parent)
        mine = self.task.layout
        if theirs is not None and theirs.visible != mine.visible:
            self.trainer.reused.append(f"visible channels: {theirs.visible} there, {mine.visible} here")
        card = partial(_card, folder, self.task_name, self.trainer, config)
        self.broadcast = Broadcast(folder, config.train.steps, ranks, card)
        if saved is not None:
            self._restore(saved)
        if ranks.writes:
            store.write_bytes(kept.config, write_yaml(settings).encode())
            if kept.metrics.exists():
                metrics.cut(kept.metrics, self.step)
        self._settle()
        ranks.barrier()

    def _fitted(self) -> TaskConfig:
        """Config with the iterations that fit into its minutes; those of a run that began before are kept."""
        if not self.kept.began:
            config = budget.fitted(self.task_name, self.config, self.ranks)
            minutes = self.config.train.minutes
            self.budget = f"{minutes:g} minute{'' if minutes == 1 else 's'} here: {config.train.steps:,} iterations"
            return config
        steps = find(str(self.folder)).config({}).train.steps
        config: Any = self.config
        return replace(config, train=replace(config.train, steps=steps, minutes=0.0))

    def _restore(self, saved: Checkpoint) -> None:
        with _damages(saved.path):
            try:
                self.trainer.restore(saved.tensors, saved.state)
            except UserError as e:
                raise UserError(f"{saved.path}: {e}") from e

    @property
    def kept(self) -> RunFolder:
        """Run folder with its files."""
        return RunFolder(self.folder)

    @property
    def step(self) -> int:
        """Iterations done."""
        return self.trainer.step_count

    @property
    def done(self) -> bool:
        """True if every iteration is done."""
        return self.step >= self.config.train.steps

    def run(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Report]:
        """Train until done, or `stop()` is true or requested, a checkpoint behind; yields each iteration's report."""
        if self._hold is None and self.ranks.writes:
            self._hold = lock.take(self.folder)
            self._settle()
        self.broadcast.begin(self.trainer)
        try:
            yield from self._train(stop)
        except BaseException as e:
            self._end(e)
            raise
        if not self.done:
            self.broadcast.end("stopped")
            self.close()

    def close(self, *, undo: bool = False) -> None:
        """Release the folder to another process; `undo` removes it where it was made for this and is empty."""
        if self._hold is not None:
            self._hold.release(undo=undo)
            self._hold = None

    def _train(self, stop: Callable[[], bool]) -> Iterator[Report]:
        start = time.monotonic()
        try:
            written = append_regular(self.kept.metrics) if self.ranks.writes else None
        except OSError as e:
            raise UserError(f"can't write {self.kept.metrics}: {e.strerror}") from e
        try:
            while not self.done:
                report = self.trainer.step()
                self._demand_folder()
                report = self.broadcast.after(self.trainer, report)
                if written is not None:
                    written.write(json.dumps(_line(report, time.monotonic() - start)).encode() + b"\n")
                    written.flush()
                if self.step % self.config.train.checkpoint == 0 and not self.done:
                    self.checkpoint()
                yield report
                if self._halted(stop):
                    break
        except OSError as e:
            raise UserError(f"can't write {self.kept.metrics}: {e.strerror}") from e
        finally:
            if written is not None:
                written.close()
        self.checkpoint()

    def _halted(self, stop: Callable[[], bool]) -> bool:
        """True if the training should end here, by `stop` or by request; a pause is waited out. All ranks agree."""
        while (request := self.ranks.any(STOP if stop() else self.broadcast.requested())) == PAUSE:
            self._demand_folder()
            self.broadcast.rest(self.trainer)
        self.broadcast.resume()
        return request == STOP

    @property
    def reused(self) -> list[str]:
        """Notes on what was reused from another model, a line each."""
        return self.trainer.reused

    def checkpoint(self) -> None:
        """Save everything, atomically; then the model as it is now."""
        tensors, state = self.trainer.state()
        if not self.ranks.writes:
            return
        header = {"format": store.FORMAT, "state": state, "task": self.task_name}
        store.write_tensors(self.kept.checkpoint, tensors, header)
        self._save_model(self.trainer.best_rule(), {})
        if (view := self.broadcast.preview.view) is not None:
            store.write_bytes(self.kept / run_folder.ROLLOUT, png(view))

    def finish(self) -> dict[str, float]:
        """Measure the model and write the outputs to look at; gives the metrics."""
        if not self.ranks.writes:
            return {}
        self.broadcast.note("measuring and filming")
        try:
            rule = self.trainer.best_rule()
            found = self.task.measure(rule.to(self.ranks.device))
            measured = {name: value for name, value in found.items() if math.isfinite(value)}
            if endless := ", ".join(name for name in found if name not in measured):
                warnings.warn(f"no number: {endless}; what it has learned grows without end", stacklevel=2)
            rule.cpu()
            self._save_model(rule, measured)
            if judged := run_report.verdict(self.kept, self.task):
                measured = {**judged, **measured}
            self.certificate = self._examine()
            if self.certificate is not None:
                measured |= self.certificate.metrics
            if judged or self.certificate is not None:
                self._save_model(rule, measured)
            run_report.write(self.kept, rule, self.task, self.card(measured))
        except BaseException as e:
            self._end(e)
            raise
        self.broadcast.end("finished")
        self.close()
        return measured

    def _examine(self) -> Certificate | None:
        """Examine the health of the saved model, quickly, and write the certificate, where the task asks for it."""
        body = self.task.examined()
        if body is None or not body.at_end or reason_against(model := store.read(self.kept.model)):
            return None
        self.broadcast.note("examining its health")
        found = examine(organism(model, self.task), quick=True)
        health.write(self.folder, found)
        return found

    def card(self, measured: dict[str, float]) -> Card:
        """Card of the model file."""
        return _card(self.folder, self.task_name, self.trainer, self.config, measured)

    def picture(self) -> np.ndarray | View | None:
        """The task's view, else the newest samples side by side, `(h, w, 3)` uint8; None before the first iteration."""
        if self.broadcast.preview.view is not None:
            return self.broadcast.preview.view
        if self.trainer.shown is None:
            return None
        rgb = self.task.layout.rgb(self.trainer.shown[-2:]).mul(255).round().byte().cpu().numpy()
        return np.concatenate(list(rgb.transpose(0, 2, 3, 1)), 1)

    def _save_model(self, rule: Rule, measured: dict[str, float]) -> None:
        store.save(self.kept.model, rule, self.task.layout, self.card(measured), self.task.start)

    def _end(self, error: BaseException) -> None:
        """Report its end by a failure or a person, and release the folder; nothing, where it went away."""
        if self._hold is not None and self._hold.is_lost:
            self.close()
            return
        if not isinstance(error, Exception):
            self.broadcast.end("stopped")
        else:
            self.broadcast.end(
                "failed", str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            )
        self.close()

    def _alone(self) -> "lock.Hold | None":
        """The folder's lock, on the process that writes. Raises `UserError` on all of them where another has it."""
        hold, trouble = None, None
        if self.ranks.writes:
            try:
                self._demand_silence()
                hold = lock.take(self.folder)
                self._demand_silence()
            except UserError as e:
                trouble = e
        if self.ranks.any(int(trouble is not None)):
            if hold is not None:
                hold.release(undo=True)
            raise trouble or UserError(f"nothing is trained in {self.folder}: the first process says why")
        return hold

    def _demand_silence(self) -> None:
        """Refuse a folder in which another process claims to train: on another machine, or without a lock."""
        status = self.kept.status()
        own = os.getpid(), os.getppid()  # the studio knows its child; on Windows that is a launcher's number
        if status is not None and status.busy and status.pid not in own:
            raise UserError(
                f"{self.folder} is being trained by process {status.pid} of {status.host}; stop that first, "
                "or start another: --name NAME"
            )

    def _demand_folder(self) -> None:
        """Raise `UserError` where the folder went away."""
        if self._hold is not None:
            self._hold.demand()

    def _settle(self) -> None:
        if self._hold is not None:
            self._hold.settle()

    def _same(self, there: dict[str, Any], here: dict[str, Any]) -> None:
        usual = _flat({"task": self.task_name, **to_dict(type(self.config)())})
        old, new = {**usual, **_flat(there)}, _flat(here)  # a run from before there was a setting did the usual
        for key in new:
            was, now = old.get(key), new[key]
            if key not in FREE and was != now and str(was) != str(now):  # a person's 5 may stand for "5"
                raise UserError(
                    f"{self.folder} was trained with {key}={was}, not {now}; "
                    "resume it with its own settings, or start another: --name NAME"
                )


def _card(
    folder: Path, task_name: str, trainer: Trainer, config: TaskConfig, measured: dict[str, float] | None = None
) -> Card:
    """Card of a model file."""
    values = {
        "name": folder.name,
        "task": task_name,
        "trained": trainer.step_count,
        "grid": list(trainer.task.size),
        "config": to_dict(config),
        "figures": measured or {},
        **({"reused": trainer.reused} if trainer.reused else {}),
        **trainer.task.card(),
    }
    return Card.parse(values)


@contextlib.contextmanager
def _damages(checkpoint: Path) -> Iterator[None]:
    """Convert any error from a checkpoint's content, but for a `UserError`, to a one-line message."""
    try:
        yield
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError) as e:
        raise UserError(f"{checkpoint}: not a checkpoint of this run, or damaged") from e


def _line(report: Report, seconds: float) -> dict[str, Any]:
    loss = report.loss if math.isfinite(report.loss) else None
    line: dict[str, Any] = {"step": report.step, "loss": loss, "lr": report.lr, "rollout": report.rollout}
    if len(report.terms) > 1:
        line["terms"] = report.terms
    if report.validation is not None and math.isfinite(report.validation):
        line["validation"] = report.validation
    if report.event:
        line["event"] = report.event
    return {**line, "seconds": round(seconds, 3)}


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def train(
    what: str | Path,
    *,
    name: str | None = None,
    runs: str | Path = "runs",
    resume: bool = False,
    **settings: Any,
) -> Path:
    """Train as `planaria train` does, without a screen; gives the run folder.

    `what` is a task, a recipe file, a shipped recipe or a run folder; `settings` are the task's fields, nested ones as
    dictionaries: `train("grow", picture="cat.png", train={"steps": 400})`.
    """
    recipe = find(str(what))
    config = one_length(recipe, recipe.config(settings))
    with ranks(config.train.device) as place:
        session = Session(folder_of(recipe, config, name, Path(runs)), recipe.task, config, place, resume=resume)
        with closing(session):
            for _ in session.run():
                pass
            session.finish()
    return session.folder


def folder_of(recipe: Recipe, config: TaskConfig, name: str | None, runs: Path) -> Path:
    """Run folder of `recipe`: its own folder if it is a run already, else `runs/NAME`."""
    if name is None and recipe.folder is not None:
        return recipe.folder
    name = name or name_for(recipe, config)
    if Path(name).name != name or name in (".", "..") or "\0" in name:
        raise UserError(f"--name is the name of a folder in {runs}, so {name!r} won't do")
    return runs / name
