"""Good files of every kind that planaria reads, and ways to break them: what `fuzz.py` feeds to the doors."""

import base64
import functools
import io
import json
import random
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

import planaria
from planaria.cli import main
from planaria.data import simulate
from planaria.data.video import write_mp4
from planaria.view.play.state import save_state
from planaria.world import World

ODD: tuple[Any, ...] = (
    None, True, "x", "", "1", [], {}, [[]], -1, 0, 0.5, 1e308, -1e308, 2**31, 2**63, 2**70, 10**400, float("inf"),
    float("nan"), "\ud800", "../../x", "1:59:59", [1] * 50, {"a": {"b": {"c": []}}},
)  # fmt: skip
"""Values that may stand where a file's writer never put them."""
ODD_WORDS = (
    "null", "true", "~", "[]", "{}", "1e999", ".inf", ".nan", "-1", "2147483648", "9" * 40, "1:59:59:59", "0x7fffffff",
    "2001-02-30", "'x'", "\"\\ud800\"", "[[[[[[[[[[", "&a [*a]", "!!python/object:os.system x", "- - - -", "{a: {b: ",
)  # fmt: skip
MOST_BYTES = 400_000
"""Of a broken file."""

RUN = ["picture=lizard", "size=8", "padding=2", "rule.channels=8", "rule.hidden=16", "train.steps=6", "train.batch=4",
       "train.pool=12", "train.rollout=6,10", "train.checkpoint=3"]  # fmt: skip


def good(folder: Path) -> dict[str, list[Path]]:
    """Whole files of every kind, made in `folder`, by kind."""
    folder.mkdir(parents=True)
    main(["train", "grow", *RUN, "--name", "run", "--runs", str(folder)])
    run = folder / "run"
    kinds: dict[str, list[Path]] = {
        "model": [run / "model.safetensors"],
        "checkpoint": [run / "checkpoint.safetensors"],
        "run folder": [run / name for name in ("config.yaml", "metrics.jsonl", "status.json")],
        "recipe": [run / "config.yaml"],
        "picture": _pictures(folder / "pictures"),
        "film": _films(folder / "films"),
        "medmnist": [_medmnist(folder / "bloodmnist.npz")],
        "weights": _weights(folder / "weights"),
        "state": [_state(folder / "lizard-t9.safetensors")],
    }
    return kinds


