"""MedMNIST: single samples from its .npz files, read straight from the archive, without the `medmnist` package.

The data are Yang et al., "MedMNIST v2", Scientific Data 10, 41 (2023), https://medmnist.com, licence CC BY 4.0
(DermaMNIST CC BY-NC 4.0); the addresses and checksums below are those of its release 3 (MedMNIST+).
"""

import os
import re
import warnings
import zipfile
from math import prod
from pathlib import Path

import numpy as np

from planaria.data.fetch import Progress, fetch
from planaria.errors import UserError, unknown
from planaria.files import HEAD, instead, open_regular, what_it_really_is

SPLITS = ("train", "val", "test")
SIDES = (28, 64, 128, 224)
LARGEST = 1024
"""Most pixels on a side of a sample."""
URL = "https://zenodo.org/records/10519652/files/{}?download=1"

MD5 = {
    # flag: of the 28, 64, 128 and 224 pixel files
    "bloodmnist": (
        "7053d0359d879ad8a5505303e11de1dc",
        "2b94928a2ae4916078ca51e05b6b800b",
        "adace1e0ed228fccda1f39692059dd4c",
        "b718ff6835fcbdb22ba9eacccd7b2601",
    ),
    "breastmnist": (
        "750601b1f35ba3300ea97c75c52ff8f6",
        "742edef2a1fd1524b2efff4bd7ba9364",
        "363e4b3f8d712e9b5de15470a2aaadf1",
        "b56378a6eefa9fed602bb16d192d4c8b",
    ),
    "chestmnist": (
        "02c8a6516a18b556561a56cbdd36c4a8",
        "9de6cd0b934ebb5b7426cfba5efbae16",
        "db107e5590b27930b62dbaf558aebee3",
        "45bd33e6f06c3e8cdb481c74a89152aa",
    ),
    "dermamnist": (
        "0744692d530f8e62ec473284d019b0c7",
        "b70a2f5635c6199aeaa28c31d7202e1f",
        "2defd784463fa5243564e855ed717de1",
        "8974907d8e169bef5f5b96bc506ae45d",
    ),
    "octmnist": (
        "c68d92d5b585d8d81f7112f81e2d0842",
        "e229e9440236b774d9f0dfef9d07bdaf",
        "0a97e76651ace45c5d943ee3f65b63ae",
        "abc493b6d529d5de7569faaef2773ba3",
    ),
    "organamnist": (
        "68e3f8846a6bd62f0c9bf841c0d9eacc",
        "2dcccc29b88e6da5a01161ef20cda288",
        "eeae80d0a227a8d099027e1b3cfd3b60",
        "50747347e05c87dd3aaf92c49f9f3170",
    ),
    "organcmnist": (
        "b9ceb9546e10131b32923c5bbeaea2b1",
        "3ce34a8724ea6f548e6db4744d03b6a9",
        "773c1f009daa3fe5d9a2a201b2a7ed94",
        "050f5e875dc056f6768abf94ec9995d1",
    ),
    "organsmnist": (
        "9ab87b696fb54e2a387ebe992d6ed5f1",
        "53a6d115339d874c25e309a994ff46d3",
        "ded0c5fa01a95dc4978b956f613e9b8e",
        "b354719e553fbbb2513d5533f52a4cb1",
    ),
    "pathmnist": (
        "a8b06965200029087d5bd730944a56c1",
        "55aa9c1e0525abe5a6b9d8343a507616",
        "ac42d08fb904d92c244187169d1fd1d9",
        "2c51a510bcdc9cf8ddb2af93af1eadec",
    ),
    "pneumoniamnist": (
        "28209eda62fecd6e6a2d98b1501bb15f",
        "8f4eceb4ccffa70c672198ea285246c6",
        "05b46931834c231683c68f40c47b2971",
        "d6a3c71de1b945ea11211b03746c1fe1",
    ),
    "retinamnist": (
        "bd4c0672f1bba3e3a89f0e4e876791e4",
        "afda852cc34dcda56f86ad2b2457dbcc",
        "e48e916a24454daf90583d4e6efb1a18",
        "eae7e3b6f3fcbda4ae613ebdcbe35348",
    ),
    "tissuemnist": (
        "ebe78ee8b05294063de985d821c1c34b",
        "123ece2eba09d0aa5d698fda57103344",
        "61b955355d7425a89687b06cca3ce0c2",
        "b077128c4a949f0a4eb01517f9037b9c",
    ),
}


