"""Contents of a pickle of torch, read without executing any of it.

A pickle is a program for a small stack machine, and may call whatever it names. Here its opcodes are walked one by one
and the few kept that lists, dictionaries, plain values and tensors need; what it names is compared with a short list
and never imported, and a tensor is a note of where its numbers lie.
"""

import io
import math
import pickletools
from dataclasses import dataclass

import torch

from planaria.errors import UserError

MOST_OPCODES = 2_000_000
"""Most opcodes, and items put into dicts, taken together."""
LONGEST_NAME = 500
"""Most characters of a name in a pickle: it may join a long text with itself again and again."""
DTYPES: dict[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
"""Kind of storage -> dtype of its numbers."""
REBUILD = {
    "torch._utils._rebuild_tensor": (4, 4),
    "torch._utils._rebuild_tensor_v2": (6, 7),
    "torch._utils._rebuild_parameter": (3, 3),
}
"""Function that builds a tensor -> its fewest and most arguments."""
ORDERED = "collections.OrderedDict"


@dataclass(frozen=True)
class Storage:
    """Run of `count` numbers, of which a tensor may see those of the `length` from `start` on."""

    key: str
    dtype: torch.dtype
    count: int
    start: int
    length: int

    @property
    def bytes(self) -> int:
        """Size of the whole run in bytes."""
        return self.count * self.dtype.itemsize


@dataclass(frozen=True)
class Placed:
    """Tensor: the place of its numbers in a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of its numbers."""
        return self.storage.dtype

    @property
    def count(self) -> int:
        """Number of its elements."""
        return math.prod(self.shape)

    @property
    def fits(self) -> bool:
        """True if all of it lies inside its storage, each number no more than once."""
        if self.count == 0:
            return 0 <= self.offset <= self.storage.length
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        return self.count <= self.storage.length and last < self.storage.length


@dataclass
class Thing:
    """Object of a class that is never looked up: the class's name, and the object's contents."""

    name: str
    state: object = None


@dataclass(frozen=True)
class _Named:
    """Name in a pickle; it stands for itself and is never looked up."""

    name: str


class _Unread(ValueError):
    """Description of something that torch writes and planaria doesn't read."""


def walk(data: io.BytesIO, source: str, storages: dict[str, Storage], *, things: bool = False) -> object:
    """Read the next pickle in `data`: dicts, lists, tuples, plain values, `Storage` and `Placed`.

    `data` is left behind it, the storages that it refers to are put into `storages` by key, and `source` is named in
    errors. With `things`, objects of any other class are each a `Thing`, which does nothing. Raises `UserError` for a
    pickle that is broken, or asks for anything else.
    """
    try:
        return _walk(data, source, storages, things)
    except UserError:
        raise
    except _Unread as e:
        raise UserError(f"{source}: {e}") from None
    except (ValueError, IndexError, KeyError, TypeError, OverflowError):
        raise UserError(f"{source}: truncated or damaged (its pickle makes no sense)") from None


def _walk(data: io.BytesIO, source: str, storages: dict[str, Storage], things: bool) -> object:
    stack: list[object] = []
    below: list[list[object]] = []
    memo: dict[int, object] = {}
    work = 0
    for opcode, given, _ in pickletools.genops(data):
        work += 1
        if work > MOST_OPCODES:
            raise UserError(f"{source}: its pickle has more than {MOST_OPCODES:,} opcodes")
        match opcode.name:
            case "PROTO" | "FRAME":
                continue
            case "STOP":
                return stack.pop()
            case "MARK":
                below.append(stack)
                stack = []
                continue
            case "BINPUT" | "LONG_BINPUT":
                memo[_number(given)] = stack[-1]
                continue
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
                continue
            case "SETITEMS" | "APPENDS":
                items, stack = stack, below.pop()
                if opcode.name == "APPENDS":
                    _extend(stack[-1], items)
                else:
                    _set(stack[-1], list(zip(items[::2], items[1::2], strict=True)))
                continue
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _set(stack[-1], [(key, value)])
                continue
            case "APPEND":
                value = stack.pop()
                _extend(stack[-1], [value])
                continue
            case "ADDITEMS" if things:  # into a set, which holds no tensors
                stack = below.pop()
                continue
            case "BUILD":  # of a dict: attributes, such as the `_metadata` of a state dict
                state = stack.pop()
                if isinstance(stack[-1], Thing):
                    stack[-1].state = state
                elif type(stack[-1]) is not dict:
                    raise UserError(f"{source}: holds an object with a state of its own; planaria reads tensors only")
                continue
            case "BINGET" | "LONG_BINGET":
                made = memo[_number(given)]
            case "NONE":
                made = None
            case "NEWTRUE" | "NEWFALSE":
                made = opcode.name == "NEWTRUE"
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                made = given
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BINSTRING" | "SHORT_BINSTRING":
                made = given
            case "EMPTY_DICT":
                made = {}
            case "EMPTY_LIST":
                made = []
            case "EMPTY_TUPLE":
                made = ()
            case "TUPLE":
                items, stack = stack, below.pop()
                made = tuple(items)
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [stack.pop() for _ in range(int(opcode.name[-1]))]
                made = tuple(reversed(items))
            case "GLOBAL":
                made = _named(str(given).replace(" ", "."), source, things)
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                made = _named(f"{_text(module)}.{_text(name)}", source, things)
            case "EMPTY_SET" if things:
                made = Thing("builtins.set")
            case "BINPERSID":
                made = _kept(stack.pop(), things)
                if isinstance(made, Storage) and storages.setdefault(made.key, made).bytes != made.bytes:
                    raise ValueError("one storage, two sizes")
            case "REDUCE":
                values, what = stack.pop(), stack.pop()
                made, effort = _made(what, values, things)
                work += effort
            case "NEWOBJ" if things:
                _, what = stack.pop(), stack.pop()
                made = Thing(_class(what).name)
            case other:
                raise UserError(f"{source}: its pickle asks for {other}; planaria reads tensors only")
        stack.append(made)
    raise ValueError("no end")


def _named(name: str, source: str, things: bool) -> _Named:
    """Object for a name in a pickle, if it is allowed."""
    if len(name) > LONGEST_NAME:
        raise UserError(f"{source}: its pickle names something of {len(name):,} letters")
    module, _, kind = name.rpartition(".")
    if things:
        return _Named(name)
    if name != ORDERED and name not in REBUILD and not (module in ("torch", "torch.cuda") and kind in DTYPES):
        raise UserError(f"{source}: its pickle names {name[:80]!r}, and could run code; planaria reads tensors only")
    return _Named(name)


def _kept(record: object, things: bool) -> Storage | _Named:
    """Object for a persistent id: a storage, or, in the old form of a whole module, a class beside its source."""
    if things and type(record) is tuple and record[:1] == ("module",):
        return _class(_values(record, 2, 4)[1])
    return _storage(record)


def _storage(record: object) -> Storage:
    """Storage for a persistent id: its kind, key, device, size, and maybe the part that is seen."""
    word, kind, key, _, count, *rest = _values(record, 5, 6)
    if word != "storage" or not isinstance(kind, _Named):
        raise ValueError("no storage")
    dtype = DTYPES.get(kind.name.rpartition(".")[2])
    if dtype is None:
        raise _Unread(f"holds numbers of a kind that planaria doesn't read ({kind.name[:80]})")
    start, length = 0, _number(count)
    if rest and rest[0] is not None:
        _, start, length = _values(rest[0], 3, 3)
    storage = Storage(_text(key), dtype, _number(count), _number(start), _number(length))
    if storage.start + storage.length > storage.count:
        raise ValueError("a view of more than there is")
    return storage


def _made(what: object, given: object, things: bool) -> tuple[object, int]:
    """Result of a call, by the name of the callee, and the number of items visited for it."""
    name = _class(what).name
    if name == ORDERED:
        made: dict[str | int, object] = {}
        pairs = (*_values(given, 0, 1), [])[0]
        if type(pairs) is not list:
            raise ValueError("no pairs")
        _set(made, [_pair(pair) for pair in pairs])
        return made, len(pairs)
    if name not in REBUILD and things:
        return Thing(name), 0
    values = _values(given, *REBUILD[name])
    if name.endswith("_rebuild_parameter"):
        if not isinstance(values[0], Placed):
            raise ValueError("no tensor")
        return values[0], 0
    storage, offset, shape, stride = values[:4]
    if not isinstance(storage, Storage):
        raise ValueError("no storage")
    sizes, steps = (tuple(_number(n) for n in _values(v, 0, 16)) for v in (shape, stride))
    if len(sizes) != len(steps):
        raise ValueError("a stride for each side")
    return Placed(storage, _number(offset), sizes, steps), 0


def _class(what: object) -> _Named:
    """Callee of a pickle's call, which must be a name in it."""
    if not isinstance(what, _Named):
        raise ValueError("calls what is no function")
    return what


def _set(target: object, items: list[tuple[object, object]]) -> None:
    """Put items into a dict; keys are plain, as a nested one would be hashed to the bottom of the C stack."""
    for key, value in items:
        if type(target) is not dict or type(key) not in (str, int):
            raise ValueError("no dict, or no plain key")
        target[key] = value


def _extend(target: object, items: list[object]) -> None:
    if type(target) is not list:
        raise ValueError("no list")
    target.extend(items)


def _pair(value: object) -> tuple[object, object]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("no pair")
    return value[0], value[1]


def _values(value: object, fewest: int, most: int) -> tuple[object, ...]:
    """Tuple of a given number of values."""
    if type(value) is not tuple or not fewest <= len(value) <= most:
        raise ValueError("not so many values")
    return value


def _number(value: object) -> int:
    """Non-negative whole number."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("no size")
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError("no text")
    return value
