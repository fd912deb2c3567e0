"""Feed broken files of every kind to planaria: none may end in a traceback, take five seconds, or a gigabyte.

    python benchmarks/fuzz.py                       # 10,000 cases, some minutes on two cores
    python benchmarks/fuzz.py --cases 500 --only model
    python benchmarks/fuzz.py --case 1234           # one case again, with its traceback

Case N of a seed is the same file every time. Exit code 1 where any case is uncaught, slow or large.
"""

import argparse
import contextlib
import io
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from fuzz_files import broken, good, lay_out

from planaria.errors import UserError

SECONDS, BYTES = 5.0, 1_000_000_000
MOST_MEMORY = 12_000_000_000
"""Address space of a process that tries cases, so that none takes the machine along."""
PATIENCE = 20.0
"""Seconds after which a case that gives no answer is ended."""


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    case: int
    kind: str
    verdict: str
    """read, refused, or what should not be."""
    seconds: float
    bytes: int
    """Memory that it took beyond what was there."""


def command_line(*words: object) -> None:
    """Run planaria as the shell does; its refusals are raised."""
    import planaria.cli as cli

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = cli.main([str(word) for word in words])
    if code == 2:
        raise UserError(said.getvalue().strip())


def read_model(path: Path) -> None:
    """What every command does with a model first; then three steps of it as a film."""
    from planaria import store
    from planaria.store import card, start, trained_size

    for read in (store.read, store.load, card, start, trained_size):
        read(path)
    command_line("show", path)
    command_line("run", path, "--steps", 3, "-o", path.with_name("film.gif"))


def read_checkpoint(folder: Path) -> None:
    """Resume a run up to its first iteration."""
    from planaria.recipes import find
    from planaria.training.dist import ranks
    from planaria.training.session import Session

    recipe = find(str(folder))
    with ranks("cpu") as place:
        session = Session(folder, recipe.task, recipe.config({}), place, resume=True)
        next(iter(session.run(lambda: True)), None)


def read_run(folder: Path) -> None:
    """The studio's home, which no run may take away; then the run's card, curve and settings."""
    from planaria.report.run import loss_plot
    from planaria.store.run_folder import RunFolder
    from planaria.view.studio.runs import Runs

    home = Runs(folder.parent).home()
    if [card["name"] for card in home["runs"]] != [folder.name]:
        raise LookupError("the run has no card")
    command_line("show", folder)
    loss_plot(RunFolder(folder))


def read_recipe(path: Path) -> None:
    """All settings of a recipe."""
    from planaria.recipes import find

    find(str(path)).config({})


def read_picture(path: Path) -> None:
    """A target and a photo."""
    from planaria.data.images import picture

    picture(path, 16)


def read_film(path: Path) -> None:
    """Every frame of a film, or the start of a game of life."""
    if path.suffix in (".rle", ".cells"):
        command_line("run", "sim:life,size=32", "--from", path, "--frames", 2, "-o", path.with_name("film.gif"))
        return
    from planaria.data.frames import open_frames

    for _ in open_frames(path, size=16, count=20):
        pass


def read_medmnist(path: Path) -> None:
    """A sample of a file of samples."""
    from planaria.data import medmnist

    medmnist.read(path, "train", 1)


def read_weights(path: Path) -> None:
    """An automaton of others, imported."""
    known = ("--from", "monash-texture") if path.stem == "texture" else ()  # two formats that don't differ
    command_line("import", path, *known, "-o", path.with_name("imported.safetensors"))


def read_state(path: Path) -> None:
    """A state to go on from."""
    from planaria import store
    from planaria.view.play.state import read_state as read

    read(path, *store.load("heart"))


DOORS: dict[str, Callable[[Path], None]] = {
    "model": read_model,
    "checkpoint": read_checkpoint,
    "run folder": read_run,
    "recipe": read_recipe,
    "picture": read_picture,
    "film": read_film,
    "medmnist": read_medmnist,
    "weights": read_weights,
    "state": read_state,
}
SHARES = {"model": 4, "checkpoint": 4, "run folder": 3, "recipe": 4, "picture": 8, "film": 4, "medmnist": 3,
          "weights": 6, "state": 3}  # fmt: skip
"""How often each kind is drawn."""


def drawn(case: int, seed: int, files: dict[str, list[Path]]) -> tuple[str, Path, bytes]:
    """Kind, original and bytes of a case."""
    rng = random.Random(f"{seed}-{case}")
    kind = rng.choices(list(files), [SHARES[kind] for kind in files])[0]
    path = rng.choice(files[kind])
    return kind, path, broken(path, [p for paths in files.values() for p in paths], rng)


def tried(case: int, seed: int, files: dict[str, list[Path]], scratch: Path, loud: bool = False) -> Outcome:
    """Lay the file out, open it, and say what happened."""
    kind, original, data = drawn(case, seed, files)
    place = lay_out(kind, original, data, scratch)
    floor = _peak(reset=True)
    began = time.monotonic()
    try:
        with contextlib.redirect_stderr(sys.stderr if loud else io.StringIO()):
            DOORS[kind](place)
        verdict = "read"
    except UserError as e:
        verdict = "refused" if str(e).strip().count("\n") == 0 else f"refused in several lines: {str(e)[:200]!r}"
    except MemoryError:
        verdict = "out of memory"
    except (Exception, SystemExit) as e:
        if loud:
            traceback.print_exc()
        at = traceback.extract_tb(e.__traceback__)[-1]
        verdict = f"{type(e).__name__} at {Path(at.filename).name}:{at.lineno}: {str(e)[:120]}"
    return Outcome(case, kind, verdict, time.monotonic() - began, max(0, _peak() - floor))


