"""Typed dataclasses from dictionaries, YAML files and the command line, and back."""

import ast
import dataclasses
import errno
import functools
import inspect
import itertools
import math
import re
import textwrap
import threading
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import cyclopts
import cyclopts.config
import yaml
from annotated_types import Ge, Gt, Le, Lt

from planaria import files, ranges
from planaria.errors import UserError, unknown
from planaria.ranges import Range, Share
from planaria.synonyms import Also, nearest

T = TypeVar("T")

_parsing = threading.Lock()
"""Python 3.11 counts the depth of syntax trees for all threads together: two that parse at once fail."""

SPELLING = cyclopts.Parameter(name_transform=str, negative_iterable=())
"""Spelling of settings on the command line: as in YAML and Python."""

YAML_LIMIT = 1_000_000
"""Largest settings file that is read, in bytes."""

DEEPEST, DEEPEST_TEXT = 20, 100
"""Deepest nesting of settings; and most brackets open at once in a text, those in quotes too."""

MOST_EVENTS = 10_000
"""Most keys, values and brackets in a settings file."""

_ENDLESS = re.compile(r"[-+]?(0x)?[\da-fA-F_:.]{1000,}", re.ASCII)
"""Endless digits that YAML would parse as a number, in base 60 if it has colons; no real setting has them."""

MOST_VALUES = 256
"""Most values that a tuple among the settings holds."""

FORMER = {"wound": "damage_shape"}
"""Former name of a setting -> its name. Files, commands and models with the former one work as before."""

RollOut = Annotated[int, Ge(1), Le(10**6)]
Memory = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True)
class TrainConfig:
    """Training settings that all tasks share."""

    steps: Annotated[int, Ge(1), Le(10**9)] = 8000
    """Iterations of training."""
    minutes: Annotated[float, Ge(0), Le(10**6)] = field(default=0.0, metadata={"sparse": True})
    """Time that the iterations may take here: their number follows from it, in place of train.steps; 0: no limit."""
    batch: Annotated[int, Ge(1), Le(2**16)] = 8
    """Samples in an iteration."""
    pool: Annotated[int, Ge(0)] = 1024
    """Living samples kept between iterations; 0 starts every sample from the seed."""
    rollout: tuple[RollOut, RollOut] = (64, 96)
    """Fewest and most cell steps in an iteration."""
    warmup: Annotated[int, Ge(0)] = 0
    """First iterations, over which the roll-out lengthens from a quarter to its full length."""
    optimiser: Literal["adam", "soap"] = field(default="adam", metadata={"sparse": True})
    """Optimiser: adam; or soap, Adam in the eigenbasis of each weight's gradients, for a law known to many digits."""
    lr: Annotated[float, Gt(0), Lt(100)] = 2e-3
    """Learning rate of the optimiser."""
    lr_drops: tuple[Share, ...] = (0.25,)
    """Points at which the learning rate drops, as shares of all iterations."""
    lr_factor: Annotated[float, Gt(0), Le(1)] = 0.1
    """Factor of the learning rate at each drop."""
    betas: tuple[Memory, Memory] = (0.9, 0.999)
    """The optimiser's decay rates of the means of gradients and of their squares."""
    normalise: bool = True
    """Normalise each weight tensor's gradient to norm 1."""
    clip: Annotated[float, Ge(0), Lt(1e9)] = 0.0
    """Largest norm of the gradient of all weights together; larger ones are scaled down to it. 0: no clipping."""
    validate: Annotated[int, Ge(0)] = 0
    """Iterations between evaluations on held-out data, which then choose the best weights; 0: never."""
    plateau: Annotated[int, Ge(0)] = 0
    """Evaluations in a row without a new best after which the learning rate drops by lr_factor; 0: it doesn't."""
    init: str = ""
    """Model to begin from: a file, a run folder or one of the gallery. Every weight that fits is reused."""
    guardian: bool = True
    """Return to the last good weights, with a lower rate, after extinction, explosion or a jump of the loss."""
    seed: int = 0
    """Seed of all random numbers."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    engine: str = "auto"
    """auto, or an engine by name."""
    checkpoint: Annotated[int, Ge(1)] = 100
    """Iterations between checkpoints."""

    def __post_init__(self) -> None:
        ranges.check(self, "train.")
        if self.rollout[0] > self.rollout[1]:
            low, high = self.rollout
            raise UserError(f"train.rollout must be two numbers, least first, got {low}, {high}", "train.rollout")
        if 0 < self.pool < self.batch:
            raise UserError(f"train.pool={self.pool} is smaller than train.batch={self.batch}", "train.pool")


@dataclass(frozen=True)
class Field:
    """Setting, as a form shows it."""

    key: str
    """Name as in YAML, with dots: train.steps."""
    kind: str
    """int, float, str, bool, choice or list."""
    default: Any
    """Default value: a scalar, a list or None."""
    choices: tuple[str, ...] | None
    """Allowed values of a choice."""
    help: str
    """Docstring beneath the field in its class."""
    optional: bool
    """True if None is allowed."""
    least: float | None = None
    """Smallest number allowed, for each value of a list too; None if there is no bound."""
    most: float | None = None
    """Largest number allowed; None if there is no bound."""
    range: str = ""
    """Range of its numbers, in words: `in 1..4096`, `above 0 and below 100`."""


def describe(cls: type) -> list[Field]:
    """Fields of the dataclass `cls` and of those within it, in the order written."""
    return list(_described(cls, cls(), ""))


def _described(cls: type, defaults: Any, prefix: str) -> Iterator[Field]:
    sentences, allowed = _sentences(cls), ranges.of(cls)
    for name, hint in _fields(cls).items():
        key, default = f"{prefix}{name}", getattr(defaults, name)
        if dataclasses.is_dataclass(hint):
            yield from _described(typing.cast(type, hint), default, f"{key}.")
            continue
        parts = _alternatives(hint)
        (one, *_) = (part for part in parts if part is not type(None))
        origin = typing.get_origin(one)
        choices = tuple(map(str, typing.get_args(one))) if origin is Literal else None
        kind = "choice" if choices else "list" if origin is tuple else one.__name__
        plain = list(default) if isinstance(default, tuple) else default
        bounds = allowed.get(name, Range())
        least, most = (None if end is None or math.isinf(end) else end for end in (bounds.low, bounds.high))
        optional = type(None) in parts
        yield Field(key, kind, plain, choices, sentences.get(name, ""), optional, least, most, str(bounds))


def _sentences(cls: type) -> dict[str, str]:
    """Docstring of each field of a class, its own or inherited; none without source code."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= _own_sentences(base) if dataclasses.is_dataclass(base) else {}
    return found


