"""Files that are broken, too large, or up to something: one clear line each."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.pictures import RED, corners, header, pixel, save
from PIL import Image, ImageFile

from planaria.commands import install
from planaria.data import svg
from planaria.data.images import picture
from planaria.errors import UserError

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 20 10">{}</svg>'


@pytest.mark.parametrize("exif", [b"MM\0\x2a\xff\xff\xff\xff", b"MM\0\x2a", b"no exif"])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_broken_exif_is_no_reason_to_refuse(tmp_path, exif, suffix):
    source = save(tmp_path / f"a.{suffix}", corners(), exif=b"Exif\0\0" + exif, quality=95)
    assert pixel(picture(source, 16), 3, 3) == pytest.approx(RED, abs=0.03)


def test_svg(tmp_path):
    pytest.importorskip("resvg_py")
    for name in ("a.svg", "no suffix"):
        path = tmp_path / name
        path.write_text(SVG.format('<rect width="20" height="10" fill="red" fill-opacity="0.4"/>'))
        x = picture(path, 40)
        assert x.shape == (4, 20, 40)
        assert pixel(x, 10, 20) == (0.4, 0, 0, 0.4)


@pytest.mark.parametrize("attribute", ["href", "xlink:href"])
@pytest.mark.parametrize("form", ["{}", "file://{}", "http://127.0.0.1/a.png", "data:image/svg+xml,<svg/>", "./{}"])
def test_svg_reads_no_other_file(tmp_path, attribute, form):
    pytest.importorskip("resvg_py")
    secret = save(tmp_path / "secret.png", corners())
    path = tmp_path / "a.svg"
    address = form.format(secret).replace("<", "&lt;")
    path.write_text(SVG.format(f'<image {attribute}="{address}" width="20" height="10"/>'))
    with pytest.raises(UserError, match=r"refers to .*, outside itself|embeds 'data:"):
        picture(path)


def test_svg_may_embed_a_sound_picture(tmp_path):
    import base64

    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    inner = Path(save(tmp_path / "inner.png", Image.new("RGB", (20, 10), "red"))).read_bytes()
    markup = '<image href="data:image/png;base64,{}" width="20" height="10"/><a href="https://a.org"/>'
    path.write_text(SVG.format(markup.format(base64.b64encode(inner).decode())))
    assert pixel(picture(path, 20), 5, 10) == RED
    path.write_text(SVG.format(markup.format(base64.b64encode(header(40_000, 40_000)).decode())))
    with pytest.raises(UserError, match=r"embedded in it' has 1,600.0 million pixels"):
        picture(path, 20)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE svg [<!ENTITY x "/etc/passwd">]>' + SVG.format('<image href="&x;"/>'), "declares XML entities"),
        ("<svg", "is no SVG that can be drawn"),
        ("", "is no SVG that can be drawn"),
        (SVG.format(" " * 4_000_000), "is an SVG of more than 4,000,000 bytes"),
        (SVG.format(""), "nothing to grow"),
    ],
)
def test_bad_svg(tmp_path, text, message):
    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        picture(path)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("latin-1", "ISO-8859-1"), ("cp1252", "windows-1252"), ("koi8-r", "KOI8-R"), ("shift_jis", "Shift_JIS"),
        ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16LE"), ("utf-16-be", ""), ("utf-32", ""),
        ("utf-8", "utf-16"),
    ],
)  # fmt: skip
def test_svg_in_any_encoding(tmp_path, encoding, declared):
    pytest.importorskip("resvg_py")
    word = {"koi8-r": "\u0436", "shift_jis": "\u3042"}.get(encoding, "\u00e2")
    text = f"<?xml version='1.0'{f' encoding={declared!r}' if declared else ''}?>" if declared else ""
    text += SVG.format(f'<!-- {word} --><rect width="20" height="10" fill="red" id="{word}"/>')
    for name in ("a.svg", "no suffix"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        assert pixel(picture(tmp_path / name, 20), 5, 10) == RED


def test_svg_in_an_encoding_that_is_none(tmp_path):
    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    for name in ("klingon-8", "hex", "utf-8"):
        path.write_bytes(f"<?xml version='1.0' encoding='{name}'?>".encode() + SVG.format("").encode() + b"\xff")
        with pytest.raises(UserError, match="is no SVG that can be drawn"):
            picture(path)


@pytest.mark.parametrize("family", ["", "Helvetica", "Helvetica Neue, sans-serif", "serif", "monospace", "cursive"])
def test_svg_text_is_drawn(tmp_path, family):
    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    named = f'font-family="{family}"' if family else ""
    path.write_text(SVG.format(f'<text x="1" y="8" font-size="8" {named}>Hi</text>'))
    ink = picture(path, 60)[3]
    assert 0.05 < ink.mean() < 0.5
    path.write_text(SVG.format(f'<text x="1" y="8" font-size="8" {named}>Ho</text>'))
    assert not torch.equal(picture(path, 60)[3], ink)


def test_svg_text_that_no_font_has_is_told(tmp_path, monkeypatch):
    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    path.write_text(SVG.format('<title>\u5b57</title><text x="1" y="8">a \u597d</text>'), encoding="utf-8")
    monkeypatch.setattr(svg, "_letter", lambda letter, fonts: b"an empty box")
    with pytest.raises(UserError, match="a.svg' has letters that no font here can draw: '\u597d'; turn its text into"):
        picture(path, 60)
    monkeypatch.setattr(svg, "_letter", lambda letter, fonts: letter.encode())
    assert picture(path, 60)[3].max() == 1


def test_svg_without_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    path = tmp_path / "a.svg"
    path.write_text(SVG.format(""))
    with pytest.raises(UserError, match=re.escape(install("svg"))):
        picture(path)


@pytest.mark.parametrize(("side", "found"), [(8_000, "64.0"), (10_000, "100.0"), (40_000, "1,600.0")])
def test_a_bomb_is_not_decoded(tmp_path, monkeypatch, side, found):
    """From Pillow's three ranges: unremarked, warned of, refused."""
    path = tmp_path / "bomb.png"
    path.write_bytes(header(side, side))

    def load(self: ImageFile.ImageFile) -> None:
        pytest.fail("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(UserError, match=rf"bomb.png' has {found} million pixels; the limit is 50 million"):
        picture(path)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_bomb_takes_no_memory(tmp_path):
    """A WebP's decoder is made before its size can be asked; that must not cost its canvas."""
    source = tmp_path / "bomb.webp"
    corners().save(source, save_all=True, append_images=[corners().rotate(90)])
    data = bytearray(source.read_bytes())
    assert data[12:16] == b"VP8X"
    data[24:30] = (15_999).to_bytes(3, "little") * 2  # the canvas, of which a frame may be a small part
    source.write_bytes(data)
    code = (
        "import resource, sys\nfrom planaria.data.images import picture\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    picture(sys.argv[1])\nexcept ValueError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(source)], env=env, capture_output=True, text=True, check=True
    )
    message, kilobytes = done.stdout.splitlines()
    assert "has 256.0 million pixels" in message
    assert int(kilobytes) < 50_000


def test_a_large_file_is_refused_unread(tmp_path):
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(200_000_001)
    with pytest.raises(UserError, match=r"200,000,001 bytes; the limit is 200,000,000"):
        picture(path)


def test_cut_short(tmp_path):
    for suffix in ("png", "jpg", "webp", "bmp"):
        path = tmp_path / f"a.{suffix}"
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(UserError, match=rf"a.{suffix}' is (broken or cut short|no picture in a format)"):
            picture(path)


def test_no_picture_inside(tmp_path):
    path = tmp_path / "a.png"
    for text, told in (
        ("just words\n", "is no picture in a format known here: PNG, JPEG.*; it is plain text"),
        ("", "is no picture in a format known here: PNG, JPEG.*; it is empty"),
        ("%PDF-1.7", ".*; it is a PDF"),
        ("<html><svg></svg></html>", "is a web page, not the file: use the raw link"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer: run git lfs pull"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=rf"a.png' {told}"):
            picture(path)


def test_a_format_that_is_not_offered(tmp_path):
    with pytest.raises(UserError, match="no picture in a format known here"):
        picture(save(tmp_path / "a.png", corners(), format="PPM"))


def test_any_broken_file_is_a_user_error(tmp_path):
    """Bytes changed at random: a picture or one clear line, never a decoder's own error or a warning."""
    rng = random.Random(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [corners().rotate(90)]}
    kinds = {"png": frames, "jpg": {"exif": exif}, "webp": frames, "bmp": {}, "gif": frames}
    outcomes, lines = {True: 0, False: 0}, set()
    for suffix, options in kinds.items():
        path = tmp_path / f"a.{suffix}"
        corners().save(path, **options)
        good = path.read_bytes()
        for _ in range(40):
            bad = bytearray(good)
            for _ in range(rng.choice((1, 3, 9))):
                bad[rng.randrange(len(bad))] = rng.randrange(256)
            path.write_bytes(bad[: rng.choice((len(bad), rng.randrange(1, len(bad))))])
            try:
                x = picture(str(path) + rng.choice(("", "#1")) if suffix not in ("jpg", "bmp") else path, 8)
                outcomes[bool(torch.isfinite(x).all())] += 1
            except UserError as error:
                outcomes[False] += 1
                lines.update(str(error).splitlines())
    assert all(line.startswith("'") for line in lines)
    assert min(outcomes.values()) > 20


def test_not_a_file(tmp_path):
    with pytest.raises(UserError, match="is a folder; name one picture file"):
        picture(tmp_path)
    with pytest.raises(UserError, match="is no ordinary file"):
        picture(os.devnull)
    for source in ("a\0b.png", "a" * 5000 + ".png", "~nobody-of-this-name/a.png"):
        with pytest.raises(UserError, match="cannot read"):
            picture(source)


def test_not_allowed(tmp_path, monkeypatch):
    """As for a file without the right to read it, which for root there is not."""
    path = Path(save(tmp_path / "a.png", corners()))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match="cannot read .*Permission denied"):
        picture(path)


def test_only_the_web():
    for source in ("ftp://a.org/a.png", "file:///etc/a.png", "http://", "https://[/a.png"):
        with pytest.raises(UserError, match="http:// or https://"):
            picture(source)


def test_svg_of_endless_depth_is_refused_before_it_is_drawn(tmp_path):
    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    rectangle = '<rect width="20" height="10" fill="red"/>'
    path.write_text(SVG.format("<g>" * 100 + rectangle + "</g>" * 100))
    assert pixel(picture(path, 20), 5, 10) == RED
    path.write_text(SVG.format("<g>" * 20000 + rectangle + "</g>" * 20000))
    with pytest.raises(UserError, match="more than 200 groups within each other"):
        picture(path)


@pytest.mark.parametrize("before", [b"\n\n", b"\xef\xbb\xbf\r\n"])
def test_svg_after_empty_lines(tmp_path, before):
    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    drawing = SVG.format('<rect width="20" height="10" fill="red"/>')
    path.write_bytes(before + f'<?xml version="1.0" encoding="utf-8"?>{drawing}'.encode())
    assert pixel(picture(path, 20), 5, 10) == RED


def test_svg_with_text_as_html_is_told(tmp_path):
    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    html = '<foreignObject width="9" height="9"><p>hello</p></foreignObject>'
    for body in (html, f'<rect width="9" height="9"/><g>{html}</g>'):
        path.write_text(SVG.format(body))
        with pytest.raises(UserError, match="holds text as HTML"):
            picture(path)
    path.write_text(SVG.format(f'<switch>{html}<rect width="20" height="10" fill="red"/></switch>'))
    assert pixel(picture(path, 20), 5, 10) == RED


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'<?xml version="1.0" encoding="hex"?><svg/>', "its encoding 'hex' is not known"),
        (SVG.format('<image href="data:image/svg+xml;base64,AA"/>').encode(), "only PNG, JPEG, GIF and WebP in base64"),
        (SVG.format('<text y="9">\ue000</text>').encode(), "has letters that no font here can draw"),
    ],
)
def test_svg_that_is_refused_says_why(tmp_path, data, message):
    pytest.importorskip("resvg_py")
    path = tmp_path / "a.svg"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message):
        picture(path)
