"""The playground: one page that trains a creature in the browser. `html` writes it, with a model or without."""

import base64
import functools
import html
import io
import json
import re

from planaria.data import builtin
from planaria.web.bundle import bundle, modules, text

SUFFIXES: tuple[str, ...] = ()
"""None of its own: it is a page, which `html` writes."""
PIXELS = 80
"""Pixels on a side of the built-in pictures in the page: twice the cells of its larger recipe."""
QUALITY = 85
"""WebP quality of those pictures: losses that are seen at this size are far below a cell."""
START = """
const find = (id) => document.getElementById(id);
if (globalThis.DecompressionStream) {
  const parts = JSON.parse(find("planaria-parts").textContent);
  const model = find("planaria-model").textContent;
  const { open } = await load(parts.packed);
  await open(find("playground"), parts, model && JSON.parse(model));
} else find("playground").textContent = "This page needs a browser of 2023 or later.";
"""


def page(shell: str, style: str, model: str, title: str) -> str:
    """The playground's page. `shell` is the page that it writes of what it has trained, with PACKED for the player.

    `style` is the player's, `model` the JSON that it begins with, or empty.
    """
    load, packed = bundle("playground/main.js")
    parts = {"packed": packed, "player": modules("player/player.js"), "shell": shell, "pictures": pictures()}
    encoded = json.dumps(parts, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    marks = {
        "title": html.escape(title),
        "style": f"<style>\n{style}</style>\n<style>\n{text('playground/playground.css')}</style>",
        "parts": encoded,
        "model": model,
        "script": f'<script type="module">\n{load}{START}</script>',
    }
    whole = text("playground/page.html")
    for mark, part in marks.items():
        whole = whole.replace(f"<!--planaria:{mark}-->", part)
    return whole


def policy() -> str:
    """Content security policy of the page, as it says it itself."""
    return html.unescape(re.findall(r'Content-Security-Policy" content="([^"]+)"', text("playground/page.html"))[0])


@functools.cache
def pictures() -> dict[str, str]:
    """The built-in pictures as small WebP files in base64, by their names."""
    found = {}
    for name in builtin.PICTURES:
        file = io.BytesIO()
        builtin.load(name, PIXELS).save(file, "WEBP", quality=QUALITY, method=6)
        found[name] = base64.b64encode(file.getvalue()).decode()
    return found
