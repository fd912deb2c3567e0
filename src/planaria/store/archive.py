"""Archives of torch (`.pth`, `.pt`), read without executing anything in them.

Two forms are read: the zip of today, and the stream of pickles and numbers that torch wrote until 1.5 (as are many
published weights). Of both, the pickle is only walked, see `opcodes`.
"""

import contextlib
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from planaria.errors import UserError
from planaria.store import HEADER_LIMIT
from planaria.store.opcodes import Placed, Storage, Thing, walk
from planaria.store.others import absent, mistaken

MOST_BYTES = 4_000_000_000
"""Most bytes of an archive, and of all its tensors taken together."""
DEEPEST, MOST_THINGS, LONGEST_NAME = 32, 100_000, 1000
"""Limits: nesting of dicts and lists; items in them all; characters of a name."""
CHUNK = 1 << 20
OTHER_ORDER = "written with the other order of bytes (big-endian); load it there, and save it as .safetensors"
PARTS = ("_parameters", "_buffers", "_modules")
"""Attributes of a module that hold its tensors and submodules."""
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""First numbers of the old form."""


@final
@dataclass(frozen=True)
class Archive:
    """Contents of an archive: `tensors` by name, the names of nested dicts and lists joined with dots."""

    path: Path
    tensors: dict[str, Placed]
    places: dict[str, str | int]
    """Storage -> its member of the zip, or its first byte in the file."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape."""
        return {name: placed.shape for name, placed in self.tensors.items()}

    def read(self, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Tensors by name, all where `names` is None, contiguous; those with the same numbers share their memory.

        Only what they need is read. Raises `UserError` for a file that is damaged.
        """
        wanted = {name: self.tensors[name] for name in (self.tensors if names is None else names)}
        storages = {placed.storage.key: placed.storage for placed in wanted.values()}
        with _opened(self.path) as (file, packed):
            held = {key: self._numbers(storage, file, packed) for key, storage in storages.items()}
            return {name: _tensor(placed, held[placed.storage.key]) for name, placed in wanted.items()}

    def _numbers(self, storage: Storage, file: io.BufferedIOBase, packed: zipfile.ZipFile | None) -> bytearray:
        """All bytes of a storage."""
        place = self.places[storage.key]
        if isinstance(place, int):
            file.seek(place)
            return _filled(file.read, storage.bytes, self.path)
        assert packed is not None
        with packed.open(place) as member:
            return _filled(member.read, storage.bytes, self.path)


def open_archive(path: str | Path, *, modules: bool = False) -> Archive:
    """Read the index of an archive, but not yet its numbers; all sizes are checked.

    With `modules`, whole modules are taken apart too: their parameters and buffers have the names that their state
    dict would give them. Nothing of their classes is looked up. Raises `UserError` for what is no archive of tensors:
    broken or cut short, with a pickle that names anything but tensors and what holds them, packed, or written by a
    machine with the other order of bytes.
    """
    path = Path(path)
    with _opened(path) as (file, packed):
        size = file.seek(0, io.SEEK_END)
        if size > MOST_BYTES:
            raise UserError(f"{path} is {size:,} bytes; the limit is {MOST_BYTES:,}")
        tree, places = _zipped(packed, size, path, modules) if packed else _streamed(file, size, path, modules)
    tensors = _flat(tree, path)
    for name, placed in tensors.items():
        if not placed.fits:
            raise UserError(f"{path}: damaged: {name!r} of shape {placed.shape} is not inside what is stored")
    if sum(placed.count * placed.dtype.itemsize for placed in tensors.values()) > MOST_BYTES:
        raise UserError(f"{path}: its tensors take more than the limit of {MOST_BYTES:,} bytes")
    return Archive(path, tensors, places)


def read_archive(path: str | Path, *, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of an archive whose names begin with `prefix`, nested names joined with dots; see `open_archive`."""
    archive = open_archive(path)
    return archive.read(name for name in archive.tensors if name.startswith(prefix))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[io.BufferedIOBase, zipfile.ZipFile | None]]:
    """Open a file, and the zip that it is, if it is one; any fault of it is a `UserError`."""
    try:
        if not path.is_file():
            raise absent(path)
        with _Bounded(path) as file:
            if file.read(4) == b"PK\x03\x04":
                with zipfile.ZipFile(file) as packed:
                    yield file, packed
            else:
                yield file, None
    except UserError:
        raise
    except OSError as e:
        raise UserError(f"can't read {path}: {e.strerror or e}") from e
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as e:
        raise UserError(f"{path}: truncated or damaged ({str(e).partition(chr(10))[0] or type(e).__name__})") from None