MEANT = {
    "organ": "organamnist", "blood": "bloodmnist", "breast": "breastmnist", "ultrasound": "breastmnist",
    "chest": "chestmnist", "xray": "chestmnist", "derma": "dermamnist", "skin": "dermamnist", "oct": "octmnist",
    "axial": "organamnist", "coronal": "organcmnist", "sagittal": "organsmnist", "path": "pathmnist",
    "colon": "pathmnist", "pneumonia": "pneumoniamnist", "retina": "retinamnist", "fundus": "retinamnist",
    "tissue": "tissuemnist", "kidney": "tissuemnist",
}  # fmt: skip
"""Words in a name that suggest the intended flag, the more certain ones later: `organmnist_axial` is the axial one."""
FILE = re.compile(r"(.+\.npz)(?:/([^/]+))?/(\d{1,12})", re.IGNORECASE | re.DOTALL)


def picture(address: str, *, cache: Path | None = None) -> np.ndarray:
    """Read the sample that an address names, `(h, w)` or `(h, w, 3)` uint8: a flag's, as `parse` has it, or a file's.

    `FILE.npz/INDEX` and `FILE.npz/SPLIT/INDEX` are of an archive of your own. Raises `UserError`.
    """
    if found := FILE.fullmatch(address):
        path, split = Path(found[1]).expanduser(), (found[2] or "train").lower()
        if split not in SPLITS:
            raise unknown("MedMNIST split", split, SPLITS)
        _check_archive(path)
        return read(path, split, int(found[3]), cure="")
    flag, index, split, side = parse(address)
    return sample(flag, index, split=split, pixels=side, cache=cache)


def _no_flag(flag: str) -> UserError:
    """Error for an unknown flag, with the likely intended one suggested where the name tells."""
    if flag.lower().endswith("mnist3d"):
        return UserError(f"{flag} is a MedMNIST set of volumes; those of pictures: {', '.join(sorted(MD5))}")
    error, name = unknown("MedMNIST flag", flag, MD5), re.sub("[^a-z]", "", flag.lower())
    said = [word for word in MEANT if word in name]
    if not said:
        return error
    return UserError(f"{str(error).partition(' Did you mean')[0]} Did you mean {MEANT[said[-1]]!r}?")


def parse(address: str) -> tuple[str, int, str, int]:
    """Parse flag, index, split and pixels of "FLAG/INDEX", "FLAG/SPLIT/INDEX" or, of larger files, "FLAG@64/INDEX"."""
    match = re.fullmatch(r"([^/@]+)(?:@(\d{1,4}))?(?:/([^/]+))?/(\d{1,12})", address)
    if match is None:
        forms = "write FLAG/INDEX, FLAG/SPLIT/INDEX, FLAG@64/INDEX or FILE.npz/INDEX"
        raise UserError(f"not a MedMNIST sample: {address!r}; {forms}")
    flag, pixels, split, index = match.groups()
    return flag, int(index), split or "train", int(pixels or 28)


