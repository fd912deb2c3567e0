"""Readers of published files: tensors by name. Sizes are checked before memory is taken, and nothing is executed."""

import base64
import binascii
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from planaria.commands import command
from planaria.errors import UserError
from planaria.files import HEAD, open_regular, what_it_really_is
from planaria.store import KEY
from planaria.store.archive import open_archive
from planaria.store.formats import google
from planaria.store.others import absent, mistaken

MOST_BYTES = 64_000_000
"""Most bytes of a file: a published automaton takes a hundred kilobytes."""
MOST_JSON = 8_000_000
"""Most bytes of JSON, which may take thirty times as much when read; the largest published has a million."""
MOST_NUMBERS = 16_000_000
LONGEST_SHOWN = 60
"""Most characters of a tensor's name in a line."""
WIDEST = 65_536
"""Most inputs or outputs of a layer."""


def read(path: Path, net: str = "") -> tuple[str, dict[str, Tensor]]:
    """Read the kind of a file and its tensors by name, float32.

    The kind is `.json`; `.bin`, bare numbers; or `.pt`, for any archive or module of torch under any name, or
    safetensors. Layers of JSON are `layers.N.weight` `(out, in)` and `layers.N.bias` `(out,)`, or `graph.` or `tiles.`
    by the kind of file (`google`), of which `net` names one where it holds several; bare numbers are `numbers` `(n,)`.
    Raises `UserError` for anything else, naming what it is, and for a file that is damaged or too large.
    """
    try:
        if not path.is_file():
            raise absent(path)
        with open_regular(path) as file:
            size, head = os.fstat(file.fileno()).st_size, file.read(HEAD)
        kind = _kind(path, head)
        most = MOST_JSON if kind == ".json" else MOST_BYTES
        if size > most:
            raise UserError(f"{path} is {size:,} bytes; no published automaton takes more than {most:,}")
        if kind == ".json":
            return kind, _json(path, net)
        if kind == ".bin":
            return kind, _numbers(path, size)
        if kind == ".safetensors":
            return ".pt", _safetensors(path)
    except OSError as e:
        raise UserError(f"can't read {path}: {e.strerror or e}") from e
    archive = open_archive(path, modules=True)
    if sum(placed.count for placed in archive.tensors.values()) > MOST_NUMBERS:
        raise _too_many(path)
    return kind, _floats(path, archive.read())


def _kind(path: Path, head: bytes) -> str:
    """Kind of reader for a file: by its first bytes, else by its name."""
    really, suffix = what_it_really_is(head), path.suffix.lower()
    if really == "a safetensors file":
        return ".safetensors"
    return suffix if suffix in (".json", ".bin") and really != "a PyTorch file" else ".pt"


def _safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a `.safetensors` file of others."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            if KEY in (file.metadata() or {}):
                raise UserError(f"{path} is planaria's own already: {command('play', path)}")
            names = list(file.keys())
            if sum(math.prod(file.get_slice(name).get_shape()) for name in names) > MOST_NUMBERS:
                raise _too_many(path)
            tensors = {name: file.get_tensor(name) for name in names}
    except safetensors.SafetensorError as e:
        raise UserError(f"{path}: truncated or damaged ({str(e).splitlines()[0]})") from None
    return _floats(path, tensors)


def _floats(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floating-point tensors, as float32. Raises `UserError` where there are tensors, but none of those."""
    found = {name: t.float() for name, t in tensors.items() if t.is_floating_point()}
    if tensors and not found:
        name, first = next(iter(tensors.items()))
        kind = str(first.dtype).removeprefix("torch.")
        raise UserError(f"{path}: none of its tensors holds floating point; {_shown(name)} is {kind}")
    return found


def _too_many(path: Path) -> UserError:
    return UserError(f"{path} holds more than {MOST_NUMBERS:,} numbers; no automaton does")


def described(tensors: Mapping[str, Tensor]) -> str:
    """Short description of a file's contents."""
    if not tensors:
        return "no tensors"
    texts = [f"{_shown(name)} {'x'.join(map(str, t.shape)) or 'one number'}" for name, t in list(tensors.items())[:6]]
    more = f" and {len(tensors) - 6} more" if len(tensors) > 6 else ""
    return ", ".join(texts) + more


def _shown(name: str) -> str:
    """Name of a tensor, safe to show in a line."""
    plain = "".join(c if c.isprintable() else "?" for c in name)
    return plain[:LONGEST_SHOWN] or "a tensor without a name,"


def _numbers(path: Path, size: int) -> dict[str, Tensor]:
    """Read little-endian float32 numbers without a header."""
    if size == 0 or size % 4:
        raise mistaken(path, f"{path}: {size:,} bytes are no whole number of float32")
    data = path.read_bytes()
    return {"numbers": torch.frombuffer(bytearray(data), dtype=torch.float32)}


def _json(path: Path, net: str) -> dict[str, Tensor]:
    """Read layers of bytes with a scale each, as the WebGL pages of Distill load them; or one of Google's two kinds."""
    data = google.parsed(path)
    if isinstance(data, dict) and "modelTopology" in data:
        return google.graph(path, data)
    if isinstance(data, dict) and isinstance(data.get("layers"), list):
        return google.tiles(path, data, net)
    if not isinstance(data, list) or not 1 <= len(data) <= 16 or not all(isinstance(layer, dict) for layer in data):
        raise UserError(
            f"{path}: JSON, but no list of layers with data_b64, in_ch, out_ch, weight_scale, bias_scale, no graph of "
            "TensorFlow and no tiles of textures"
        )
    tensors: dict[str, Tensor] = {}
    for k, layer in enumerate(data):
        weight, bias = _layer(path, k, layer)
        tensors |= {f"layers.{k}.weight": weight, f"layers.{k}.bias": bias}
    return tensors


def _layer(path: Path, number: int, layer: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Weight `(out, in)` and bias `(out,)` of a layer whose bytes are stored row by row, inputs first."""
    where = f"{path}: damaged: layer {number}"
    sides = [layer.get(key) for key in ("in_ch", "out_ch")]
    if not all(type(n) is int and 1 <= n <= WIDEST for n in sides):
        raise UserError(f"{where} has in_ch and out_ch of {str(sides)[:60]}, not 1 to {WIDEST}")
    into, out = int(sides[0] or 0), int(sides[1] or 0)
    given = [layer.get(key) for key in ("weight_scale", "bias_scale")]
    scales = [google.number_in(s) for s in given]
    if None in scales:
        raise UserError(f"{where} has scales that are no numbers: {str(given)[:80]}")
    text = layer.get("data_b64")
    count = (into + 1) * out
    if not isinstance(text, str) or count > MOST_NUMBERS or len(text) != 4 * -(-count // 3):
        raise UserError(f"{where} should hold {count:,} bytes, (in_ch + 1) x out_ch")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UserError(f"{where} is no base64") from None
    if len(data) != count:
        raise UserError(f"{where} holds {len(data):,} bytes, not {count:,}")
    rows = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(into + 1, out).double() / 255 - 0.5
    weight, bias = (rows[part] * float(s or 0.0) for part, s in zip((slice(into), into), scales, strict=True))
    return weight.T.float().contiguous(), bias.float().contiguous()
