"""Archives of torch that tests make: by torch itself, or from a pickle that says whatever a test wants."""

import io
import pickle
from pathlib import Path
from typing import NamedTuple

import torch


class Run(NamedTuple):
    """A storage as a pickle speaks of it."""

    count: int
    key: str = "0"
    kind: str = "FloatStorage"
    rest: tuple = ()


class Made:
    """A tensor as a pickle makes it: whatever is called with whatever."""

    def __init__(self, how, *values):
        self.how, self.values = how, values

    def __reduce__(self):
        return self.how, self.values


class Writer(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, Run):
            return ("storage", getattr(torch, obj.kind), obj.key, "cpu", obj.count, *obj.rest)
        return None


def pickled(tree: object, protocol: int = 2) -> bytes:
    data = io.BytesIO()
    Writer(data, protocol).dump(tree)
    return data.getvalue()


def streamed(path: Path, tree: bytes, numbers: dict[str, bytes], machine: object = None, size: int = 4) -> Path:
    """A file of the old form."""
    machine = {"little_endian": True} if machine is None else machine
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, machine)]
    body = b"".join((len(part) // size).to_bytes(8, "little") + part for part in numbers.values())
    path.write_bytes(b"".join([*head, tree, pickle.dumps(list(numbers), 2), body]))
    return path


def save(tree: object, path: Path, new: bool = True, **how: object) -> Path:
    torch.save(tree, path, _use_new_zipfile_serialization=new, **how)
    return path


def flat(count: int = 6) -> bytes:
    return torch.arange(float(count)).numpy().tobytes()
