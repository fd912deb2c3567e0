"""The command line: train, apply, run, show, play, studio, export, frames, survey, simulate, eval, list, bench."""

import io
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from planaria import __version__
from planaria.cli.apply import apply
from planaria.cli.bench import bench
from planaria.cli.eval import eval_
from planaria.cli.export import export
from planaria.cli.filming import Typed
from planaria.cli.frames import frames
from planaria.cli.importing import import_
from planaria.cli.listing import list_
from planaria.cli.play import play
from planaria.cli.playground import playground
from planaria.cli.ranged import Ranged
from planaria.cli.run import run
from planaria.cli.show import show
from planaria.cli.signals import Stop, listening
from planaria.cli.simulate import simulate
from planaria.cli.studio import studio
from planaria.cli.survey import survey
from planaria.cli.tables import print_table
from planaria.commands import command
from planaria.console import printer
from planaria.errors import UserError

if TYPE_CHECKING:
    from planaria.recipes import Recipe
    from planaria.tasks.about import Form
    from planaria.training.session import Session

HELP = """Neural cellular automata that grow, heal, predict video and repaint photos.

Start with:  planaria play lizard   or   planaria studio   or   planaria train demo
Or with a film:   planaria train film frames=clip.mp4 size=96   or   planaria play sim:lenia
Or with a picture:   planaria train style style=gogh.jpg   then   planaria apply runs/gogh photo.jpg -o out.png
"""

TRAIN_HELP = """Train a rule; everything goes to runs/NAME.

WHAT is a task (planaria list tasks), a recipe: a file or a shipped one (planaria list recipes), or a run folder.
Every setting can be given as key=value or --key value: picture=cat.png rule.hidden=64 train.steps=4000.
`planaria train WHAT --help` lists every setting and its value in that recipe.
Ctrl-C saves; --resume goes on as if never stopped.
"""

AS_HELP = "texture: learn to look and move like the video for ever, on any grid, instead of its course."

console = printer()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for an error of the user, 130 when interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    verbose = any(w in ("-v", "--verbose") for w in words)
    words = [w for w in words if w not in ("-v", "--verbose")]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may be no text
    try:
        with listening(["SIGINT"]), _plain_warnings():
            if len(words) > 1 and words[0] == "train" and not words[1].startswith("-"):
                code = _train_app(words[1], words[2:])
            else:
                code = _call(_app(), words)
            _flush()
            return code
    except UserError as e:
        if verbose:
            traceback.print_exc()
        _say(f"planaria: {e}")
        return 2
    except MemoryError as e:
        if verbose:
            traceback.print_exc()
        _say(f"planaria: {e}" if str(e) else "planaria: memory ended; a smaller grid, batch or picture takes less")
        return 2
    except OSError as e:  # a full disk, a stale mount: for whatever was read or written there
        if verbose:
            traceback.print_exc()
        _say(f"planaria: {f'{e.filename}: ' if e.filename else ''}{e.strerror or e}")
        with suppress(OSError):
            _flush()
        return 2
    except KeyboardInterrupt:
        _say("planaria: interrupted")
        return 130


def _flush() -> None:
    """Flush standard output and error; drop what can't be written, so that Python exits quietly."""
    out = sys.stdout
    if out is None:
        return
    try:
        out.flush()
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise


def _app() -> cyclopts.App:
    app = cyclopts.App(
        name="planaria", help=HELP, version=f"planaria {__version__}", result_action="return_value", help_format="rich",
        help_epilogue="-v adds the traceback to an error.", suppress_keyboard_interrupt=False,
    )  # fmt: skip
    app.command(_train_in_general, name="train", help=TRAIN_HELP)
    app.command(apply)
    app.command(run, help_formatter=Ranged(Typed))
    app.command(show)
    app.command(list_, name="list")
    app.command(play)
    app.command(playground)
    app.command(bench)
    app.command(eval_, name="eval")
    app.command(export, help_formatter=Ranged(Typed))
    app.command(frames)
    app.command(import_, name="import")
    app.command(simulate)
    app.command(studio)
    app.command(survey)
    return app


def _say(line: str) -> None:
    """Write a line to standard error without control codes for the terminal: file names and settings may hold some."""
    sys.stderr.write("".join(c if c.isprintable() else "?" for c in line) + "\n")


