"""Untrusted files: read only if they are regular, without blocking, in their folder; replaced in one step."""

import codecs
import contextlib
import errno
import itertools
import os
import platform
import re
import stat
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from planaria.machine import is_there

PICTURES = (".png", ".apng", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".svg")
"""Suffixes of the names of pictures."""
HEAD = 1024
"""Number of first bytes of a file that identify its type."""

_LINK = "use the raw link, which gives the file itself"
_MSGPACK = (  # a map whose first name is as long as it says, and printable
    rb"(?:[\x81-\x8f]|\xde..|\xdf....)(?:"
    + b"|".join(b"\\x%02x[ -~]{%d}" % (0xA0 + n, n) for n in range(1, 32))
    + rb"|\xd9.[ -~]{32})"
)
_BYTES: tuple[tuple[bytes, str], ...] = (  # of these, the first that fits: regular expressions on the first bytes
    (rb"\x89PNG\r\n", "a PNG picture"),
    (rb"(?:\x89|\xef\xbf\xbd)PNG[\r\n]{1,3}\x1a", "a PNG picture that was sent as text, and broke: fetch it again"),
    (rb"\xff\xd8\xff", "a JPEG picture"),
    (rb"GIF8[79]a", "a GIF"),
    (rb"RIFF....WEBP", "a WebP picture"),
    (rb"RIFF....AVI ", "an AVI film"),
    (rb"RIFF....WAVE|ID3|fLaC|OggS", "sound"),
    (rb"BM....\0\0\0\0", "a BMP picture"),
    (rb"II[*+]\0|MM\0[*+]", "a TIFF picture"),
    (rb"....ftyp(?:avi[fs]|(?:mi[fa][1f]|msf1).{4}(?:.{4}){0,12}?avif)", "an AVIF picture"),
    (rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", "a HEIC picture: save it as PNG or JPEG"),
    (rb"....(?:ftyp|moov|mdat)", "an MP4 or MOV film"),
    (rb"\x1a\x45\xdf\xa3", "a Matroska or WebM film"),
    (rb"\0\0\0\x0cJXL |\xff\x0a", "a JPEG XL picture: save it as PNG or JPEG"),
    (rb"8BPS", "a Photoshop file: save it as PNG"),
    (rb"gimp xcf", "a GIMP file: export it as PNG"),
    (rb"%PDF-", "a PDF"),
    (rb"PK\x03\x04.{26}[^\0]{1,250}?\.npy", "a NumPy archive (.npz)"),
    (rb"PK\x03\x04.{26}[^\0]{1,250}?(?:/data\.pkl|/data/\d|/\.format_version|/version)", "a PyTorch file"),
    (rb"PK\x03\x04|PK\x05\x06", "a ZIP archive: unpack it first"),
    (rb"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9", "a PyTorch file"),
    (rb"\x80[\x02-\x05]", "a Python pickle"),
    (rb"\x93NUMPY", "a NumPy array (.npy)"),
    (rb"\x89HDF\r\n", "an HDF5 file, as Keras and h5py write"),
    (rb"GGUF", "a GGUF model"),
    (rb"....TFL3", "a TensorFlow Lite model"),
    (rb".{5}\0{3}\s*\{", "a safetensors file"),
    (rb"\x08[\x01-\x20](?:\x12.[ -~]|\x1a.[ -~]|\x3a[\x80-\xff]|\x42)", "an ONNX graph"),
    (_MSGPACK, "a msgpack file, as flax writes"),
    (
        rb"\x1f\x8b|BZh[1-9]|\xfd7zXZ\0|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!\x1a|.{257}ustar",
        "a packed file: unpack it first",
    ),
    (rb"SQLite format 3\0", "a database"),
    (rb"\x7fELF|MZ.{58}|\xcf\xfa\xed\xfe", "a program"),
)
_MARKS = (  # the longer ones first: that of UTF-32 begins as that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32", 4), (codecs.BOM_UTF32_BE, "utf-32", 4), (codecs.BOM_UTF16_LE, "utf-16", 2),
    (codecs.BOM_UTF16_BE, "utf-16", 2), (b"<\0", "utf-16-le", 2), (b"\0<", "utf-16-be", 2),
)  # fmt: skip
_SKIPPED = r"(?>\s|<\?.*?\?>|<!--.*?-->)*+"
_TEXTS: tuple[tuple[str, str], ...] = (  # the same, on what is text
    (r"version https?://(?:git-lfs|hawser)\.github\.com/", "a Git LFS pointer: run git lfs pull"),
    (r"(?:\.\./)*(?:\.git)?/annex/objects/", "a git-annex pointer: run git annex get"),
    (rf"{_SKIPPED}(?:<!doctype[^>]*?\bsvg\b|<(?:\w+:)?svg\b)", "an SVG drawing"),
    (
        rf"{_SKIPPED}<!doctype\s+html|{_SKIPPED}<(?:html|head|body|meta|title|link|style|(?:no)?script|iframe|center|div|span|table|form|font|h[1-6]|p|pre|a|b|br)\b",
        "a web page",
    ),
    (rf"{_SKIPPED}<Error>", "a server's error message"),
    (
        r"\s*(?:(?:http/\S+ |error )?[45]\d\d\b|(?:\w+ )?not found\b|access denied|forbidden)",
        "a server's error message",
    ),
    (r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\d\]-])", "JSON"),
    (rf"{_SKIPPED}<\w", "an XML text"),
    (r"(?>#[^\n]*\n|\s)*+x\s*=\s*\d+\s*,\s*y\s*=", "a pattern of Life (RLE): sim:life begins with it (--from)"),
    (r"(?>![^\n]*\n)++[.O*]", "a pattern of Life: sim:life begins with it (--from)"),
)
_CURES = {
    "a web page": f", not the file: {_LINK}",
    "a server's error message": f", not the file: {_LINK}",
    "JSON": f", as a server answers: {_LINK}",
}
PART = ".part"
"""Suffix of the name of a spare file."""