def _peak(reset: bool = False) -> int:
    """The most memory that this process has held, in bytes; `reset` forgets what was before."""
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def work(pipe: Connection, seed: int, files: dict[str, list[Path]], scratch: Path) -> None:
    """Try the cases that come through `pipe`, and answer each."""
    import warnings

    import torch

    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    os.chdir(scratch.parent)
    warnings.simplefilter("ignore")
    for kind, paths in files.items():  # the first of each kind imports what it needs, and whole files must be read
        for path in paths:
            DOORS[kind](lay_out(kind, path, path.read_bytes(), scratch))
    while (case := pipe.recv()) is not None:
        pipe.send(tried(case, seed, files, scratch))


class Worker:
    """A process that tries cases, and is begun anew where one ended it."""

    def __init__(self, seed: int, files: dict[str, list[Path]], scratch: Path):
        self.seed, self.files, self.scratch = seed, files, scratch
        self.case, self.began, self.fresh = -1, 0.0, True
        self.begin()

    def begin(self) -> None:
        """Start the process."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        words = theirs, self.seed, self.files, self.scratch
        self.process = context.Process(target=work, args=words, daemon=True)
        self.process.start()
        self.fresh = True
        theirs.close()

    def give(self, case: int | None) -> None:
        """Hand it a case."""
        if case is not None:
            self.case, self.began = case, time.monotonic()
        self.pipe.send(case)

    def lost(self, why: str) -> Outcome:
        """The outcome of a case that gave no answer; the process is begun anew."""
        self.process.kill()
        self.process.join()
        kind, _, _ = drawn(self.case, self.seed, self.files)
        outcome = Outcome(self.case, kind, why, time.monotonic() - self.began, 0)
        self.begin()
        return outcome

    def answer(self) -> Outcome:
        """What came of its case."""
        try:
            outcome = self.pipe.recv()
            self.fresh = False
            return outcome
        except EOFError:
            return self.lost("the process died")


def outcomes(cases: list[int], seed: int, files: dict[str, list[Path]], home: Path, workers: int) -> list[Outcome]:
    """Try all cases in several processes."""
    crew = [Worker(seed, files, home / f"scratch-{k}" / "case") for k in range(workers)]
    for worker in crew:
        worker.scratch.parent.mkdir(exist_ok=True)
    waiting, found = list(reversed(cases)), []
    busy = []
    for worker in crew:
        if waiting:
            worker.give(waiting.pop())
            busy.append(worker)
    while busy:
        ready = wait([worker.pipe for worker in busy], timeout=1.0)
        for worker in list(busy):
            if worker.pipe in ready:
                found.append(worker.answer())
            elif time.monotonic() - worker.began > PATIENCE + (120 if worker.fresh else 0):
                found.append(worker.lost(f"no answer in {PATIENCE:.0f} s"))
            else:
                continue
            if len(found) % 500 == 0:
                print(f"{len(found)} of {len(cases)}", flush=True)
            if waiting:
                worker.give(waiting.pop())
            else:
                worker.give(None)
                busy.remove(worker)
    return found


def report(found: list[Outcome]) -> int:
    """Print a table by kind and every case that should not be; the exit code."""
    kinds: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in found:
        kinds[outcome.kind].append(outcome)
    print("| kind | cases | read | refused in one line | uncaught | over 5 s | over 1 GB | slowest, s | most, MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    bad = [o for o in found if o.verdict not in ("read", "refused") or o.seconds > SECONDS or o.bytes > BYTES]
    for kind, all_of in [*sorted(kinds.items()), ("all", found)]:
        counts = Counter(o.verdict for o in all_of)
        uncaught = len(all_of) - counts["read"] - counts["refused"]
        slow, large = sum(o.seconds > SECONDS for o in all_of), sum(o.bytes > BYTES for o in all_of)
        slowest, most = max(o.seconds for o in all_of), max(o.bytes for o in all_of) / 1e6
        print(
            f"| {kind} | {len(all_of)} | {counts['read']} | {counts['refused']} | {uncaught} | {slow} | {large} "
            f"| {slowest:.2f} | {most:.0f} |"
        )
    for outcome in sorted(bad, key=lambda o: (o.kind, o.verdict)):
        print(f"case {outcome.case}: {outcome.kind}: {outcome.verdict} ({outcome.seconds:.1f} s, {outcome.bytes:,} B)")
    return 1 if bad else 0


def main() -> int:
    """Read the options, make the good files, and try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", choices=("", *DOORS))
    parser.add_argument("--case", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            files = good(Path(home) / "good")
        if options.only:
            files = {options.only: files[options.only]}
        if options.case is not None:
            print(tried(options.case, options.seed, files, Path(home) / "scratch", loud=True))
            return 0
        return report(outcomes(list(range(options.cases)), options.seed, files, Path(home), options.workers))


if __name__ == "__main__":
    sys.exit(main())
