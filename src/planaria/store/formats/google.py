"""Google's JSON files: a TensorFlow graph, or 133 textures as tiles of two pictures. Nothing is executed."""

import base64
import binascii
import io
import json
import math
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from planaria.errors import UserError
from planaria.store.others import mistaken

MOST_NUMBERS = 16_000_000
WIDEST = 65_536
"""Most inputs or outputs of a layer."""
MOST_NODES, MOST_TILES = 20_000, 10_000
MOST_KERNELS, MOST_VECTORS, MOST_FILES = 16, 1_000, 1_000
"""Most convolutions, biases and files beside it of a graph."""
COMPARED = 200
"""Most characters of two names that are compared."""
SHOWN = 12
"""Most names of textures that are listed."""


def graph(path: Path, data: dict[str, Any]) -> dict[str, Tensor]:
    """Read the 1x1 convolutions of a TensorFlow.js graph, `graph.N.weight` `(out, in)` and `graph.N.bias` `(out,)`.

    Their numbers are constants of the graph, as the notebook of Growing Neural Cellular Automata writes it, or lie in
    files beside it that its manifest names.
    """
    found = _constants(path, data.get("modelTopology")) | _shards(path, data.get("weightsManifest"))
    kernels = {name: v for name, v in found.items() if v.ndim == 4 and v.shape[:2] == (1, 1)}
    biases = {name: v for name, v in found.items() if v.ndim == 1}
    if not kernels:
        raise UserError(f"{path}: a graph of TensorFlow, but without constants of 1x1 convolutions")
    if len(kernels) > MOST_KERNELS or len(biases) > MOST_VECTORS:
        raise UserError(
            f"{path}: a graph of {len(kernels):,} 1x1 convolutions and {len(biases):,} vectors; that is no automaton"
        )
    tensors = {}
    for k, name in enumerate(_chain(kernels)):
        kernel = kernels[name]
        tensors[f"graph.{k}.weight"] = kernel[0, 0].T.contiguous()
        fits = [other for other, v in biases.items() if len(v) == kernel.shape[3]]
        if fits:
            nearest = max(fits, key=lambda other: _alike(name, other))
            tensors[f"graph.{k}.bias"] = biases.pop(nearest)
    return tensors


def _chain(kernels: dict[str, Tensor]) -> list[str]:
    """Convolutions in the order in which they act: the output of one is the input of the next.

    Of several orders, it is the longest, and one that outputs a cell's state and takes three kernels of it.
    """
    found: list[tuple[int, bool, list[str]]] = []
    for first in kernels:
        chain, left = [first], [name for name in kernels if name != first]
        while follow := [name for name in left if kernels[name].shape[2] == kernels[chain[-1]].shape[3]]:
            chain.append(follow[0])
            left.remove(follow[0])
        found.append((len(chain), kernels[first].shape[2] == 3 * kernels[chain[-1]].shape[3], chain))
    return max(found, key=lambda one: one[:2])[2]


def tiles(path: Path, data: dict[str, Any], net: str) -> dict[str, Tensor]:
    """One of the textures, `tiles.N.weight` `(out, in)` and `tiles.N.bias`: by name, or by number from 0."""
    layers = data["layers"]
    names = data.get("model_names")
    names = [str(name) for name in names] if isinstance(names, list) else []
    if not all(isinstance(layer, dict) for layer in layers) or not 1 <= len(layers) <= 16:
        raise UserError(f"{path}: damaged: its layers are none")
    grids = [_pair(path, layer.get("layout"), "layout") for layer in layers]
    count = min(len(names) or math.inf, *(across * down for across, down in grids))
    if count > MOST_TILES:
        raise UserError(f"{path}: damaged: it says that it holds {count:,} textures")
    number = _chosen(path, net, names[: int(count)] or [str(k) for k in range(int(count))])
    tensors: dict[str, Tensor] = {}
    for k, (layer, grid) in enumerate(zip(layers, grids, strict=True)):
        weight, bias = _tile(path, k, layer, grid, number)
        tensors |= {f"tiles.{k}.weight": weight, f"tiles.{k}.bias": bias}
    return tensors


