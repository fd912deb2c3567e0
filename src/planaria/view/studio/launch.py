"""Trainings that the studio starts: processes of their own, which outlive it."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from planaria import store
from planaria.config import to_dict, write_yaml
from planaria.errors import UserError
from planaria.files import append_regular
from planaria.recipes import Recipe
from planaria.store import live, lock
from planaria.store.run_folder import RunFolder
from planaria.view.studio.cards import last_line
from planaria.view.studio.guard import Refusal
from planaria.view.studio.runs import Runs

MOST_TRAININGS = 16
"""Largest number of trainings at once in a folder of runs, for the studio to start another."""

END_SECONDS = 10.0
"""Seconds that a training may take to exit after its last status."""


class Trainings:
    """Starts, resumes and puts away runs."""

    def __init__(self, runs: Runs):
        self.runs = runs
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._reaping, self._starting = threading.Lock(), threading.Lock()

    def start(self, recipe: Recipe, config: Any, wanted: str) -> str:
        """Start a new run, called `wanted` or after it; returns its name."""
        with self._starting:
            return self._start(recipe, config, wanted)

    def _start(self, recipe: Recipe, config: Any, wanted: str) -> str:
        self._check_room()
        try:
            self.runs.folder.mkdir(parents=True, exist_ok=True)
            name = self._claim(wanted)
        except OSError as e:
            raise UserError(f"can't write {self.runs.folder}: {e.strerror or e}") from e
        file = self._recipe(name)
        store.write_bytes(file, write_yaml({"task": recipe.task, **to_dict(config)}).encode())
        words = [str(file), "--name", name, "--runs", str(self.runs.folder.resolve())]
        self._launch(name, words, live.Status("running", 0, config.train.steps))
        return name

    def resume(self, name: str, steps: int | None = None) -> None:
        """Resume a run that rests, to `steps` iterations where that is given."""
        with self._starting:
            self._resume(name, steps)

    def _resume(self, name: str, steps: int | None) -> None:
        folder = self.runs.run(name)
        about = self.runs.card("runs", name)
        if about["state"] in live.BUSY:
            raise Refusal(409, f"{name!r} is training already")
        self._check_room()
        if steps is not None and not about["step"] < steps <= 10**9:
            raise Refusal(400, f"{name!r} has done {about['step']} iterations: ask for more", "steps")
        self._await_end(name)
        if RunFolder(folder).config.exists():
            words = [str(folder.resolve()), "--resume"]
        elif self._recipe(name).exists():
            words = [str(self._recipe(name)), "--name", name, "--runs", str(self.runs.folder.resolve()), "--resume"]
        else:
            raise Refusal(409, f"{name!r} has no settings to go on with")
        words += [] if steps is None else [f"train.steps={steps}"]
        live.request(folder, pause=False, stop=False)
        self._launch(name, words, live.Status("running", about["step"], steps or about["steps"], about["loss"]))

    def put_away(self, name: str) -> None:
        """Move a run that rests to the bin."""
        folder = self.runs.run(name)
        if self.runs.status(folder).busy:
            raise Refusal(409, f"{name!r} is training; stop it first")
        there = self.runs.folder / ".bin" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**6:06d}"
        try:
            hold = lock.Hold(folder, make=False)
        except lock.Busy:
            raise Refusal(409, f"{name!r} is training; stop it first") from None
        try:
            there.parent.mkdir(exist_ok=True)
            folder.rename(there)
            hold.folder = there
        except OSError as e:
            raise UserError(f"can't put {name!r} away: {e.strerror or e}") from e
        finally:
            hold.release()

    def reap(self) -> None:
        """Record the end of trainings, and the reason where they couldn't."""
        with self._reaping:
            for name, child in list(self._children.items()):
                code = child.poll()
                if code is None:
                    continue
                del self._children[name]
                folder = self.runs.folder / name
                status = live.read_status(folder)
                if code not in (0, 130) and status is not None and (status.busy or status.state == "interrupted"):
                    note = last_line(RunFolder(folder).log) or f"it ended with code {code}"
                    live.write_status(folder, replace(status, state="failed", note=note), status.pid)

    def _claim(self, wanted: str) -> str:
        """Claim a free name and make its folder."""
        for number in range(1, 10_000):
            name = wanted if number == 1 else f"{wanted}-{number}"
            try:
                (self.runs.folder / name).mkdir()
            except FileExistsError:
                continue
            return name
        raise Refusal(409, f"too many runs are called {wanted!r}", "name")

    def _await_end(self, name: str) -> None:
        """Wait for the exit of a process that has reported its end."""
        child = self._children.get(name)
        if child is not None:
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                raise Refusal(409, f"{name!r} is just ending; try again in a moment") from None
            self.reap()

    def _check_room(self) -> None:
        """Check the number of trainings in the folder of runs, whoever started them."""
        self.reap()
        if self.runs.busy() >= MOST_TRAININGS:
            raise Refusal(409, f"{MOST_TRAININGS} trainings are running; stop one first")

    def _recipe(self, name: str) -> Path:
        return self.runs.folder.resolve() / ".recipes" / f"{name}.yaml"

    def _launch(self, name: str, words: list[str], status: live.Status) -> None:
        folder = self.runs.folder / name
        environment = {**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        try:
            with append_regular(RunFolder(folder).log) as log:
                child = subprocess.Popen(
                    [sys.executable, "-m", "planaria", "train", *words], stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, start_new_session=True, env=environment,
                )  # fmt: skip
        except OSError as e:
            raise UserError(f"can't start a training: {e.strerror or e}") from e
        self._children[name] = child
        live.write_status(folder, status, child.pid)