def _call(app: cyclopts.App, words: Sequence[str]) -> int:
    from planaria.config import quietly

    code = quietly(app, words)
    return code if isinstance(code, int) else 0


def _train_in_general(
    what: str,
    /,
    *settings: str,
    name: str | None = None,
    runs: Path = Path("runs"),
    resume: bool = False,
    init: str | None = None,
    turn: Annotated[str | None, Parameter(name="--as")] = None,
) -> int:
    """Train a rule.

    Parameters
    ----------
    what
        A task, a recipe or a run folder.
    settings
        key=value, for any setting that `planaria train WHAT --help` lists; prompts, where WHAT takes some.
    name
        Name of the run; by default after the recipe or the picture.
    runs
        Folder of all runs.
    resume
        Go on with a run that was stopped; start it where there is none.
    init
        A model to begin from: every weight that fits is reused, whatever the size of its grid.
    turn
        texture: learn to look and move like a video for ever, on any grid, instead of its course.
    """
    from planaria.config import pairs
    from planaria.recipes import find, turned

    recipe = find(what) if turn is None else turned(find(what), turn)
    typed, rest = pairs(recipe.config_class, settings)
    config = _prompted(recipe, recipe.config(typed, "the command line"), rest)
    return _train(recipe, _begun(config, init), name, runs, resume)


def _train_app(what: str, words: Sequence[str]) -> int:
    """`planaria train WHAT ...`: a command whose options are the settings of what is trained."""
    from planaria.config import SPELLING, layered, pairs
    from planaria.recipes import find, turned, turns

    recipe, (word, words) = find(what), _as(words)
    if word is not None:
        recipe = turned(recipe, word)
    cls = recipe.config_class
    typed, rest = pairs(cls, words)
    for option in ("name", "runs", "resume", "init"):  # spelled as a setting
        if isinstance(typed.get(option), str) and option not in cls.__dataclass_fields__:
            rest.append(f"--{option}={typed.pop(option)}")
    app = cyclopts.App(
        name=f"planaria train {what}", help=TRAIN_HELP, result_action="return_value", default_parameter=SPELLING,
        help_format="rich", help_formatter=Ranged(cls), suppress_keyboard_interrupt=False,
    )  # fmt: skip
    app.config = layered(cls, (typed, "the command line"), (recipe.settings, recipe.source))

    def train(
        *prompts,  # annotated below, as the class is known only here
        name: str | None = None,
        runs: Path = Path("runs"),
        resume: bool = False,
        init: str | None = None,
        turn: str | None = None,  # noqa: ARG001
        config: Any = None,
    ) -> int:
        return _train(recipe, _begun(_prompted(recipe, config or cls(), prompts), init), name, runs, resume)

    sentence = "What is wanted, in words, each with a weight if need be: 'a mosaic:2'."
    train.__annotations__ |= {
        "prompts": Annotated[str, Parameter(help=sentence, show=_form(recipe).kind == "words")],
        "name": Annotated[str | None, Parameter(help="Name of the run; by default after the recipe or the picture.")],
        "runs": Annotated[Path, Parameter(help="Folder of all runs.")],
        "resume": Annotated[bool, Parameter(help="Go on with a run that was stopped; start it where there is none.")],
        "init": Annotated[str | None, Parameter(help="A model to begin from: every weight that fits is reused.")],
        "turn": Annotated[str | None, Parameter(name="--as", help=AS_HELP, show=bool(turns(recipe.task)))],
        "config": Annotated[cls | None, Parameter(name="*")],
    }
    app.default(train)
    return _call(app, rest)