@functools.cache
def _own_sentences(cls: type) -> dict[str, str]:
    try:
        with _parsing:
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def to_dict(config: Any) -> dict[str, Any]:
    """Convert a dataclass to plain dictionaries, lists and scalars, ready for YAML or JSON.

    A field with `metadata={"sparse": True}` is left out at its default, so that files stay as before it was there.
    """

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            said = [f for f in dataclasses.fields(value) if not (f.metadata.get("sparse") and at_default(f, value))]
            return {f.name: plain(getattr(value, f.name)) for f in said}
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return [plain(v) for v in value] if isinstance(value, tuple | list) else value

    def at_default(one: dataclasses.Field[Any], value: Any) -> bool:
        return bool(getattr(value, one.name) == one.default)

    return plain(config)


def parse(cls: type[T], *layers: tuple[Mapping[str, Any], str], tokens: Sequence[str] = ()) -> T:
    """Build the dataclass `cls` from layers of settings, each with its source; earlier layers win, `tokens` over all.

    Raises `UserError` naming source, key and the nearest known key.
    """
    app = cyclopts.App(name="planaria", result_action="return_value", default_parameter=SPELLING)
    app.config = layered(cls, *layers)

    def built(*, config=None):  # annotated below: the class is known only here
        return config or cls()

    built.__annotations__ = {"config": Annotated[cls | None, cyclopts.Parameter(name="*")]}
    app.default(built)
    return quietly(app, tokens)


def layered(cls: type, *layers: tuple[Mapping[str, Any], str]) -> list[cyclopts.config.Dict]:
    """Config of a cyclopts app with an argument of class `cls`, beneath what is typed; layers as for `parse`."""
    layers = tuple((_nested(renamed(layer)), source) for layer, source in layers)
    for layer, source in layers:
        _check(cls, layer, source, (), list(_keys(cls)))
    every = (*layers, (to_dict(cls()), "the defaults"))  # a class may hold others with defaults not their own
    return [cyclopts.config.Dict(dict(layer), source=source, use_commands_as_keys=False) for layer, source in every]


def renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of `settings` with `FORMER` names replaced; where both are there, the former one is left out."""
    now = {FORMER.get(key, key): value for key, value in settings.items()}
    return now | {key: value for key, value in settings.items() if key not in FORMER}


def _nested(settings: Mapping[Any, Any]) -> dict[Any, Any]:
    """Copy of `settings` in which a dotted name, "train.steps", stands within the settings that it belongs to."""
    now: dict[Any, Any] = {}
    for key, value in settings.items():
        *outer, last = key.split(".") if isinstance(key, str) else (key,)
        within = now
        for name in outer:
            within[name] = within = dict(found) if isinstance(found := within.get(name), Mapping) else {}
        both = isinstance(value, Mapping) and isinstance(within.get(last), Mapping)
        within[last] = {**value, **within[last]} if both else value
    return now


def quietly(app: cyclopts.App, tokens: Sequence[str]) -> Any:
    """Call `app`, and raise its errors as `UserError`."""
    try:
        return app(list(tokens), print_error=False, exit_on_error=False)
    except cyclopts.CycloptsError as e:
        keys = e.argument.keys if e.argument is not None else ()
        raise UserError(" ".join(f"{_without_hint(e)}{_hint(e)}".split()), ".".join(keys) or None) from None


def _without_hint(error: cyclopts.CycloptsError) -> str:
    """Message of an error, without its suggestion by letters where we suggest by meaning."""
    said = str(error)
    return said.partition(" Did you mean")[0] if _meant(error)[1] else said


def _hint(error: cyclopts.CycloptsError) -> str:
    if isinstance(error, cyclopts.MissingArgumentError) and error.argument is not None:
        choices = typing.get_args(error.argument.hint) if typing.get_origin(error.argument.hint) is Literal else ()
        return f" Have: {', '.join(map(str, choices))}." if choices else ""
    asked, names = _meant(error)
    if near := nearest(asked, names, _also(error)):
        return f" Did you mean {near if near.startswith('-') else repr(near)}?"
    return ""


def _meant(error: cyclopts.CycloptsError) -> tuple[str, list[str]]:
    """Unknown name that was typed, and the names allowed; empty for errors of other kinds."""
    if isinstance(error, cyclopts.UnknownOptionError):
        asked = (error.token.keyword or error.token.value).partition("=")[0]
        flags = [name for argument in error.argument_collection if argument.parse for name in argument.names]
        return asked, [name for name in flags if name.startswith("--")] if asked.startswith("--") else []
    if isinstance(error, cyclopts.CoercionError) and error.token and typing.get_origin(error.target_type) is Literal:
        return error.token.value, [str(choice) for choice in typing.get_args(error.target_type)]
    return "", []


def _also(error: cyclopts.CycloptsError) -> dict[str, str]:
    """Other names of the options that the command has, if one was typed that it lacks."""
    found = {}
    for argument in error.argument_collection if isinstance(error, cyclopts.UnknownOptionError) else ():
        found |= {name: other for name in argument.names if (other := _other(argument.field_info.annotation))}
    return found


def other_names(cls: type) -> dict[str, str]:
    """Other names of the fields of a dataclass, of those that have some: see `synonyms.Also`."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {name: other for name, hint in hints.items() if (other := _other(hint))}