_NUMBERS = itertools.count()
_HOST = f"{zlib.crc32(platform.node().encode('utf-8', 'replace')):08x}"
_SPARE = re.compile(r"\.([0-9a-f]{8})-(\d{1,10})-\d+\.part")


def open_regular(path: str | Path, *, inside: Path | None = None) -> BinaryIO:
    """Open the regular file `path` for reading bytes. The caller closes it.

    A pipe, a socket, a device or a folder is refused at once, where `open` might wait for a writer that never comes;
    so is a link that leads out of the folder `inside`, where one is given. Raises `OSError`, whose `strerror` says why.
    """
    where = Path(path)
    if inside is not None and not is_inside(where, inside):
        raise OSError(errno.EACCES, f"a link that leads out of {inside.name or inside}", str(path))
    return _regular(where, os.O_RDONLY, "rb")


def is_inside(path: Path, folder: Path) -> bool:
    """True if a path, through every link, lies in a folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, a name that is none
        return False


def append_regular(path: str | Path) -> BinaryIO:
    """Open the regular file `path` for appending bytes, creating it if it is missing; `OSError` as `open_regular`.

    No link is followed.
    """
    if Path(path).is_symlink():
        raise OSError(errno.EACCES, "a link, not a regular file", str(path))
    added = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return _regular(Path(path), added, "ab")


def read(path: str | Path, limit: int, *, inside: Path | None = None) -> bytes:
    """Read a regular file of at most `limit` bytes; `OSError` for anything else, as `open_regular`."""
    with open_regular(path, inside=inside) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes", str(path))
    return data


def unwritable(path: Path) -> str:
    """Reason why no file can be written to `path`, to follow its name; "" if there is none."""
    try:
        if path.is_dir():
            return "is a folder"
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()
        above = next(folder for folder in path.absolute().parents if folder.exists())
    except (OSError, ValueError) as error:
        return f"can't be written: {getattr(error, 'strerror', None) or error}"
    if not above.is_dir():
        return f"can't be written: {above} is a file"
    return "" if os.access(above, os.W_OK | os.X_OK) else f"can't be written: no right to write in {above}"


def what_it_really_is(head: bytes) -> str:
    """Type of a file by its first `HEAD` bytes, to follow "X is": "a PDF", "a Git LFS pointer: run git lfs pull".

    For a caller that found that it isn't what its name says. "" if the type is unknown; "empty" without bytes.
    """
    if not head:
        return "empty"
    for pattern, words in _BYTES:
        if re.match(pattern, head, re.DOTALL):
            return words
    text = _text(head[:HEAD])
    for form, words in _TEXTS if text is not None else ():
        if re.match(form, text or "", re.DOTALL | re.IGNORECASE):
            return words + _CURES.get(words, "")
    return "" if text is None else "plain text"


def _text(head: bytes) -> str | None:
    """Decode the first bytes as text, without the byte-order mark; None if they aren't text."""
    encoding, width = next(((name, size) for mark, name, size in _MARKS if head.startswith(mark)), ("utf-8-sig", 1))
    text = head.decode(encoding, "ignore" if width == 1 else "replace").removeprefix("\ufeff")
    odd = sum(not (c.isprintable() or c in "\n\r\t\f") for c in text)
    return text if odd == 0 and len(text) * width > 0.9 * len(head) - 4 else None


def instead(name: str, head: bytes, wanted: str) -> str:
    """Message for a file whose first bytes are not those of a `wanted`: "'a.png' is no picture; it is a PDF".

    If there is a remedy for its type, that is all of the message: "'a.png' is a Git LFS pointer: run git lfs pull".
    """
    really = what_it_really_is(head)
    if ":" in really:
        return f"{name!r} is {really}"
    return f"{name!r} is no {wanted}{f'; it is {really}' if really else ''}"


def spare(path: Path) -> Path:
    """Name of a file beside `path`, to be written and put in its place: a new one at every call of every process."""
    return path.with_name(f".{path.name[:40]}.{_HOST}-{os.getpid()}-{next(_NUMBERS)}{PART}")


def sweep(folder: Path, *, alone: bool = False) -> None:
    """Remove spare files that killed processes have left in `folder`.

    `alone` says that this process has the folder to itself, so that any spare is one, but for the `.json` of viewers.
    """
    try:
        left = [entry.name for entry in os.scandir(folder) if entry.name.startswith(".") and entry.name.endswith(PART)]
    except OSError:
        return
    for name in left:
        found = _SPARE.search(name)
        dead = found is not None and found[1] == _HOST and not is_there(int(found[2]))
        if dead or (alone and ".json." not in name):
            with contextlib.suppress(OSError):
                (folder / name).unlink()


def _regular(path: Path, flags: int, mode: str) -> BinaryIO:
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return cast(BinaryIO, os.fdopen(descriptor, mode))
    except BaseException:
        os.close(descriptor)
        raise
