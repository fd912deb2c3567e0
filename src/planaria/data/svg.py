"""SVG drawings: in any encoding, with text in an available font, and without external references."""

import base64
import codecs
import io
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

from PIL import Image

from planaria.data.raster import decode
from planaria.errors import UserError, missing_extra

MOST_BYTES = 4_000_000
_EMBEDDED = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,(.+)", re.IGNORECASE | re.DOTALL)
_DECLARED = re.compile(rb"\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([A-Za-z][\w.-]*)[\"']")
_MARKS = (  # the longer ones first: that of UTF-32 begins as that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"),
)  # fmt: skip
_SERIF = re.compile(r"(?<!sans-)\bserif\b|\b(?:times|georgia|garamond|palatino)\b", re.IGNORECASE)
_NO_LETTER = "\U0010ffff"
DEEPEST = 200
"""Deepest nesting of elements; the renderer's stack overflows at some thousands, which ends the process."""


def draw(data: bytes, shown: str, pixels: int) -> Image.Image:
    """Render an SVG drawing, called `shown` in errors, whose longest side is `pixels`.

    Its text is drawn in DejaVu, the same letters on every machine; those that it lacks, in a font of the system.
    Raises `UserError` for a drawing with external references, and for letters that no font has.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise missing_extra("reading SVG", "svg") from None
    if len(data) > MOST_BYTES:
        raise UserError(f"{shown!r} is an SVG of more than {MOST_BYTES:,} bytes; simplify it first")
    try:
        text = _decoded(data)
        if "<!ENTITY" in text:
            raise UserError(f"{shown!r} declares XML entities, which are not expanded here; save it as plain SVG")
        words = set()
        for element in _elements(text, shown):
            tag = _tag(element)
            for key, value in element.attrib.items():
                # The renderer would read any file of this machine that an href names.
                if key.rpartition("}")[2] == "href" and tag != "a":
                    _check_reference(value, shown)
            words |= set("".join(element.itertext())) if tag == "text" else set()
            if tag != "switch" and any(_tag(part) == "foreignObject" and _says(part) for part in element):
                raise UserError(f"{shown!r} holds text as HTML, which can't be drawn: export it with text as paths")
        fonts = _fonts(words, text, shown) if words else {}
        png = svg_to_bytes(svg_string=text, width=pixels, height=pixels, **fonts)
    except UserError:
        raise
    except (ValueError, LookupError, ElementTree.ParseError) as error:
        raise UserError(f"{shown!r} is no SVG that can be drawn: {' '.join(str(error).split())}") from error
    return decode(io.BytesIO(bytes(png)), shown)


def _elements(text: str, shown: str) -> list[ElementTree.Element]:
    """Yield all elements of an XML text, parents before children. Raises `UserError` where it is nested too deeply."""
    depth, parsed = 0, list[ElementTree.Element]()
    for event, element in ElementTree.iterparse(io.StringIO(text), ("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > DEEPEST:
            raise UserError(f"{shown!r} is an SVG of more than {DEEPEST} groups within each other; simplify it first")
        if event == "start":
            parsed.append(element)
    return parsed  # an element is whole only when all of them are read


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _says(element: ElementTree.Element) -> bool:
    """True if there is any text in an element."""
    return bool("".join(element.itertext()).strip())


def _decoded(data: bytes) -> str:
    """Decode XML by its byte-order mark, else by its declaration, else as UTF-8. Blanks before it are removed."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding).lstrip()
    declared = _DECLARED.match(data[:1024])
    encoding = declared[1].decode("ascii") if declared else "utf-8"
    try:
        return data.decode("utf-8" if re.match("utf-?(?:16|32)|ucs", encoding, re.IGNORECASE) else encoding).lstrip()
    except LookupError:
        raise ValueError(f"its encoding {encoding!r} is not known") from None


def _fonts(words: Iterable[str], text: str, shown: str) -> dict[str, Any]:
    """Fonts that have all letters of `words`, in the renderer's format."""
    import matplotlib  # for DejaVu, which it brings along
    from matplotlib.ft2font import FT2Font

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    sans, serif, mono = "DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono"
    fonts = {
        "skip_system_fonts": True, "font_files": sorted(str(path) for path in folder.glob("DejaVu*.ttf")),
        "font_family": sans, "sans_serif_family": sans, "cursive_family": sans, "fantasy_family": sans,
        "monospace_family": mono, "serif_family": serif if _SERIF.search(text) else sans,
    }  # fmt: skip
    have = FT2Font(str(folder / "DejaVuSans.ttf")).get_charmap()
    drawn = (c for c in words if unicodedata.category(c)[0] in "LNPS" or unicodedata.category(c) == "Co")
    lacking = sorted(c for c in drawn if ord(c) not in have)
    if not lacking:
        return fonts
    fonts["skip_system_fonts"] = False
    none = _letter(_NO_LETTER, fonts)
    if undrawn := [c for c in lacking if _letter(c, fonts) in (none, b"")]:
        letters = " ".join(map(repr, undrawn[:12]))
        raise UserError(f"{shown!r} has letters that no font here can draw: {letters}; turn its text into paths")
    return fonts


def _letter(letter: str, fonts: dict[str, Any]) -> bytes:
    """Outline of a letter; empty where nothing of it is visible."""
    from resvg_py import svg_to_bytes

    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><text x="9" y="30" font-size="20">{}</text></svg>'
    )
    with Image.open(io.BytesIO(bytes(svg_to_bytes(svg_string=text.format(letter), **fonts)))) as image:
        return image.tobytes() if image.convert("RGBA").getchannel("A").getbbox() else b""


def _check_reference(value: str, shown: str) -> None:
    """Raise `UserError` unless a reference in an SVG stays inside it: `#name`, or a valid embedded picture."""
    if value.startswith("#"):
        return
    match = _EMBEDDED.fullmatch(value)
    if match is None and value.startswith("data:"):
        raise UserError(f"{shown!r} embeds {value[:40]!r}...; only PNG, JPEG, GIF and WebP in base64 are read")
    if match is None:
        raise UserError(f"{shown!r} refers to {value[:60]!r}, outside itself: embed it, or remove it")
    decode(io.BytesIO(base64.b64decode(unquote_to_bytes(match[1]))), f"{shown}, the picture embedded in it")