def _as(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Word after `--as`, None where it isn't given, and the other words; it decides which settings there are."""
    found, rest, left = None, [], iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if name == "--as" or (name == "as" and equals):
            found = value if equals else next(left, "")
        else:
            rest.append(word)
    return found, rest


def _form(recipe: "Recipe") -> "Form":
    from planaria import tasks

    return tasks.load(recipe.task).Task.form


def _prompted(recipe: "Recipe", config: Any, words: Sequence[str]) -> Any:
    """Return `config` with the `words` that are no key=value as the prompts of its task, where it takes some."""
    form = _form(recipe)
    if words and form.kind != "words":
        such = f", as in {shlex.quote(f'{form.source}={words[0]}')}" if form.source else ""
        raise UserError(f"{words[0]!r} is not a setting; write key=value{such}")
    return replace(config, **{form.source: tuple(words)}) if words else config


def _begun(config: Any, init: str | None) -> Any:
    """Return `config` with `init` as the model that its training begins from."""
    return config if init is None else replace(config, train=replace(config.train, init=init))


def _train(recipe: "Recipe", config: Any, name: str | None, runs: Path, resume: bool) -> int:
    from planaria.recipes import one_length
    from planaria.store.run_folder import RunFolder
    from planaria.training.session import folder_of

    config = one_length(recipe, config)
    folder = folder_of(recipe, config, name, runs)
    for line in recipe.notes:
        _tell(line)
    with listening() as stop:
        try:
            return _trained(recipe, config, folder, resume, stop)
        except KeyboardInterrupt:
            if not RunFolder(folder).config.exists():
                raise
            if os.environ.get("RANK", "0") == "0":  # under torchrun, one speaks for all
                _say(f"planaria: interrupted; what was saved is whole, go on with: {_going_on(folder)}")
            return 130


def _trained(recipe: "Recipe", config: Any, folder: Path, resume: bool, stop: Stop) -> int:
    from planaria.engine import native
    from planaria.report.health import table
    from planaria.store.run_folder import RunFolder
    from planaria.training.dist import ranks
    from planaria.training.session import Session

    _fetch(recipe, config)
    with (
        ranks(config.train.device) as place,
        closing(Session(folder, recipe.task, config, place, resume=resume)) as session,
    ):
        if place.writes and (lacking := native.lacking(place.device)):
            _tell(lacking)
        if place.writes and session.budget:
            _tell(session.budget)
        if place.writes and session.step:
            whole = session.config.train.steps
            at = "is finished" if session.done else f"goes on at iteration {session.step} of {whole}"
            _tell(f"{folder} {at}")
        for line in session.notes if place.writes else ():
            _tell(line)
        if place.writes and session.reused and not session.step:
            for line in (f"begins from {config.train.init}", *session.reused):
                _tell(line)
        with stop.gently():
            _watch(session, stop)
        if not session.done:
            if place.writes:
                _tell(f"stopped and saved at iteration {session.step}; go on with: {_going_on(folder)}")
            return 130
        if place.writes:
            console.print("measuring, filming ...", style="dim")
        try:
            session.finish()
        except KeyboardInterrupt:
            if place.writes:
                _say(
                    f"planaria: interrupted while measuring; all {session.step} iterations are saved, "
                    f"finish it with: {_going_on(folder)}"
                )
            return 130
    if place.writes:
        if session.certificate is not None:
            print_table(console, table(session.certificate))
        show(folder)
        _tell(f"to touch it: {command('play', folder)}, or open {RunFolder(folder).page} in a browser")
    return 0


def _going_on(folder: Path) -> str:
    return command("train", folder, "--resume")


def _tell(line: str) -> None:
    """Write a line to standard output, as it is."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _fetch(recipe: "Recipe", config: Any) -> None:
    """Download the weights that the task needs, half a gigabyte for some, with a bar."""
    from planaria import tasks

    wanted = [need.given for need in tasks.load(recipe.task).Task.needs(config) if need.kind == "backbone"]
    if not wanted:
        return
    from planaria.losses import backbones

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as bar:
        for given in wanted:
            part = bar.add_task(f"fetching {given['name']}", total=None, visible=False)
            backbones.located(
                given["name"],
                given["path"],
                lambda done, total, part=part: bar.update(part, completed=done, total=total, visible=True),
            )


def _watch(session: "Session", stop: Stop) -> None:
    """Train with a screen, in the process that writes."""
    from planaria.cli.progress import TrainingScreen

    shows = session.ranks.writes and not session.done
    screen = TrainingScreen(session.folder.name, session.config.train.steps, session.step) if shows else None
    with screen or nullcontext():
        for report in session.run(lambda: stop.asked):
            if screen is not None:
                picture = session.picture() if screen.wants_picture else None
                screen.update(report.step, report.loss, report.event, picture)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show warnings as one plain line on standard error, without file and line number."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_, **__: _say(f"warning: {message}")
        yield
