"""Files from the web, downloaded once, checked, and kept in a cache folder."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, final
from urllib.parse import urldefrag, urlsplit

from planaria.errors import UserError, unknown

CHUNK = 1 << 18
DIGITS = {"md5": (32,), "sha256": (64, 8)}
"""Algorithm -> digits of a checksum; the first eight of a sha256 are enough, as in the file names of torch's hub."""
BY_HAND = "download it by hand and pass its path"

Progress = Callable[[int, int | None], None]
"""Callback with the bytes so far and the total, where the server gives it."""


def cache_folder() -> Path:
    """Folder of downloads: $PLANARIA_CACHE, else $XDG_CACHE_HOME/planaria, else ~/.cache/planaria."""
    if chosen := os.environ.get("PLANARIA_CACHE"):
        return Path(chosen).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "planaria"


def fetch(
    url: str,
    *,
    cache: Path | None = None,
    checksum: str | None = None,
    limit: int = 50_000_000,
    timeout: float = 30.0,
    progress: Progress | None = None,
) -> Path:
    """Download `url` (http or https) once and return its file in the folder `cache` (default: `cache_folder()`).

    `checksum`, "md5:..." or "sha256:..." in hexadecimal (of a sha256 the first eight digits are enough), is compared
    with a new file before it gets its name, and with a cached one, which is downloaded again where it differs. `limit`
    is the most bytes to take, `timeout` the seconds without data to wait. Raises UserError when there is no network,
    the server refuses, or the file is too large, truncated or not the one expected; then nothing is left in the cache.
    """
    url = urldefrag(url).url
    _demand_web(url)
    if checksum is not None:
        _parse_checksum(checksum)
    folder = cache or cache_folder()
    path = folder / cached_name(url)
    if path.is_file() and (checksum is None or matches(path, checksum)):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".part", dir=folder)
    except OSError as error:
        raise UserError(f"cannot write to the cache {folder}: {error}; set PLANARIA_CACHE to another folder") from error
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _download(url, file, limit, timeout, progress)
        if checksum is not None and not matches(part, checksum):
            algorithm, digest = _parse_checksum(checksum)
            found = _digest(part, algorithm)
            raise UserError(f"{url} is not the file expected: its {algorithm} is {found}, not {digest}; {BY_HAND}")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def matches(path: Path, checksum: str) -> bool:
    """True if a file has this checksum, in the format of `fetch`. Raises UserError for a malformed checksum."""
    algorithm, digest = _parse_checksum(checksum)
    return _digest(path, algorithm).startswith(digest)


def cached_name(url: str) -> str:
    """File name of a URL in the cache: a hash of the whole, and the suffix where it is a plain one."""
    suffix = Path(urlsplit(url).path).suffix.lower()
    safe = suffix if re.fullmatch(r"\.[a-z0-9]{1,10}", suffix) else ""
    return hashlib.sha256(url.encode()).hexdigest() + safe


def _download(url: str, file: IO[bytes], limit: int, timeout: float, progress: Progress | None) -> None:
    """Download `url` to `file`, at most `limit` bytes."""
    import pooch
    import requests
    import urllib3

    meter = _Meter(url, file, limit, progress)
    headers = {"User-Agent": "planaria", "Accept-Encoding": "identity"}  # so that bytes are counted as they are sent
    trusted = os.environ.get("SSL_CERT_FILE") or True
    answers: list[requests.Response] = []
    hooks = {"response": lambda answer, **_: answers.append(answer)}
    bar: Any = meter
    get = pooch.HTTPDownloader(bar, CHUNK, timeout=timeout, headers=headers, verify=trusted, hooks=hooks)
    try:
        get(url, file, None)
    except requests.HTTPError as error:
        status, reason = answers[-1].status_code, str(answers[-1].reason).partition("\n")[0]
        raise UserError(f"{url} answered {status} {reason}: check the address, or {BY_HAND}") from error
    except requests.exceptions.InvalidSchema as error:
        raise UserError(f"{url} leads to what is not on the web: check the address") from error
    except requests.TooManyRedirects as error:
        raise UserError(f"{url} leads from one address to another, without end: check the address") from error
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        cause = _cause(error)
        if isinstance(cause, urllib3.exceptions.IncompleteRead) and meter.total:
            got = f"{cause.partial:,} of {meter.total:,} bytes"
            raise UserError(f"{url} broke off after {got}; try again, or {BY_HAND}") from error
        reason = " ".join(str(cause).split()) or type(cause).__name__
        raise UserError(f"cannot download {url}: {reason}; no network? {BY_HAND}") from error
    finally:
        for answer in answers:  # pooch leaves one open where it is stopped half-way
            answer.close()


@final
class _Meter:
    """Progress bar for pooch, which aborts a download that grows too large."""

    def __init__(self, url: str, file: IO[bytes], limit: int, progress: Progress | None):
        self._url, self._file, self._limit, self._progress = url, file, limit, progress
        self._total = 0

    @property
    def got(self) -> int:
        """Bytes so far."""
        return self._file.tell()

    @property
    def total(self) -> int:
        """Total bytes, as the server states before the first of them; 0 where it doesn't."""
        return self._total

    @total.setter
    def total(self, bytes_: int) -> None:
        if bytes_ > self._limit:
            raise UserError(f"{self._url} is {bytes_:,} bytes; the limit is {self._limit:,}: {BY_HAND}")
        self._total = bytes_

    def update(self, _: int) -> None:
        """Add bytes written to the file."""
        if self.got > self._limit:
            raise UserError(f"{self._url} goes on past the limit of {self._limit:,} bytes: {BY_HAND}")
        if self._progress:
            self._progress(self.got, self._total or None)

    def reset(self) -> None:
        """Callback after the last chunk is written."""

    def close(self) -> None:
        """Callback after the whole file is written."""


def _cause(error: BaseException) -> BaseException:
    """Root cause of a network error: the system's own error."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return error


def _demand_web(url: str) -> None:
    """Raise UserError unless `url` is an http or https address with a host."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        fine = False
    if not fine:
        raise UserError(f"downloads are from http:// or https:// addresses, not {url!r}")


def _parse_checksum(checksum: str) -> tuple[str, str]:
    """Algorithm and lower-case digest of "md5:..." or "sha256:..."."""
    algorithm, _, digest = checksum.lower().partition(":")
    if algorithm not in DIGITS:
        raise unknown("checksum", algorithm, DIGITS)
    if len(digest) not in DIGITS[algorithm] or not re.fullmatch(r"[0-9a-f]+", digest):
        counts = " or ".join(map(str, DIGITS[algorithm]))
        raise UserError(f"a {algorithm} checksum has {counts} hexadecimal digits, unlike {checksum!r}")
    return algorithm, digest


def _digest(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
