"""Networks with published weights: the location of the files, their reading, and the layers to use."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import safetensors
import torch
from torch import Tensor, nn

from planaria.data.fetch import Progress, fetch, matches
from planaria.errors import UserError
from planaria.store import DTYPES
from planaria.store.archive import open_archive

SITE = "https://download.pytorch.org/models/"
"""Address at which torchvision publishes its weights."""
MOST_BYTES = 600_000_000
"""Most bytes of a weights file; VGG19's has 575 million."""
KEPT = "features."
"""Prefix of the names of the weights to keep; the classifier after them is not used."""
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of the colours of ImageNet, by which the networks' inputs are normalised."""
WAYS_OUT = "take backbone=filters, which needs no download"


@dataclass(frozen=True)
class Published:
    """Weights file on torchvision's site; the eight digits in its name begin its sha256."""

    file: str
    bytes: int
    """Approximate size in bytes."""

    @property
    def url(self) -> str:
        """Address of the file."""
        return SITE + self.file

    @property
    def checksum(self) -> str:
        """Checksum that the file must have."""
        return "sha256:" + self.file.rpartition("-")[2].partition(".")[0]


def find(name: str, published: Published, *, cache: Path | None = None, progress: Progress | None = None) -> Path:
    """Find the checked weights file of backbone `name`: in torch's own cache, in planaria's, or downloaded into that.

    torch's is $TORCH_HOME/hub/checkpoints, mostly ~/.cache/torch/hub/checkpoints. Raises `UserError` where the file
    can't be had, with the remedies.
    """
    hub = Path(torch.hub.get_dir()).expanduser() / "checkpoints"
    there = hub / published.file
    spoilt = ""
    try:
        if there.is_file():
            if matches(there, published.checksum):
                return there
            spoilt = f" ({there} is not that file: its hash differs)"
    except OSError as error:
        spoilt = f" ({there} can't be read: {error.strerror or error})"
    try:
        return fetch(published.url, cache=cache, checksum=published.checksum, limit=MOST_BYTES, progress=progress)
    except UserError as error:
        size = f"{published.bytes / 1e6:,.0f} MB"
        raise UserError(
            f"{name} needs {published.file} ({size}): {error}{spoilt}; put it into {hub}, give backbone_path=FILE, or "
            f"{WAYS_OUT}"
        ) from error


def read(path: str | Path, layers: nn.Sequential, what: str) -> None:
    """Fill `layers` from the weights `features.*` of a file, `.pth` or `.safetensors`; nothing in it is executed.

    Names and shapes must be those of `layers`, which may be on the device `meta`; they are checked before memory is
    taken. `what` is the network's name. Raises `UserError` for a file that is broken, of another network, or holds
    anything but finite numbers.
    """
    if not str(path):
        raise UserError(f"{what} needs a weights file: give backbone_path=FILE, or {WAYS_OUT}")
    path = Path(path)
    wanted = {KEPT + key: tuple(value.shape) for key, value in layers.state_dict().items()}
    weights = (_from_safetensors if _is_safetensors(path) else _from_archive)(path, wanted, what)
    weights = {key: value.float() for key, value in weights.items()}
    if odd := [key for key, value in weights.items() if not bool(value.isfinite().all())]:
        raise UserError(f"{path}: damaged: {odd[0]} holds what are no numbers")
    layers.load_state_dict({key.removeprefix(KEPT): value for key, value in weights.items()}, assign=True)


def _is_safetensors(path: Path) -> bool:
    """True if a file begins like a `.safetensors` file: with the length of a header, and the header."""
    try:
        if not path.is_file():
            raise UserError(f"no weights file {str(path)!r}")
        with path.open("rb") as file:
            return file.read(9)[8:] == b"{"
    except OSError as e:
        raise UserError(f"can't read {path}: {e.strerror or e}") from e


def _from_archive(path: Path, wanted: dict[str, tuple[int, ...]], what: str) -> dict[str, Tensor]:
    archive = open_archive(path)
    _compare(archive.shapes, wanted, path, what)
    if odd := [key for key in wanted if not archive.tensors[key].dtype.is_floating_point]:
        raise UserError(f"{path}: {odd[0]} is not in floating point, so these are not the weights of {what}")
    return archive.read(wanted)


def _from_safetensors(path: Path, wanted: dict[str, tuple[int, ...]], what: str) -> dict[str, Tensor]:
    try:
        with safetensors.safe_open(path, "pt") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
            _compare({key: tuple(part.get_shape()) for key, part in slices.items()}, wanted, path, what)
            if odd := [key for key in wanted if slices[key].get_dtype() not in DTYPES]:
                raise UserError(f"{path}: {odd[0]} is not in floating point, so these are not the weights of {what}")
            return {key: file.get_tensor(key) for key in wanted}
    except safetensors.SafetensorError as e:
        raise UserError(f"{path}: truncated or damaged ({str(e).splitlines()[0]})") from None


def _compare(found: dict[str, tuple[int, ...]], wanted: dict[str, tuple[int, ...]], path: Path, what: str) -> None:
    """Raise UserError unless the weights `features.*` of a file are those that a network needs."""
    for key, shape in wanted.items():
        if key not in found:
            raise UserError(f"{path}: has no {key}, so these are not the weights of {what}")
        if found[key] != shape:
            raise UserError(f"{path}: {key} has the shape {found[key]}, not {shape}: not the weights of {what}")
    if odd := [key for key in found if key.startswith(KEPT) and key not in wanted]:
        raise UserError(f"{path}: has {odd[0][:80]!r} too, so these are not the weights of {what}")


@final
class Tapped:
    """Network with the outputs of some of its layers; its weights are frozen.

    `taps` are the layers of the features, `deep` that of the content; a picture has at least `smallest` cells a side.
    """

    def __init__(self, what: str, layers: nn.Sequential, *, taps: tuple[int, ...], deep: int, smallest: int):
        self.what = what
        self.layers = layers.requires_grad_(False).eval()
        self.taps = taps
        self.deep = deep
        self.smallest = smallest
        device = next(layers.parameters()).device
        self.mean, self.spread = (torch.tensor(v, device=device)[:, None, None] for v in (MEAN, SPREAD))

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Activations of the layers `taps`, `(b, c_i, h_i, w_i)`, for `rgb` `(b, 3, h, w)` in 0..1, fine to coarse.

        Raises `UserError` for a picture that is too small for the coarsest.
        """
        return self._answers(rgb, self.taps)

    def content(self, rgb: Tensor) -> list[Tensor]:
        """Activation of the layer `deep`: objects, more than their colours and textures. As `features` otherwise."""
        return self._answers(rgb, (self.deep,))

    def _answers(self, rgb: Tensor, taps: tuple[int, ...]) -> list[Tensor]:
        if min(rgb.shape[2:]) < self.smallest:
            h, w = rgb.shape[2:]
            raise UserError(f"{self.what} looks at {self.smallest}x{self.smallest} cells or more, not at {h}x{w}")
        x = (rgb - self.mean) / self.spread
        maps = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in taps:
                maps.append(x)
            if index == taps[-1]:
                break
        return maps