def sample(
    flag: str,
    index: int,
    *,
    split: str = "train",
    pixels: int = 28,
    root: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Read one picture of a 2D MedMNIST data set: (h, w) or (h, w, 3), uint8.

    The file `FLAG.npz` (`FLAG_64.npz` and so on where `pixels` is not 28) is looked for in `root`, $MEDMNIST_ROOT and
    ~/.medmnist, and is trusted there as far as its structure holds, so that it may be a subset of your own; else it
    is downloaded into `cache` and must have the published checksum. Raises UserError for what does not exist, or is
    not an archive of uint8 pictures.
    """
    flag, split = flag.lower() if flag.lower() in MD5 else flag, split.lower()
    if flag not in MD5:
        raise _no_flag(flag)
    if split not in SPLITS:
        raise unknown("MedMNIST split", split, SPLITS)
    if pixels not in SIDES:
        raise unknown("MedMNIST size", pixels, SIDES)
    name = f"{flag}.npz" if pixels == 28 else f"{flag}_{pixels}.npz"
    home = os.environ.get("MEDMNIST_ROOT")
    folders = [root, Path(home).expanduser() if home else None, Path.home() / ".medmnist"]
    for folder in folders:
        if folder is not None and (folder / name).is_file():
            return read(folder / name, split, index)
    checksum = f"md5:{MD5[flag][SIDES.index(pixels)]}"
    limit = 400_000 * pixels**2  # the largest, TissueMNIST and PathMNIST, hold some 320,000 bytes for each pixel
    try:
        path = fetch(URL.format(name), cache=cache, checksum=checksum, limit=limit, progress=progress)
    except UserError as error:
        other = f"put {name} into ~/.medmnist or $MEDMNIST_ROOT, or name a file: medmnist:FILE.npz/INDEX"
        raise UserError(f"{error} (or {other})") from error
    return read(path, split, index)


def read(path: Path, split: str, index: int, *, cure: str = "; delete it and download it again") -> np.ndarray:
    """Read picture `index` of a split of an .npz file, (h, w) or (h, w, 3), uint8; nothing but that picture is kept.

    Raises UserError where the file is broken, holds anything but uint8 pictures, or has no such index; `cure` ends the
    line on a broken one.
    """
    member = f"{split}_images.npy"
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings(action="ignore"):
            if member not in archive.namelist():
                raise UserError(f"{path} holds no {member}; it has: {', '.join(archive.namelist()[:12]) or 'nothing'}")
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                if version == (1, 0):
                    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
                else:
                    shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
                _check(f"{member} of {path}", shape, fortran, dtype)
                if not 0 <= index < shape[0]:
                    raise UserError(f"{path} has {split} pictures 0 to {shape[0] - 1}, not {index}")
                if archive.getinfo(member).file_size < file.tell() + prod(shape):
                    raise UserError(f"{member} of {path} is cut short: it declares {shape}")
                count = prod(shape[1:])
                file.seek(index * count, os.SEEK_CUR)
                data = file.read(count)
    except UserError:
        raise
    except Exception as error:  # a reader at work on a file that cannot be trusted may raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"cannot read {path}: {reason}{cure}") from error
    if len(data) != count:
        raise UserError(f"{member} of {path} is cut short at picture {index}")
    grey = shape[1:3] if shape[3:] == (1,) else shape[1:]
    return np.frombuffer(data, np.uint8).reshape(grey).copy()


def _check_archive(path: Path) -> None:
    """Raise `UserError` if a file can't be opened, or its first bytes show that it is no archive but another type."""
    try:
        with open_regular(path) as file:
            head = file.read(HEAD)
    except FileNotFoundError as error:
        raise UserError(f"no file {path}; give medmnist:FILE.npz/INDEX, or medmnist:FLAG/INDEX") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if what_it_really_is(head) and not head.startswith(b"PK"):
        raise UserError(instead(str(path), head, "archive of NumPy arrays (.npz)"))


def _check(what: str, shape: tuple[int, ...], fortran: bool, dtype: np.dtype) -> None:
    """Raise UserError unless an array's header declares uint8 pictures, one after the other."""
    if dtype != np.uint8:
        raise UserError(f"{what} must be uint8, not {dtype}")
    if len(shape) not in (3, 4) or shape[3:] not in ((), (1,), (3,)):
        raise UserError(f"{what} must have the shape (n, h, w), (n, h, w, 1) or (n, h, w, 3), not {shape}")
    if min(shape) < 1 or max(shape[1:]) > LARGEST:
        raise UserError(f"{what} must hold pictures of 1 to {LARGEST} pixels a side, not {shape}")
    if fortran:
        raise UserError(f"{what} must be stored row by row (C order), not in Fortran order")
