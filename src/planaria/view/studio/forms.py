"""Forms to start a training: every setting of every task, and the check of the values filled in."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from planaria import tasks
from planaria.config import describe, pairs, to_dict
from planaria.data import simulate
from planaria.data.builtin import PICTURES
from planaria.data.scenes import SCENES
from planaria.engine import ENGINES, device_of
from planaria.errors import UserError, unknown
from planaria.recipes import Recipe, about, find, inputs_of, one_length, run_name, shipped
from planaria.view.studio.guard import Refusal

FILMS = ("lenia", "lenia/crowd", "lenia/ripples", "life", "gray-scott/mitosis")
"""Simulators offered as films."""
MOST_TEXT = 2000
"""Letters of one setting."""


def forms() -> dict[str, Any]:
    """Tasks with their fields, recipes with their settings, and the pictures and simulators there are."""
    kinds = []
    for name in tasks.names():
        config, form = tasks.load(name).Config, tasks.load(name).Task.form
        fields = [asdict(f) for f in describe(config)]
        for f in fields:
            f["kind"] = form.kind if f["key"] == form.source else f["kind"]
        kinds.append({"name": name, "about": config.__doc__ or "", "fields": fields, "form": asdict(form)})
    recipes = [
        {"name": name, "about": about(path), "task": find(name).task, "settings": flat(find(name).settings)}
        for name, path in sorted(shipped().items())
    ]
    known = simulate.about()
    films = [{"name": f"sim:{name}", "about": known[name]} for name in FILMS if name in known]
    thumb = "/api/thumb?source="
    styles = [f"scene:{name}" for name in SCENES]
    pictures = list(PICTURES)
    return {
        "tasks": kinds, "recipes": recipes, "pictures": pictures, "styles": styles, "films": films, "thumb": thumb,
    }  # fmt: skip


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted keys."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def filled(asked: Mapping[str, Any]) -> tuple[Recipe, Any]:
    """Recipe and whole config that a page asks for. Raises `Refusal` at the setting that is wrong."""
    what = asked.get("recipe") or asked.get("task")
    if not isinstance(what, str) or what not in (*tasks.names(), *shipped()):
        have = [*tasks.names(), *shipped()]
        raise Refusal(400, str(unknown("task or recipe", what, have, also=tasks.other_names())), "task")
    settings = asked.get("settings") or {}
    if not isinstance(settings, dict):
        raise Refusal(400, "settings are a JSON object: key to value")
    recipe = find(what)
    words = {key: _spelled(key, value) for key, value in settings.items()}
    form = tasks.load(recipe.task).Task.form
    asked_for = settings.get(form.source)
    prompts = {form.source: asked_for} if form.kind == "words" and isinstance(asked_for, list) else {}
    typed, rest = pairs(recipe.config_class, [f"{key}={value}" for key, value in words.items() if value != ""])
    if rest:
        key = rest[0].partition("=")[0]
        raise Refusal(400, f"{key[:80]!r} is no setting", key[:80])
    try:
        config = one_length(recipe, recipe.config(typed | prompts, "the form"))  # a prompt may have commas of its own
    except UserError as e:
        raise Refusal(400, str(e), e.field) from None
    _check_machine(config)
    return recipe, config


def name_for(recipe: Recipe, config: Any, wanted: object) -> str:
    """Name of a new run: letters, digits and dashes."""
    text = wanted if isinstance(wanted, str) and wanted.strip() else ""
    if not text:
        own = inputs_of(to_dict(config))
        text = (
            run_name(recipe.task, config)
            if (own and own != inputs_of(recipe.settings)) or not recipe.name
            else recipe.name
        )
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower())[:60].strip("-")
    if not slug:
        raise Refusal(400, f"the name {text[:40]!r} has no letter or digit", "name")
    return slug


def inputs(recipe: Recipe, config: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Inputs of a training: the setting that names each, the job that tries to open it, and that job's arguments."""
    jobs = {"picture": "check", "frames": "look", "photos": "photos"}
    for need in tasks.load(recipe.task).Task.needs(config):
        if need.kind in jobs:
            yield need.field, jobs[need.kind], need.given


def surveyed(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the survey of the film that a page asks for; none where its task watches none."""
    recipe, config = filled(asked)
    return tasks.load(recipe.task).Task.surveyed(config)


def _spelled(key: str, value: object) -> str:
    """Format a value as it would be typed."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
        value = ",".join(map(str, value))
    if value is None:
        return ""
    if not isinstance(value, str | int | float) or len(str(value)) > MOST_TEXT:
        raise Refusal(400, f"{key[:80]} can't be that", key[:80])
    return str(value).strip()


def _check_machine(config: Any) -> None:
    """Refuse a device or an engine that this machine lacks, before a process is started for it."""
    try:
        device_of(config.train.device)
    except UserError as e:
        raise Refusal(400, str(e), "train.device") from None
    if config.train.engine not in ("auto", *ENGINES):
        raise Refusal(400, str(unknown("engine", config.train.engine, ["auto", *ENGINES])), "train.engine")
