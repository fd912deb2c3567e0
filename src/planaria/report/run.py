"""Outputs of a run for people: loss plot, film, strip, target, and a README on the model and its use."""

import io
from pathlib import Path

import numpy as np
from torch import Tensor

from planaria import evaluate
from planaria.core.rule import Rule
from planaria.evaluate.judging import course
from planaria.evaluate.life import Life as Runs
from planaria.evaluate.verdict import Course
from planaria.export import Options, html, movie
from planaria.living import find
from planaria.report import moving, repainting, scores
from planaria.report.readme import card_text
from planaria.store import Saved, read, run_folder, write_bytes
from planaria.store.cards import Card
from planaria.store.run_folder import RunFolder
from planaria.tasks.about import Forecast, Grown, Life, Moving, Repainted
from planaria.tasks.base import Task
from planaria.usual import actions

MOST_POINTS = 20_000
"""Iterations in a plot of the loss at most."""


def write(folder: RunFolder, rule: Rule, task: Task, card: Card) -> None:
    """Write `loss.png`, `film.webp`, `strip.png`, `target.png`, the page `organism.html` and `README.md` into a run
    folder that holds the model, and the files that the task `leaves`."""
    loss_plot(folder)
    model = read(folder.model)
    target = task.tensors.get("target")
    match task.leaves():
        case Grown(style):
            repainting.grown(folder, rule, task.layout, style)
        case Repainted() as photos:
            repainting.repainted(folder, rule, task.layout, photos)
        case Forecast() as forecast:
            _film(folder, movie.shoot(model, Options(seed=1)))
            _measure(folder.path, model, forecast, Course.read(card.metrics))
        case Moving(clip, steps):
            _film(folder, movie.shoot(model, Options(seed=1)))
            moving.frames(folder, rule, task.layout, clip, steps)
        case Life(steps, every):
            events = actions(task.layout, card)
            _film(folder, movie.film(rule, task.layout, steps=steps, size=task.size, every=every, seed=1, **events))
    if target is not None:
        write_bytes(folder / run_folder.TARGET, _png(target))
    write_bytes(folder.page, html.page(model).encode())
    write_bytes(folder / run_folder.README, card_text(card, rule.config).encode())


def verdict(folder: RunFolder, task: Task) -> dict[str, float]:
    """Metrics of the verdict on the saved model of a run; none for a task without a film."""
    match task.leaves():
        case Forecast(clips, context):
            living = find(read(folder.model))
            frames, _ = evaluate.held_out(clips, context)
            return course(Runs(living.rule, living.layout, living.frame), frames, context, evaluate.TIMES).metrics()
        case _:
            return {}


def _film(folder: RunFolder, shown: movie.Film) -> None:
    shown.save(folder / run_folder.FILM)
    shown.save(folder / run_folder.STRIP)


def _measure(folder: Path, model: Saved, forecast: Forecast, known: Course | None) -> None:
    """Measure the saved model on its own video, as `planaria eval` does; the course of its verdict may be `known`."""
    living = find(model)
    frames, start = evaluate.held_out(forecast.clips, forecast.context)
    found = evaluate.evaluate(
        living.rule, living.layout, frames, context=forecast.context, steps=living.frame, start=start, course=known
    )
    scores.write(folder, model.name, found, frames, forecast.clips.fps)


def loss_plot(folder: RunFolder) -> None:
    """Draw `loss.png` from `metrics.jsonl`: every iteration (of many, some), its median, and the guardian's actions."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = folder.curve(MOST_POINTS)
    step, loss = np.array([(m.step, m.loss) for m in found if m.loss is not None and m.loss > 0]).reshape(-1, 2).T
    figure = Figure(figsize=(8, 4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if len(loss):
        axes.plot(step, np.log10(loss), color="#b9a7d8", linewidth=0.7, label="each iteration")
        width = max(1, len(loss) // 60)
        smooth = [np.median(loss[max(0, i - width) : i + width + 1]) for i in range(len(loss))]
        axes.plot(step, np.log10(smooth), color="#5b2a86", linewidth=2, label="running median")
    looks = [(m.step, m.validation) for m in found if m.validation is not None and m.validation > 0]
    if looks:
        at, wrong = np.array(looks).T
        axes.plot(at, np.log10(wrong), color="#2f8f6b", linewidth=1.5, marker=".", label="held out")
    for m in found:
        if m.event:
            axes.axvline(m.step, color="#d1495b", linewidth=1, linestyle=":")
    axes.set_xlabel("iteration")
    axes.set_ylabel("log10 loss")
    axes.set_title(folder.name)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if len(loss):
        axes.legend(frameon=False)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    write_bytes(folder / run_folder.LOSS, out.getvalue())


def _png(target: Tensor) -> bytes:
    """Encode a premultiplied picture `(4, h, w)` as a straight-alpha PNG."""
    from PIL import Image

    a = target[3:].clamp(min=1e-6)
    straight = np.concatenate([(target[:3] / a).clamp(0, 1).numpy(), target[3:].numpy()])
    out = io.BytesIO()
    Image.fromarray((straight.transpose(1, 2, 0) * 255).round().astype(np.uint8)).save(out, "PNG")
    return out.getvalue()