@final
class _Bounded(io.BufferedReader):
    """File with bounded reads: the zip's list of members states its own length."""

    def __init__(self, path: Path):
        super().__init__(io.FileIO(path))
        self.size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as many bytes as are requested and present."""
        left = max(0, self.size - self.tell())
        size = left if size is None or size < 0 else min(size, left)
        if size > HEADER_LIMIT:
            raise zipfile.BadZipFile(f"{size:,} bytes where {HEADER_LIMIT:,} are the most")
        return super().read(size)


def _zipped(packed: zipfile.ZipFile, size: int, path: Path, modules: bool) -> tuple[object, dict[str, str | int]]:
    """Read the pickle's tree and the members that hold the storages."""
    members = packed.infolist()
    if program := _program({member.filename.partition("/")[2] for member in members}):
        raise UserError(
            f"{path}: holds {program}: load it where it was made, and torch.save its state_dict(); planaria reads "
            "tensors only"
        )
    for member in members:
        name = member.filename
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise UserError(f"{path}: a member is named {name[:80]!r}, which leads out of the archive")
        if (
            member.compress_type != zipfile.ZIP_STORED
            or member.flag_bits & 1
            or member.file_size != member.compress_size
        ):
            raise UserError(f"{path}: {name[:80]!r} is packed or locked, which torch never writes")
    sizes = {member.filename: member.file_size for member in members}
    if len(sizes) != len(members) or sum(sizes.values()) > size:
        raise UserError(f"{path}: damaged: its members overlap")
    roots = [name.removesuffix("data.pkl") for name in sizes if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise mistaken(path, f"{path}: not what torch.save writes, as it has no data.pkl in a folder")
    for name in (f"{roots[0]}byteorder", f"{roots[0]}data.pkl"):
        if sizes.get(name, 0) > HEADER_LIMIT:
            raise UserError(f"{path}: damaged: {name[:80]!r} is {sizes[name]:,} bytes long")
    if f"{roots[0]}byteorder" in sizes and packed.read(f"{roots[0]}byteorder") != b"little":
        raise UserError(f"{path}: {OTHER_ORDER}")
    storages: dict[str, Storage] = {}
    tree = walk(io.BytesIO(packed.read(f"{roots[0]}data.pkl")), str(path), storages, things=modules)
    places: dict[str, str | int] = {}
    for key, storage in storages.items():
        member = f"{roots[0]}data/{key}"
        if sizes.get(member) != storage.bytes:
            raise UserError(f"{path}: truncated or damaged: {member[:80]!r} doesn't have {storage.bytes:,} bytes")
        places[key] = member
    return tree, places


def _program(names: set[str]) -> str:
    """Kind of program in a zip with members of these `names`, within its folder; "" where it holds none."""
    if "constants.pkl" in names or "model.json" in names or any(name.startswith("code/") for name in names):
        return "a TorchScript program"
    if any(name.endswith(("exported_program.json", "archive_format")) for name in names):
        return "a program of torch.export"
    return ""


def _streamed(file: io.BufferedIOBase, size: int, path: Path, modules: bool) -> tuple[object, dict[str, str | int]]:
    """The old form: five pickles (a number, the version, the machine, the tree, the storages' keys), then numbers."""
    file.seek(0)
    data = io.BytesIO(file.read(min(size, HEADER_LIMIT)))
    start = data.getbuffer()[: tarfile.BLOCKSIZE].tobytes()
    if start[257:262] == b"ustar":
        raise UserError(f"{path}: a tar file, of a torch older than 0.1.11; load it there, and save it as .safetensors")
    if start[:1] != b"\x80":
        raise mistaken(path, f"{path}: no file that torch.save writes")
    storages: dict[str, Storage] = {}
    if walk(data, str(path), storages) != MAGIC or walk(data, str(path), storages) != PROTOCOL:
        raise UserError(f"{path}: a pickle, but none that torch.save writes")
    machine = walk(data, str(path), storages)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise UserError(f"{path}: {OTHER_ORDER}")
    tree = walk(data, str(path), storages, things=modules)
    keys = walk(data, str(path), {})
    if not isinstance(keys, list) or any(type(key) is not str for key in keys) or set(keys) != storages.keys():
        raise UserError(f"{path}: damaged: its list of storages is not the one that its tensors lie in")
    places: dict[str, str | int] = {}
    here = data.tell()
    for key in keys:
        file.seek(here)
        count, storage = int.from_bytes(file.read(8), "little"), storages[key]
        if count != storage.count or here + 8 + storage.bytes > size:
            raise UserError(
                f"{path}: truncated or damaged: {storage.bytes:,} bytes of numbers should stand at {here:,}"
            )
        places[key] = here + 8
        here += 8 + storage.bytes
    return tree, places


def _flat(tree: object, path: Path) -> dict[str, Placed]:
    """Tensors in nested dicts, lists and tuples, by joined name, in their order."""
    found: dict[str, Placed] = {}
    waiting: list[tuple[str, object, int]] = [("", tree, 0)]
    seen = 0
    while waiting:
        name, thing, depth = waiting.pop()
        if len(name) > LONGEST_NAME:
            raise UserError(f"{path}: damaged: a name has more than {LONGEST_NAME} letters")
        if isinstance(thing, Placed):
            if name in found:
                raise UserError(f"{path}: damaged: two tensors are named {name!r}")
            found[name] = thing
        if isinstance(thing, Thing):
            thing = _held(thing)
        if not isinstance(thing, dict | list | tuple):
            continue
        seen += len(thing)
        if depth > DEEPEST or seen > MOST_THINGS:
            raise UserError(f"{path}: damaged: it holds itself, or too much in one another")
        items = list(thing.items() if isinstance(thing, dict) else enumerate(thing))
        waiting += [(f"{name}.{key}" if name else str(key), value, depth + 1) for key, value in reversed(items)]
    return found


def _held(thing: Thing) -> dict[object, object]:
    """Contents of an unread object: of a module its parameters, buffers and modules, as its state dict names them."""
    state = thing.state if isinstance(thing.state, dict) else {}
    held: dict[object, object] = {} if any(kind in state for kind in PARTS) else dict(state)
    for kind in PARTS:
        part = state.get(kind)
        held |= part if isinstance(part, dict) else {}
    return held


def _filled(read: Callable[[int], bytes], size: int, path: Path) -> bytearray:
    """Read the next `size` bytes with `read`."""
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        chunk = read(min(CHUNK, size - done))
        if not chunk:
            raise UserError(f"{path}: truncated or damaged: it ends too early")
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    return data


def _tensor(placed: Placed, held: bytearray) -> Tensor:
    """Tensor of the numbers in a storage."""
    if placed.count == 0:
        return torch.empty(placed.shape, dtype=placed.dtype)
    numbers = torch.frombuffer(held, dtype=placed.dtype)
    return numbers.as_strided(placed.shape, placed.stride, placed.storage.start + placed.offset).contiguous()