def _chosen(path: Path, net: str, known: list[str]) -> int:
    """Number of the texture that a person names: in full, or by the part after the last slash."""
    short = [name.rpartition("/")[2] for name in known]
    for names in (known, short):
        if names.count(net) == 1:
            return names.index(net)
    if net.isdecimal() and len(net) <= len(str(MOST_TILES)) and int(net) < len(known):
        return int(net)
    shown = ", ".join(short[:SHOWN]) + (f" and {len(short) - SHOWN} more" if len(short) > SHOWN else "")
    near = get_close_matches(net, short, 1)
    raise UserError(
        f"{path} holds {len(known)} textures; choose one: --net NAME, of {shown}"
        if not net
        else f"unknown texture {net[:80]!r}; have: {shown}." + (f" Did you mean {near[0]!r}?" if near else "")
    )


def _alike(a: str, b: str) -> int:
    """Length of the common prefix of two names."""
    pairs = enumerate(zip(a[:COMPARED], b[:COMPARED], strict=False))
    return next((k for k, (p, q) in pairs if p != q), min(len(a), len(b), COMPARED))


def _pair(path: Path, value: object, what: str) -> tuple[int, int]:
    """Two whole numbers of a texture's file."""
    if not (isinstance(value, list) and len(value) == 2 and all(type(n) is int and 1 <= n <= WIDEST for n in value)):
        raise UserError(f"{path}: damaged: a layer's {what} is {str(value)[:60]}, not two numbers")
    return value[0], value[1]


def _tile(path: Path, k: int, layer: dict[str, Any], grid: tuple[int, int], number: int) -> tuple[Tensor, Tensor]:
    """Weight and bias of layer `k` of a texture: rows are inputs and the bias, four outputs to a pixel."""
    where = f"{path}: damaged: layer {k}"
    rows, out = _pair(path, layer.get("shape"), "shape")
    scale = number_in(layer.get("scale"))
    if scale is None:
        raise UserError(f"{where} has a scale that is no number: {str(layer.get('scale'))[:60]}")
    (across, down), wide = grid, -(-out // 4)
    size = across * wide, down * rows
    if rows < 2 or 4 * size[0] * size[1] > MOST_NUMBERS:
        raise UserError(f"{where} has tiles of {rows}x{wide} pixels, {across}x{down} of them, which can't be")
    text = next((layer[key] for key in ("data", "data_uri") if isinstance(layer.get(key), str)), "")
    head, _, body = text.partition(",")
    if not head.lower().startswith("data:image/png") or "base64" not in head or len(body) > 2 * MOST_NUMBERS:
        raise UserError(f"{where} holds no PNG as a data URI")
    try:
        file = io.BytesIO(base64.b64decode(body, validate=True))
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=["PNG"]) as image:
            there = image.size
            pixels = np.asarray(image.convert("RGBA")) if there == size else None
    except Exception:  # a decoder at work on a file that cannot be trusted may raise anything
        raise UserError(f"{where} holds no PNG that can be read") from None
    if pixels is None:
        raise UserError(f"{where} should be a PNG of {size[0]}x{size[1]} pixels, and is one of {there[0]}x{there[1]}")
    top, left = number // across * rows, number % across * wide
    tile = pixels[top : top + rows, left : left + wide].reshape(rows, 4 * wide)[:, :out]
    numbers = (torch.from_numpy(tile.astype(np.float64)) - 127) / 255 * scale
    return numbers[:-1].T.float().contiguous(), numbers[-1].float().contiguous()