def _pictures(folder: Path) -> list[Path]:
    folder.mkdir()
    shades = np.linspace(0, 255, 24 * 20 * 4).reshape(24, 20, 4).astype(np.uint8)
    image = Image.fromarray(shades)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "a.png", exif=exif)
    image.convert("P").save(folder / "palette.png", transparency=3)
    Image.fromarray(shades[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    image.convert("RGB").save(folder / "a.jpg", exif=exif, quality=90)
    image.save(folder / "a.webp", lossless=True)
    image.save(folder / "a.bmp")
    image.convert("RGB").save(folder / "a.tiff", compression="tiff_lzw")
    image.save(folder / "a.avif")
    turned = [image.rotate(90 * k).convert("P") for k in range(3)]
    turned[0].save(folder / "a.gif", save_all=True, append_images=turned[1:], duration=50)
    image.save(folder / "moving.png", save_all=True, append_images=[image.rotate(180)])
    (folder / "a.svg").write_text(
        '<?xml version="1.0" encoding="utf-8"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10">'
        '<rect width="12" height="9" fill="red" fill-opacity="0.4"/><text x="1" y="8">ab</text></svg>'
    )
    return sorted(folder.iterdir())


def _films(folder: Path) -> list[Path]:
    folder.mkdir()
    frames = (simulate.frames("life,size=16", 6) * 255).byte().permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()
    write_mp4(iter(frames), folder / "a.mp4", fps=10)
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(folder / "a.gif", save_all=True, append_images=pictures[1:])
    pictures[0].save(folder / "a.webp", save_all=True, append_images=pictures[1:])
    (folder / "glider.rle").write_text("#N Glider\nx = 3, y = 3, rule = B3/S23\nbo$2bo$3o!\n")
    (folder / "glider.cells").write_text("!Name: Glider\n.O.\n..O\nOOO\n")
    return sorted(folder.iterdir())


def _medmnist(path: Path) -> Path:
    parts = {}
    for split in ("train", "val", "test"):
        parts[f"{split}_images"] = np.arange(4 * 28 * 28 * 3, dtype=np.uint8).reshape(4, 28, 28, 3)
        parts[f"{split}_labels"] = np.zeros((4, 1), np.uint8)
    np.savez(path, **parts)  # pyright: ignore[reportArgumentType]
    return path


def _weights(folder: Path) -> list[Path]:
    folder.mkdir()
    g = torch.Generator().manual_seed(3)

    def drawn(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
        return {name.replace("__", "."): 0.1 * torch.randn(shape, generator=g) for name, shape in shapes.items()}

    update = drawn(
        update_module__0__weight=(20, 48, 1, 1), update_module__0__bias=(20,), update_module__2__weight=(16, 20, 1, 1)
    )
    torch.save(update, folder / "chest_sobel.pt")
    torch.save(update, folder / "old_sobel.pt", _use_new_zipfile_serialization=False)
    torch.save(drawn(w1__weight=(96, 48, 1, 1), w1__bias=(96,), w2__weight=(12, 96, 1, 1)), folder / "texture.pth")
    fc = drawn(fc0__weight=(32, 48), fc0__bias=(32,), fc1__weight=(16, 32))
    torch.save(fc, folder / "fc.pth")
    layers = [
        {"data_b64": base64.b64encode(bytes(range(49)) * 8).decode(), "in_ch": 48, "out_ch": 8, "weight_scale": 0.8,
         "bias_scale": 0.1},
        {"data_b64": base64.b64encode(bytes(range(9)) * 16).decode(), "in_ch": 8, "out_ch": 16, "weight_scale": 0.8,
         "bias_scale": 0.1},
    ]  # fmt: skip
    (folder / "ex1.json").write_text(json.dumps(layers))
    (folder / "growing.bin").write_bytes(torch.randn(8320, generator=g).numpy().tobytes())
    save_file({f"model.{name}": v for name, v in update.items()}, folder / "hub_sobel.safetensors")
    return sorted(folder.iterdir())


def _state(path: Path) -> Path:
    rule, layout = planaria.load("heart")
    world = World(rule, layout, (24, 24), seed=3)
    world.tick(9)
    save_state(path, world, "heart")
    return path


def broken(path: Path, others: Sequence[Path], rng: random.Random) -> bytes:
    """The bytes of `path` after one to three things went wrong."""
    data = path.read_bytes()
    for _ in range(rng.choice((1, 1, 2, 3))):
        ways = [*_ways(path.suffix.lower(), data), functools.partial(_spliced, others=others)]
        data = rng.choice(ways)(data, rng)
    return data[:MOST_BYTES]


Way = Callable[[bytes, random.Random], bytes]


def _ways(suffix: str, data: bytes) -> list[Way]:
    """What may go wrong with a file of this kind: its own structure is broken more often than its bytes."""
    ways: list[Way] = [_flipped, _cut, _numbered, _doubled]
    if suffix in (".yaml", ".rle", ".cells", ".svg"):
        ways += [_worded] * 6
    if suffix in (".json", ".jsonl"):
        ways += [_json] * 8
    if suffix == ".safetensors":
        ways += [_header] * 12
    if suffix == ".png":
        ways += [_chunks] * 6
    if data[:2] == b"PK":
        ways += [_members] * 8
    return ways


def _place(data: bytes, rng: random.Random) -> int:
    """A place in the file, the beginning more often, where structure lies."""
    return rng.randrange(min(len(data), rng.choice((32, 256, len(data)))) + 1)


def _flipped(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        if out:
            out[min(_place(data, rng), len(out) - 1)] ^= 1 << rng.randrange(8)
    return bytes(out)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)] if rng.random() < 0.7 else data[_place(data, rng) :]


def _spliced(data: bytes, rng: random.Random, others: Sequence[Path]) -> bytes:
    other = rng.choice(others).read_bytes()
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _numbered(data: bytes, rng: random.Random) -> bytes:
    wide = rng.choice((1, 2, 4, 8))
    value = rng.choice((0, 1, 2 ** (8 * wide) - 1, 2 ** (8 * wide - 1), rng.randrange(2 ** (8 * wide))))
    at = _place(data, rng)
    return data[:at] + value.to_bytes(wide, rng.choice(("little", "big"))) + data[at + wide :]


def _doubled(data: bytes, rng: random.Random) -> bytes:
    first, last = sorted((_place(data, rng), _place(data, rng)))
    return data[:last] + data[first:last] * rng.choice((1, 2, 50)) + data[last:]


def _worded(data: bytes, rng: random.Random) -> bytes:
    """A value of a line of text, or the line, becomes something else."""
    lines = data.decode("utf-8", "replace").splitlines() or [""]
    k = rng.randrange(len(lines))
    key, colon, _ = lines[k].partition(":")
    word = rng.choice(ODD_WORDS) * rng.choice((1, 1, 1, 200))
    lines[k] = rng.choice((f"{key}{colon} {word}", word, f"{lines[k]}{word}", f"{word}{colon}{lines[k]}"))
    return "\n".join(lines).encode("utf-8", "replace")


def _changed(tree: Any, rng: random.Random) -> Any:
    """JSON with one value, somewhere, replaced, removed or nested."""
    if isinstance(tree, dict) and tree and rng.random() < 0.8:
        key = rng.choice(list(tree))
        if rng.random() < 0.15:
            return {k: v for k, v in tree.items() if k != key}
        return {**tree, key: _changed(tree[key], rng)}
    if isinstance(tree, list) and tree and rng.random() < 0.8:
        k = rng.randrange(len(tree))
        return [*tree[:k], _changed(tree[k], rng), *tree[k + 1 :]]
    return rng.choice((*ODD, [tree], {"x": tree}))


def _json(data: bytes, rng: random.Random) -> bytes:
    try:
        lines = [json.loads(line) for line in data.splitlines()]
    except ValueError:
        return _flipped(data, rng)
    if not lines:
        return b"[]"
    k = rng.randrange(len(lines))
    lines[k] = _changed(lines[k], rng)
    return "\n".join(json.dumps(line) for line in lines).encode("utf-8", "surrogatepass")


def _header(data: bytes, rng: random.Random) -> bytes:
    """The header of safetensors, or the settings within it, with one value changed and its length put right."""
    try:
        size = int.from_bytes(data[:8], "little")
        head = json.loads(data[8 : 8 + size])
        if rng.random() < 0.75 and "planaria" in head.get("__metadata__", {}):
            inner = json.loads(head["__metadata__"]["planaria"])
            head["__metadata__"]["planaria"] = json.dumps(_changed(inner, rng))
        else:
            head = _changed(head, rng)
        text = json.dumps(head).encode("utf-8", "surrogatepass")
    except (ValueError, AttributeError, TypeError, RecursionError):
        return _flipped(data, rng)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def _chunks(data: bytes, rng: random.Random) -> bytes:
    """A chunk of a PNG changed, moved or repeated, with its checksum put right."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    if not chunks:
        return _flipped(data, rng)
    k = rng.randrange(len(chunks))
    name, body = chunks[k]
    deed = rng.randrange(4)
    if deed == 0 and body:
        chunks[k] = name, _flipped(body, rng)
    elif deed == 1:
        chunks[k] = name, _numbered(body, rng)
    elif deed == 2:
        chunks.insert(rng.randrange(len(chunks)), (name, body))
    else:
        chunks[k] = rng.choice((b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"PLTE")), body
    written = [struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks]
    return data[:8] + b"".join(written)


def _members(data: bytes, rng: random.Random) -> bytes:
    """A member of a ZIP changed, and packed again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            members = [(info.filename, packed.read(info)) for info in packed.infolist()]
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError, zlib.error, RuntimeError):
        return _flipped(data, rng)
    if not members:
        return data
    k = rng.randrange(len(members))
    name, body = members[k]
    deed = rng.randrange(4)
    if deed == 3:
        del members[k]
    else:
        way = (_flipped, _numbered, _cut)[deed]
        members[k] = name, way(body, rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as packed:
        for name, body in members:
            packed.writestr(name, body)
    return out.getvalue()


def lay_out(kind: str, path: Path, data: bytes, scratch: Path) -> Path:
    """The broken file where its reader looks for it: a run's file in a copy of its folder."""
    shutil.rmtree(scratch, ignore_errors=True)
    if kind in ("run folder", "checkpoint"):
        shutil.copytree(path.parent, scratch / "run", ignore=shutil.ignore_patterns("*.webp", "*.html"))
        (scratch / "run" / path.name).write_bytes(data)
        return scratch / "run"
    scratch.mkdir(parents=True)
    (scratch / path.name).write_bytes(data)
    return scratch / path.name