def _other(hint: Any) -> str:
    return " ".join(part.names for part in ranges.parts(hint) if isinstance(part, Also))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings, former names replaced.

    Raises `UserError` for anything but a small, shallow mapping without aliases.
    """
    try:
        text = files.read(path, YAML_LIMIT).decode()
        data = _Plain(text, path).get_single_data()
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file, so not a recipe") from None
    except UserError:
        raise
    except OSError as e:
        if e.errno == errno.EFBIG:
            raise UserError(f"{path}: {path.stat().st_size} bytes is too large for a settings file") from None
        raise UserError(f"{path}: {e.strerror or e}") from None
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where = f" line {mark.line + 1}:" if mark else ""
        what = getattr(e, "problem", None) or "unreadable"
        cure = "; write the backslashes of a path without quotes" if "escape" in what else ""
        raise UserError(f"{path}:{where} not YAML: {what}{cure}") from None
    except (ValueError, ArithmeticError) as e:  # a date that there never was, an endless number
        raise UserError(f"{path}: not YAML: {' '.join(str(e).split())[:200]}") from None
    except (LookupError, TypeError, AttributeError):  # PyYAML looks for what `!!int ''` or `!!bool x` don't have
        raise UserError(f"{path}: not YAML: a value that is none of the kind that its !!tag says") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected settings like 'picture: cat.png', found {type(data).__name__}")
    return renamed({str(key): value for key, value in data.items()})


class _Plain(yaml.SafeLoader):
    """Loader of YAML that refuses aliases, endless numbers, deep nesting and large files, which would take long."""

    def __init__(self, text: str, path: Path):
        self._path, self._depth, self._count = path, 0, 0
        depth = 0
        for bracket in re.finditer(r"[\[{\]}]", text):
            depth = max(0, depth + (1 if bracket[0] in "[{" else -1))
            if depth > DEEPEST_TEXT:
                raise UserError(f"{path}: not settings: too deeply nested")
        super().__init__(text)

    def get_event(self) -> Any:
        """Next key, value or bracket, if it is allowed."""
        event = super().get_event()
        self._count += 1
        self._depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if self._count > MOST_EVENTS:
            raise UserError(f"{self._path}: too many values for a settings file")
        if self._depth > DEEPEST:
            raise UserError(f"{self._path}: not settings: too deeply nested")
        if isinstance(event, yaml.AliasEvent):
            raise UserError(f"{self._path}: YAML aliases (*name) aren't allowed in settings")
        plain = event.value if isinstance(event, yaml.ScalarEvent) and (event.style is None or event.tag) else ""
        if _ENDLESS.fullmatch(plain):
            raise UserError(f"{self._path}: not YAML: a number of {len(plain)} digits")
        return event


def write_yaml(data: Mapping[str, Any]) -> str:
    """Write settings as YAML, in the order given."""
    return yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)


def pairs(cls: type, words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Split `words` into nested settings from `key.key=value` and the words left over.

    Where the field of `cls` is a tuple, the value is split at commas: `rule.filters=identity,sobel`. Former names are
    replaced, also those of options (`--wound any`) among the words left over.
    """
    tree: dict[str, Any] = {}
    rest: list[str] = []
    for word in words:
        match = re.fullmatch(r"([a-z_]\w*(?:\.[a-z_]\w*)*)=(.*)", word, re.DOTALL)
        if not match:
            option, equals, value = word.partition("=")
            former = FORMER.get(option.removeprefix("--")) if option.startswith("--") else None
            rest.append(f"--{former}{equals}{value}" if former else word)
            continue
        *parents, leaf = FORMER.get(match[1], match[1]).split(".")
        node, kind = tree, cls
        for parent in parents:
            node = node.setdefault(parent, {})
            kind = _fields(kind).get(parent, str)
            if not isinstance(node, dict):
                raise UserError(f"{match[1]}: {parent} has a value of its own already", match[1])
        value: Any = match[2]
        if typing.get_origin(_fields(kind).get(leaf)) is tuple:
            value = [v.strip() for v in value.strip("[]()").split(",") if v.strip()]
        node[leaf] = value
    return tree, rest


def _fields(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls) if dataclasses.is_dataclass(cls) else {}


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """Types that a setting may have: `int` and None for `int | None`."""
    return typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def _keys(cls: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of the settings of a class and of those within it."""
    for name, hint in _fields(cls).items():
        yield f"{prefix}{name}"
        yield from _keys(hint, f"{prefix}{name}.")


def _check(cls: type, given: Mapping[Any, Any], source: str, path: tuple[str, ...], every: Sequence[str]) -> None:
    """Refuse keys that `cls` lacks and values of the wrong structure, naming the source; `every` key may be meant."""
    hints = _fields(cls)
    for key, value in given.items():
        where = ".".join((*path, str(key)))
        if key not in hints:
            here = [".".join((*path, h)) for h in hints]
            raise unknown(f"setting in {source}:", where, here, every, where, also=other_names(cls))
        hint = hints[key]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise UserError(
                    f"{source}: {where} holds settings of its own, not {value!r}; write {where}.NAME", where
                )
            _check(typing.cast(type, hint), value, source, (*path, str(key)), every)
            continue
        kinds = _alternatives(hint)
        values: Sequence[Any] = (value,)
        if typing.get_origin(hint) is tuple:
            kinds, values = typing.get_args(hint), value if isinstance(value, list | tuple) else values
            if ... not in kinds and len(values) != len(kinds):
                raise UserError(f"{source}: {where} takes {len(kinds)} values, got {len(values)}", where)
        if len(values) > MOST_VALUES:
            raise UserError(f"{source}: {where} takes at most {MOST_VALUES} values, got {len(values)}", where)
        whole = int in kinds and float not in kinds
        for v in values:
            if isinstance(v, Mapping | list | tuple) or (whole and _broken(v)):
                raise UserError(f"{source}: {where} can't be {v!r}", where)


def _broken(value: Any) -> bool:
    """True if `value` is a number or spells one, but not a whole one."""
    try:
        return not float(value).is_integer()
    except (TypeError, ValueError, OverflowError):
        return False