def _constants(path: Path, topology: object) -> dict[str, Tensor]:
    """Float constants of a graph, by the name of their node."""
    nodes = topology.get("node") if isinstance(topology, dict) else None
    if not isinstance(nodes, list) or len(nodes) > MOST_NODES:
        return {}
    found: dict[str, Tensor] = {}
    total = 0
    for node in nodes:
        try:
            tensor = node["attr"]["value"]["tensor"] if node["op"] == "Const" else {}
            if tensor.get("dtype") not in ("DT_FLOAT", 1):
                continue
            shape = [int(side["size"]) for side in tensor["tensorShape"].get("dim", ())]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
        total += math.prod(shape) if all(0 < n <= MOST_NUMBERS for n in shape) and len(shape) <= 8 else MOST_NUMBERS + 1
        if total > MOST_NUMBERS:
            raise UserError(f"{path} holds more than {MOST_NUMBERS:,} numbers; no automaton does")
        found[str(node.get("name"))] = _constant(path, tensor, shape)
    return found


def _constant(path: Path, node: dict[str, Any], shape: list[int]) -> Tensor:
    """One constant: its bytes, or the number that fills it."""
    count, text, fill = math.prod(shape), node.get("tensorContent"), node.get("floatVal")
    if isinstance(text, str):
        if len(text) != 4 * -(-4 * count // 3):
            raise UserError(f"{path}: damaged: a constant of {count:,} numbers has {len(text):,} letters")
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise UserError(f"{path}: damaged: a constant is no base64") from None
        return torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape)
    numbers = [number_in(n) for n in (fill if isinstance(fill, list) else [0.0 if fill is None else fill])]
    if any(n is None for n in numbers) or len(numbers) not in (1, count):
        raise UserError(f"{path}: damaged: a constant holds no numbers")
    return torch.tensor(numbers, dtype=torch.float32).expand(count if len(numbers) == 1 else -1).reshape(shape).clone()


def _shards(path: Path, manifest: object) -> dict[str, Tensor]:
    """Read the weights in files beside the graph. Only plain names beside it are opened, up to the expected size."""
    found: dict[str, Tensor] = {}
    left, files = MOST_NUMBERS, MOST_FILES
    for group in manifest if isinstance(manifest, list) else ():
        try:
            names = [str(name) for name in group["paths"]]
            entries = [(str(w["name"]), [int(n) for n in w["shape"][:9]], w["dtype"]) for w in group["weights"]]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise UserError(f"{path}: damaged: its manifest of weights") from None
        total = sum(math.prod(shape) for _, shape, _ in entries)
        odd = any(dtype != "float32" or len(shape) > 8 or min(shape, default=1) < 1 for _, shape, dtype in entries)
        left, files = left - total, files - max(1, len(names))
        if odd or min(left, files) < 0:
            raise UserError(
                f"{path}: its weights should be float32, {MOST_NUMBERS:,} at most, in {MOST_FILES:,} files at most"
            )
        data = bytearray()
        for name in names:
            if Path(name).name != name or name in ("", ".", "..") or "\\" in name:
                raise UserError(f"{path}: its weights should lie beside it, not in {name[:60]!r}")
            if not (path.parent / name).is_file():
                raise UserError(f"{path}: its weights lie in {name[:60]!r}, and there is no such file beside it")
            with (path.parent / name).open("rb") as shard:
                data += shard.read(4 * total - len(data) + 1)
        if not entries or len(data) != 4 * total:
            raise UserError(f"{path}: its weights hold {len(data):,} bytes, not {4 * total:,}")
        numbers = torch.frombuffer(data, dtype=torch.float32)
        parts = numbers.split([math.prod(shape) for _, shape, _ in entries])
        found |= {name: part.reshape(shape) for (name, shape, _), part in zip(entries, parts, strict=True)}
    return found


def number_in(value: object) -> float | None:
    """A number as JSON has it, finite in a float; None where it is none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def parsed(path: Path) -> Any:
    """The JSON in a file. Raises `UserError` where there is none."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise mistaken(path, f"{path}: truncated or damaged: no JSON") from None
