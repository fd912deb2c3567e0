"""ONNX: one step of a rule as a graph for any runtime; the mask of cells that fire is an input."""

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.core.turn import turned
from planaria.errors import missing_extra
from planaria.export import Options
from planaria.store import Saved
from planaria.types import Cond, Mask, State

SUFFIXES = (".onnx",)
ABOUT = """One step of a neural cellular automaton, made by planaria: y = step(x, fire).
x, y: float32 (b, c, h, w), any number of samples, rows and columns. Feed y back as the next x.
fire: bool (b, 1, h, w), the cells that act in this step.
cond, where it is asked for: float32 (b, k), read by every cell of a sample.
The metadata `planaria` is the model's JSON header; `fire` there says how the mask is made."""
FIRE = """All numbers are uint32.
mix(v): v ^= v >> 16; v *= 0x7feb352d; v ^= v >> 15; v *= 0x846ca68b; v ^= v >> 16
fold(key, v) = mix((key + 0x9e3779b9) ^ v)
fire[sample, 0, row, column] = fold(fold(fold(fold(fold(0, seed), t), sample), row), column) < fire_rate * 2^32
where t is the step's number from 0 and fire_rate that of the rule: the very cells of planaria with that seed."""


def write(model: Saved, output: Path, options: Options) -> Path:
    """Write a model as an ONNX graph of one step, replacing the file at once."""
    card = model.card.changed(name=options.name) if options.name else model.card
    store.write_bytes(output, graph(turned(model.rule, options.turn), model.layout, card))
    return output


def graph(rule: Rule, layout: Layout, card: Mapping[str, Any] | None = None) -> bytes:
    """One step as a checked ONNX graph: `x` and `fire`, with `cond` where the rule has one, to `y`.

    Samples, rows and columns are free. Its metadata hold the header that a model file has. Needs the extra `onnx`.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError:
        raise missing_extra("writing .onnx", "onnx") from None
    config = rule.config
    step = _Step(copy.deepcopy(rule).float().cpu().eval())
    example = [torch.zeros(2, config.channels, 8, 9), torch.zeros(2, 1, 8, 9, dtype=torch.bool)]
    free = [{0: "b", 2: "h", 3: "w"}, {0: "b", 2: "h", 3: "w"}]
    if config.cond:
        example.append(torch.zeros(2, config.cond))
        free.append({0: "b"})
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            step, tuple(example), dynamo=True, verbose=False, dynamic_shapes=tuple(free),
            input_names=["x", "fire", "cond"][: len(example)], output_names=["y"],
        )  # fmt: skip
    assert program is not None  # so it is under dynamo
    proto = program.model_proto
    for part in (proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del part.metadata_props[:]  # where in whose files each line was traced
    proto.doc_string = ABOUT
    header = store.header_of(rule, layout, card)
    for key, value in {store.KEY: json.dumps(header, sort_keys=True, allow_nan=False), "fire": FIRE}.items():
        proto.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString(deterministic=True)


class _Step(nn.Module):
    """The reference step, with the cells that act as an input."""

    def __init__(self, rule: Rule):
        super().__init__()
        self.rule = rule

    def forward(self, x: State, fire: Mask, cond: Cond | None = None) -> State:
        dx = torch.where(fire, self.rule.flow(x, cond), 0.0)
        return self.rule.die(x, x + self.rule.config.dt * dx)


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence the exporter's messages."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
