"""`planaria eval`: how well a video model predicts, another paints, or a body heals, as tables and pictures."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planaria.cli.health import certify, certify_all, write_json
from planaria.cli.tables import print_table
from planaria.commands import command
from planaria.console import busy, printer
from planaria.errors import UserError

if TYPE_CHECKING:
    from planaria.evaluate.health import Certificate
    from planaria.evaluate.repainting import Judge
    from planaria.living import Living
    from planaria.report import tables
    from planaria.store.cards import Settings
    from planaria.types import Picture

Kind = TypeVar("Kind")

SMALLEST = 32
"""Smallest shorter side, in cells, of a photo or texture that is judged."""
LONGEST, TEXTURE, PHOTOS = 192, 256, 4
"""Defaults: cells on the longer side of a photo, and on a side of a texture; and photos at most."""


def eval_(
    model: Path | None = None,
    frames: str | None = None,
    /,
    *,
    quick: bool = False,
    target: str | None = None,
    every_one: Annotated[str | None, Parameter(name="--all")] = None,
    json: Path | None = None,
    held_out: float | None = None,
    context: int | None = None,
    horizons: str = "1,2,5,10,20,50",
    long: int = 10,
    size: int | None = None,
    crop: str | None = None,
    every: int | None = None,
    count: int | None = None,
    photos: str | None = None,
    style: str | None = None,
    backbones: str | None = None,
    steps: str | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    seed: int = 0,
    engine: str = "auto",
) -> int:
    """Measure how well a video model predicts, a texture, style or text model paints, or a body grows and heals.

    A video model gets a verdict, for how many frames it follows the video and for how many it stays like it, and is
    compared with repeating the last frame and with linear extrapolation; it gets scores.json, scores.md, scores.png,
    rollout.png and rollout.webp, in the run folder, or beside the model. A model that paints is
    measured by its distance from its style or prompts and from the photo, before and after, and by its stability; it
    gets scores.json, scores.md and moments.png. A body that grows gets a certificate of its health: health.json,
    health.md and health.png, and what was measured after its training in scores.json and scores.md.

    Parameters
    ----------
    model
        A run folder or a model file.
    quick
        Of a body that grows, fewer tests on fewer bodies, in about 20 seconds rather than minutes.
    target
        Picture that a body should show, where its model doesn't say; its own mean picture stands in for none.
    every_one
        Examine every body of the gallery, or of a folder of runs and model files: --all gallery.
    json
        File for all numbers of the certificates, as JSON.
    frames
        A folder of pictures, a video, or sim:NAME; by default what the model was trained on, of several videos the
        first that was held out.
    held_out
        Share of the frames, the last ones, that the predictions are compared with; by default as in training. 1 for a
        video that the model never saw.
    context
        Frames that the model is shown before it runs freely; by default as in training.
    horizons
        Frames ahead, with commas between.
    long
        Length of the long run, in lengths of the video; 0 leaves it out, and that of the verdict.
    size
        Cells on the longest side of a frame; by default as in training. 0 leaves the frames as they are. Of a photo
        192 by default, of a texture 256.
    crop
        none, square, or x,y,w,h in pixels; by default as in training.
    every
        Keep each n-th frame; by default as in training.
    count
        Largest number of frames; 0 for all. Of photos, 4 by default.
    photos
        A folder of photos that it was not trained on, a picture, or several with commas between; by default scenes that
        come along, as none of the built-in ones shows them.
    style
        Style image, if it is no longer where it was in training.
    backbones
        Backbones that judge, with commas between (planaria list backbones); by default that of training and one more.
    steps
        Steps after which a painting is judged, with commas between; by default 60,200,1000.
    output
        Folder for the files.
    seed
        Random seed of the noise, the unseen starts, and the cells that fire.
    engine
        Engine to compute with, see `planaria list engines`.
    """
    ahead = _numbers("--horizons", horizons, "frames ahead")
    if long < 0:
        raise UserError(f"--long {long}: 0 or more")
    if held_out is not None and not 0 < held_out <= 1:
        raise UserError(f"--held-out {held_out}: a share of the frames, above 0 and at most 1")

    from planaria import evaluate, living, store, tasks
    from planaria.data.clips import open_clips
    from planaria.files import unwritable
    from planaria.health import Health
    from planaria.report import scores as report
    from planaria.report import tables
    from planaria.store.cards import Card

    growing = {"--quick": quick or None, "--target": target, "--json": json}
    if json is not None and (why := unwritable(json)):
        raise UserError(f"--json {json} {why}")
    if every_one is not None:
        _refuse({"MODEL": model, "--target": target, "-o": output}, "--all examines every model")
        return certify_all(every_one, quick=quick, seed=seed, engine=engine, json=json)
    if model is None:
        raise UserError(f"name a model, or examine every one that grows: {command('eval', '--all', 'gallery')}")
    card = Card() if str(model).startswith(living.SIMULATED) else store.card(model)
    film = {"FRAMES": frames, "--held-out": held_out, "--context": context, "--crop": crop, "--every": every}
    painting = {"--photos": photos, "--style": style, "--backbones": backbones, "--steps": steps}
    known = tasks.load(card.task) if card.task in tasks.names() else None
    if known is not None and known.Task.judged == "painting":
        _refuse(growing, f"{model} grows no body")
        _refuse(film, f"{model} is no video model")
        wanted = _numbers("--steps", steps or "60,200,1000", "cell steps")
        judged = (photos, style, backbones, size, count)
        return _paint(model, living.find(model, engine=engine), judged, wanted, output, seed, engine)
    _refuse(painting, f"{model} is no texture, style or text model")
    if known is not None and known.Task.judged == "measure":
        _refuse(film, f"{model} is no video model")
        return _grown(model, target, quick, json, output, seed, engine)
    if card.frame is None:
        raise UserError(f"{model} is no video model, and says of no other task that it was trained for it")
    _refuse(growing, f"{model} grows no body")
    config = card.config
    source = frames or config.frames
    if not source:
        said = command("eval", Path(model), "FRAMES")
        raise UserError(f"{model} doesn't say what it was trained on; name the frames: {said}")
    folder = _folder(model, output)
    alive = living.find(model, engine=engine)
    made = source.startswith(living.SIMULATED)  # to measure, and grey
    console, seen = printer(), config.context if context is None else context
    with busy(console, "reading frames"):
        clips = open_clips(
            source, clips=1 if frames else config.clips,
            count=(0 if frames else config.count) if count is None else count,
            held_out=config.held_out if held_out is None else held_out,
            size=(config.size or 0) if size is None else size,
            crop=("none" if made else config.crop) if crop is None else crop,
            every=config.every if every is None else every,
            cuts=config.cuts if frames is None and count is None and every is None else "keep",
            colour="auto" if made else "grey" if alive.layout.visible == 1 else "rgb",
        )  # fmt: skip
        shown, start = evaluate.held_out(clips, seen)
    with _bar(console) as bar:
        part = bar.add_task("starting", total=None)
        scores = evaluate.evaluate(
            alive.rule, alive.layout, shown, context=seen, steps=alive.frame, start=start, horizons=ahead, times=long,
            seed=seed, engine=engine,
            progress=lambda what, done, of: bar.update(part, description=what, completed=done, total=of),
        )  # fmt: skip
        bar.update(part, description="drawing", completed=0, total=None)
        written = report.write(folder, alive.name, scores, shown, clips.fps)
    for k, line in enumerate(scores.verdict.lines()):
        console.print(line, style="dim" if k else "bold", markup=False, highlight=False, soft_wrap=True)
    console.print()
    _tell(console, tables.tables(scores), written)
    if scores.burst is not None:
        warnings.warn(Health.of(alive).burst(scores.burst * alive.frame), stacklevel=1)
    return 0


def _grown(
    model: Path, target: str | None, quick: bool, json: Path | None, output: Path | None, seed: int, engine: str
) -> int:
    """Examine the health of a body, and measure it as its task does after training, where its picture is there."""
    from planaria import store
    from planaria.evaluate.health.finding import reason_against, task_of
    from planaria.report import health as certificates
    from planaria.report import scores as report
    from planaria.report import tables

    folder, console, saved = _folder(model, output), printer(), store.read(model)
    task = task_of(saved, engine)
    grows = not reason_against(saved) and (task is None or task.examined() is not None)
    if not grows and task is None:
        raise UserError(f"{model} grows no body, and what it was trained on is gone")
    shown: list[tables.Table] = []
    written: list[Path] = []
    if grows:
        found = certify(saved, task, target, quick=quick, seed=seed, engine=engine, console=console)
        shown, written = [certificates.table(found)], certificates.write(folder, found)
        _keep(found, saved.path, json)
    if task is not None:
        with busy(console, "measuring"):
            metrics = task.measure(saved.rule)
        if verdict := task.verdict(metrics):
            console.print(f"{verdict}\n", style="bold", markup=False, highlight=False, soft_wrap=True)
        shown.append(tables.measured(saved.name, metrics))
        written += report.write_measured(folder, saved.name, metrics)
    _tell(console, shown, written)
    return 0


def _keep(found: "Certificate", path: Path | None, json: Path | None) -> None:
    """Write a certificate as JSON too, and its badge into the model file `path` where that is in a run folder."""
    from planaria import store
    from planaria.store.run_folder import RunFolder

    if json is not None:
        write_json(json, found.to_dict())
    run = None if path is None else RunFolder(path.parent)
    if run is not None and run.began and run.model == path:
        store.add_metrics(run.model, found.metrics)


def _paint(
    model: Path,
    alive: "Living",
    judged: tuple[str | None, str | None, str | None, int | None, int | None],
    steps: tuple[int, ...],
    output: Path | None,
    seed: int,
    engine: str,
) -> int:
    """Measure a model that paints; `judged` is what was typed of photos, style, backbones, size and count."""
    from planaria.evaluate.repainting import painted
    from planaria.health import Health
    from planaria.report import scores as report
    from planaria.report import tables

    source, style, names, size, count = judged
    if size is not None and not SMALLEST <= size <= 4096:
        raise UserError(f"--size {size}: {SMALLEST} to 4096 cells")
    if count is not None and count < 1:
        raise UserError(f"--count {count}: one photo at least")
    folder = _folder(model, output)
    config = alive.card.config
    console, textured = printer(), not alive.layout.photo
    if textured and source:
        raise UserError(f"{model} grows a texture from nothing; leave out --photos")
    with busy(console, "looking at what it was trained on"):
        wanted, kept = _judges(model, config, style, names, textured)
        photos = {} if textured else _photos(source, size or LONGEST, count or PHOTOS)
    side = size or TEXTURE
    with _bar(console) as bar:
        part = bar.add_task("starting", total=None)
        found = painted(
            alive.rule, alive.layout, photos, wanted, kept, steps=steps, size=(side, side), seed=seed, engine=engine,
            progress=lambda what, done, of: bar.update(part, description=what, completed=done, total=of),
        )  # fmt: skip
        written = report.write_painted(folder, alive.name, found)
    _tell(console, [tables.repainted(found)], written)
    if found.burst is not None:
        warnings.warn(Health.of(alive).burst(found.burst), stacklevel=1)
    return 0


def _judges(
    model: Path, config: "Settings", style: str | None, names: str | None, textured: bool
) -> "tuple[dict[str, Judge], dict[str, Judge]]":
    """Judges of what should come nearer, the style or the prompts, and of what is given up for it, the photo."""
    from planaria.evaluate import repainting
    from planaria.losses import backbones

    usual = config.backbone
    other = "random" if usual != "random" else "filters"
    asked = [name.strip() for name in (names or f"{usual},{other}").split(",") if name.strip()]
    eyes = {name: backbones.load(name, path=config.backbone_path if name == usual else "") for name in asked}
    wanted, kept = _prompted(config) if config.prompts else ({}, {})
    if (image := _style(model, config, style)) is not None:
        wanted |= {f"style ({name})": repainting.by_style(eye, image) for name, eye in eyes.items()}
    if not textured:
        kept |= {f"photo ({name})": repainting.by_content(eye) for name, eye in eyes.items()}
    return wanted, kept


def _prompted(config: "Settings") -> "tuple[dict[str, Judge], dict[str, Judge]]":
    """The prompts that a text model was trained on, and those that push away."""
    from planaria.data.photos import open_photos
    from planaria.evaluate.repainting import by_prompt
    from planaria.losses.clip import load_clip
    from planaria.losses.prompts import parse_all

    clip = load_clip(config.clip)
    pulls, pushes = {}, {}
    for prompt in parse_all(config.prompts):
        if prompt.text:
            aim = clip.text([prompt.text])[0]
        else:
            aim = clip.image(open_photos(prompt.picture, size=4 * clip.size)[0][None])[0]
        name = prompt.text or prompt.picture
        (pulls if prompt.weight > 0 else pushes)[name] = by_prompt(clip, aim)
    return pulls, pushes


def _style(model: Path, config: "Settings", style: str | None) -> "Picture | None":
    """Style image as it was trained on: the one that the training left beside the model, else from its source."""
    from planaria import store
    from planaria.store.run_folder import RunFolder
    from planaria.tasks.restyle import style_image

    kept = RunFolder(store.model_path(model).parent).style
    if style is None and kept.is_file():
        from planaria.data.photos import open_photos

        return open_photos(str(kept), size=4096)[0]
    source = style or config.style
    if not source:
        return None
    try:
        return style_image(source, config.scale, {})
    except UserError as error:
        raise UserError(f"{error} Or say where the style image is: --style PICTURE") from error


def _photos(source: str | None, longest: int, most: int) -> "dict[str, Picture]":
    """Photos by name, resized to the longer side that was asked for."""
    from planaria.data.photos import open_photos, unseen
    from planaria.evaluate.stops import fitted

    found = open_photos(source, size=longest, most=most) if source else unseen(size=longest * 2 // 3, most=most)
    photos = {name: fitted(found[k], longest) for k, name in enumerate(found.names)}
    for name, photo in photos.items():
        if min(photo.shape[1:]) < SMALLEST:
            raise UserError(
                f"{name} has {photo.shape[2]}x{photo.shape[1]} cells; it takes {SMALLEST} on the shorter side to be "
                f"judged: another photo, or a larger --size than {longest}"
            )
    return photos


def _refuse(typed: Mapping[str, object], why: str) -> None:
    """Raise `UserError` if an option was typed that this kind of model doesn't use."""
    if odd := [name for name, value in typed.items() if value is not None]:
        raise UserError(f"{why}; leave out {', '.join(odd)}")


def _bar(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_interactive)


def _tell(console: Console, found: "Sequence[tables.Table]", written: Sequence[Path]) -> None:
    """Print tables, and where they were written."""
    for table in found:
        print_table(console, table)
    names = ", ".join(path.name for path in written)
    console.print(f"{written[0].parent}: {names}", markup=False, highlight=False, soft_wrap=True)


def _numbers(option: str, text: str, what: str) -> tuple[int, ...]:
    """Parse `1,2,5` as numbers."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and 1 <= int(word) <= 1_000_000 for word in words):
        raise UserError(f"{option} {text!r}: write {what} with commas between, as in 1,2,5")
    return tuple(map(int, words))


def _folder(model: Path, output: Path | None) -> Path:
    """Folder for the files: the run folder, or that of the model; never among the models that come with planaria.

    Raises `UserError` if a training uses that folder: it writes files of these names itself.
    """
    from planaria import store
    from planaria.store import lock

    if output is not None:
        return output
    path = store.model_path(model)
    folder = Path(f"{path.stem}-scores") if path in store.gallery().values() else path.parent
    if lock.is_held(folder):
        raise UserError(f"{folder} is being trained; write the results elsewhere: -o FOLDER")
    return folder
