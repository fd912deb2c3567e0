"""Other files: the type of an unexpected one, and advice on it."""

from pathlib import Path

from planaria.errors import UserError
from planaria.files import HEAD, open_regular, what_it_really_is

_TENSORS = "save its tensors as .safetensors, named as in a format of: planaria list formats"
_CURES = {
    "an ONNX graph": "import the weights that it was made from",
    "a msgpack file": _TENSORS,
    "an HDF5 file": _TENSORS,
    "a NumPy": _TENSORS,
    "a TensorFlow": _TENSORS,
    "a Keras": _TENSORS,
    "a GGUF model": "no automaton comes in one",
    "a Python pickle": "load it where it was made, and torch.save its state_dict()",
}
"""Type of a file, or its beginning -> advice."""
_TABLE_END = bytes.fromhex("57fb808b247547db")
"""Last bytes of the index of a TensorFlow checkpoint."""


def mistaken(path: Path, why: str) -> UserError:
    """Error for a file that a reader can't read: `why` and, where known, the type of the file."""
    words = kind_of(path)
    return UserError(f"{why}; it is {words}" if words else why)


def absent(path: Path) -> UserError:
    """Error for a `path` without a regular file, naming what is there instead."""
    if path.is_symlink() and not path.exists():
        return UserError(f"{path}: a link that leads nowhere")
    if path.exists() and not path.is_dir():
        return UserError(f"{path}: not a regular file")
    return mistaken(path, f"no file {str(path)!r}")


def kind_of(path: Path) -> str:
    """Type of a file and advice on it, to follow "it is"; "" where no more is known than its name says."""
    try:
        if path.is_dir():
            return "a TensorFlow model: " + _TENSORS if (path / "saved_model.pb").is_file() else "a folder"
        if not path.exists() and path.with_name(f"{path.name}.index").is_file():
            return f"a TensorFlow checkpoint: {_TENSORS}"
        with open_regular(path) as file:
            head = file.read(HEAD)
            file.seek(max(0, file.seek(0, 2) - len(_TABLE_END)))
            end = file.read(len(_TABLE_END))
    except (OSError, ValueError):
        return ""
    words = _tensorflow(path.name, head, end) or _keras(head) or what_it_really_is(head)
    if words in ("a PyTorch file", "a safetensors file") or (words.startswith("JSON") and path.suffix == ".json"):
        return ""  # what it should be, but for a fault in it
    cure = next((cure for start, cure in _CURES.items() if words.startswith(start)), "")
    return f"{words}: {cure}" if cure else words


def _tensorflow(name: str, head: bytes, end: bytes) -> str:
    """Description of a part of a TensorFlow model; "" where it is none."""
    if end == _TABLE_END or ".data-0" in name or head.startswith(b"model_checkpoint_path:"):
        return "a TensorFlow checkpoint"
    return "a TensorFlow graph" if name.endswith(".pb") else ""


def _keras(head: bytes) -> str:
    """Description of a zip file saved by Keras; "" where it is none."""
    names = (b"metadata.json", b"config.json", b"model.weights.h5")
    return "a Keras model" if head.startswith(b"PK\x03\x04") and head[30:].startswith(names) else ""
