"""Settings of a film's training that are chosen from the film itself, before the training begins."""

from collections.abc import Iterator, Mapping
from typing import Any

from planaria.data.bars import Whole
from planaria.data.clips import SIMULATED, films_of, spelled
from planaria.data.frames import find_source
from planaria.data.survey import LINES, UNSEEN, Survey, named, steps_for, survey

AUTOMATIC: Mapping[str, Any] = {"steps": 0, "size": 0, "crop": "auto", "cuts": "split"}
"""Settings that may be chosen -> the value that leaves them to be."""
TWICE = 2.0
"""Share held out, by its setting, above which the last scene is cut in two."""


def choose(
    frames: str, *, size: int, largest: int, every: int, crop: str, count: int, colour: str, steps: int, cuts: str,
    least: int, held_out: float,
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    """Settings chosen for a training on `frames`, and lines that say so and what else to know of the film.

    `least` is the fewest frames of a scene to learn from. Of a simulator, which moves by a local law, nothing is looked
    at. Raises `UserError` for frames that can't be opened.
    """
    if frames.startswith(SIMULATED):
        simulated = {"steps": steps or UNSEEN, "crop": "none" if crop == "auto" else crop}
        return simulated | ({"cuts": "keep"} if cuts == "split" else {}), []
    crop = common_crop(frames) if crop == "auto" else crop
    films = survey(
        frames, size=size, every=every, crop=crop, count=count, colour=colour, largest=largest, least=least
    )  # fmt: skip
    fast = max(film.fast for film in films)
    chosen: dict[str, Any] = {
        "steps": steps or steps_for(fast),
        "crop": crop,
        "size": max(film.side for film in films),
    }
    if cuts == "split":
        chosen["cuts"] = _split(films, held_out, least)
    return chosen, list(_lines(films, cuts, steps, chosen["steps"]))[:LINES]


def common_crop(frames: str) -> str:
    """Region of `frames` without bars, the same for all its films, as the setting `crop` says it; none where none."""
    crops = [Whole(find_source(path)).crop() for path in films_of(frames)]
    if "none" in crops:
        return "none"
    boxes = [tuple(map(int, crop.split(","))) for crop in crops]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return f"{left},{top},{right - left},{bottom - top}"


def _split(films: list[Survey], held_out: float, least: int) -> str:
    """Scenes of the films as the setting `cuts` says them; keep where each is one."""
    if all(film.scenes == ((0, film.count),) for film in films):
        return "keep"
    scenes = [list(film.scenes) for film in films]
    lengths = [end - first for parts in scenes for first, end in parts]
    held = lengths[-max(1, round(len(lengths) * held_out)) :] if held_out else []
    wanted = round(held_out * sum(lengths))
    if sum(held) > TWICE * wanted > 0 and lengths[-1] - wanted >= least:
        first, end = scenes[-1][-1]
        scenes[-1][-1:] = [(first, end - wanted), (end - wanted, end)]
    return spelled(scenes)


def _lines(films: list[Survey], cuts: str, given: int, steps: int) -> Iterator[str]:
    for film in films:
        before = f"{named(film.name)}: " if len(films) > 1 else ""
        for finding in film.findings:
            if finding.name != "cuts" or cuts == "split":
                yield before + finding.text
    fast = max(film.fast for film in films)
    if fast and not given and steps > UNSEEN:
        yield f"what moves goes up to {fast:.1f} cells a frame, so cells make {steps} steps in it (steps={steps})"
