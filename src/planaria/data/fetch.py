"""Files from the web, downloaded once, checked, and kept in a cache folder."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any, final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urldefrag, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from planaria.errors import UserError, unknown

CHUNK = 1 << 18
DIGITS = {"md5": (32,), "sha256": (64, 8)}
"""Algorithm -> digits of a checksum; of a sha256 the first eight will do, as torch's hub has them in its names."""
BY_HAND = "download it by hand and pass its path"

Progress = Callable[[int, int | None], None]
"""Told the bytes so far and, where the server says, of how many."""


def cache_folder() -> Path:
    """Where downloads are kept: $PLANARIA_CACHE, else $XDG_CACHE_HOME/planaria, else ~/.cache/planaria."""
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

    `checksum`, "md5:..." or "sha256:..." in hexadecimal (of a sha256 the first eight digits will do), is held against a
    new file before it gets its name, and against a cached one, which is downloaded again where it differs. `limit` is
    the most bytes to take, `timeout` the seconds of silence to bear. Raises UserError when there is no network, the
    server refuses, or the file is too large, cut short or not the one expected; then nothing is left in the cache.
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
    """Whether a file has a checksum as `fetch` takes it. Raises UserError for what is no checksum."""
    algorithm, digest = _parse_checksum(checksum)
    return _digest(path, algorithm).startswith(digest)


def cached_name(url: str) -> str:
    """The file name that a URL has in the cache: a hash of the whole, and the suffix where it is a plain one."""
    suffix = Path(urlsplit(url).path).suffix.lower()
    safe = suffix if re.fullmatch(r"\.[a-z0-9]{1,10}", suffix) else ""
    return hashlib.sha256(url.encode()).hexdigest() + safe


def _download(url: str, file: IO[bytes], limit: int, timeout: float, progress: Progress | None) -> None:
    """Write what `url` holds to `file`, at most `limit` bytes."""
    got = 0
    try:
        # Some servers refuse the name that urllib gives itself; some people paste addresses with spaces or accents.
        address = quote(url, safe="%/:=&?~#+!$,;'@()*[]")
        request = Request(address, headers={"User-Agent": "planaria"})
        with build_opener(_WebOnly).open(request, timeout=timeout) as response:
            told = response.headers.get("Content-Length", "")
            total = int(told) if told.isdecimal() else None
            if total is not None and total > limit:
                raise UserError(f"{url} is {total:,} bytes; the limit is {limit:,}: {BY_HAND}")
            while chunk := response.read(CHUNK):
                got += len(chunk)
                if got > limit:
                    raise UserError(f"{url} goes on past the limit of {limit:,} bytes: {BY_HAND}")
                file.write(chunk)
                if progress:
                    progress(got, total)
    except UserError:
        raise
    except HTTPError as error:
        error.close()
        reason = str(error.reason).partition("\n")[0]
        raise UserError(f"{url} answered {error.code} {reason}: check the address, or {BY_HAND}") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else str(error) or type(error).__name__
        raise UserError(f"cannot download {url}: {reason}; no network? {BY_HAND}") from error
    if total is not None and got < total:
        raise UserError(f"{url} broke off after {got:,} of {total:,} bytes; try again, or {BY_HAND}")


@final
class _WebOnly(HTTPRedirectHandler):
    """Follows redirects to the web only; urllib itself already refuses files, but would go on to FTP."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            fp.close()
            raise UserError(f"{req.full_url} leads to {newurl!r}, which is not on the web: check the address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


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
    """The algorithm and the lower-case digest of "md5:..." or "sha256:..."."""
    algorithm, _, digest = checksum.lower().partition(":")
    if algorithm not in DIGITS:
        raise unknown("checksum", algorithm, DIGITS)
    if len(digest) not in DIGITS[algorithm] or not re.fullmatch(r"[0-9a-f]+", digest):
        counts = " or ".join(map(str, DIGITS[algorithm]))
        raise UserError(f"a {algorithm} checksum has {counts} hexadecimal digits, unlike {checksum!r}")
    return algorithm, digest


def _digest(path: Path, algorithm: str) -> str:
    """The hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
