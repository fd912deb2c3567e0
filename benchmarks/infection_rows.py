"""A picture of the neurons that move an infection's mask, for docs/infect.md, drawn from the neurons themselves.

python benchmarks/infection_rows.py docs/images/infection-rows.svg
"""

import argparse
from pathlib import Path

from planaria.core.infection import CHANCES, LATCH, TOUCH, Mover, Spread, movers

SPREAD = Spread(contact=True, delay=4, recovery=60, chance=CHANCES[6])
CHANNELS = ("mask", "borne", "ripe", "coin", "since")
SAYS = {
    "healthy": "carries the host's last bias",
    "infected": "carries the virus's last bias; counts acts while ill",
    "touched": "an infected cell lies beside a healthy one",
    "ripens": "touched as often as the speed asks for",
    "to heads": "the coin turns over",
    "to tails": "and back",
    "yields": "ripe, and enough coins beside it show heads",
    "recovers": "ill for as long as recovery says",
}
INK, MUTED, LINE, PAPER, READS, WRITES, STOPS = (
    "#1f2430", "#6b7280", "#e2e5ea", "#ffffff", "#2563a8", "#1d7f55", "#b3443f",
)  # fmt: skip
LEFT, CELL, TOP, ROW, WIDE = 150, 112, 92, 46, 1120


def text(x: float, y: float, words: str, colour: str = INK, size: int = 14, anchor: str = "start", bold: bool = False):
    """One line of words."""
    weight = ' font-weight="600"' if bold else ""
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x}" y="{y}" fill="{colour}" font-size="{size}" text-anchor="{anchor}"{weight}>{words}</text>'


def weights(mover: Mover, channel: int) -> list[tuple[str, str]]:
    """Words and colour for what a neuron reads of a channel, and writes to it."""
    found = []
    for at, kernel, weight in mover.reads:
        if at == channel:
            stops = weight <= -LATCH
            near = " around" if kernel == TOUCH else ""
            words = (
                "must be 0"
                if stops
                else "must be 1"
                if weight == LATCH
                else f"{weight:+g}{near}".replace("-", "\N{MINUS SIGN}")
            )
            found.append((words, STOPS if stops else READS))
    found += [(f"→ {weight:+g}".replace("-", "\N{MINUS SIGN}"), WRITES) for at, weight in mover.writes if at == channel]
    return found


def picture() -> str:
    """The picture as SVG: a row for each neuron, or each two that make a switch, a column for each channel."""
    rows = [mover for mover in movers(SPREAD) if not mover.name.endswith("at most once")]
    high = TOP + ROW * len(rows) + 62
    parts = [f'<rect width="{WIDE}" height="{high}" rx="10" fill="{PAPER}"/>']
    parts.append(text(24, 36, "How a mask moves", size=19, bold=True))
    parts.append(text(24, 60, "Each row is a neuron, or a switch of two, of the one hidden layer.", MUTED))
    for k, name in enumerate(CHANNELS):
        x = LEFT + CELL * k
        parts.append(
            f'<rect x="{x}" y="{TOP - 24}" width="{CELL - 6}" height="{high - TOP - 30}" rx="6" fill="#f6f7f9"/>'
        )
        parts.append(text(x + CELL / 2 - 3, TOP - 6, name, MUTED, 13, "middle", True))
    for r, mover in enumerate(rows):
        y = TOP + ROW * r
        parts.append(f'<line x1="24" y1="{y}" x2="{WIDE - 24}" y2="{y}" stroke="{LINE}"/>')
        parts.append(text(24, y + 29, mover.name, bold=True))
        for k in range(len(CHANNELS)):
            found = weights(mover, k)
            for i, (words, colour) in enumerate(found):
                line = y + 29 + (i - (len(found) - 1) / 2) * 17
                parts.append(text(LEFT + CELL * k + CELL / 2 - 3, line, words, colour, 13, "middle"))
        parts.append(text(LEFT + CELL * len(CHANNELS) + 14, y + 29, SAYS[mover.name], MUTED, 13))
    y = high - 22
    for x, words, colour in (
        (24, "+4: weight of what is read", READS),
        (230, "must be 0: silent where it isn't", STOPS),
        (460, "→ +1: what is added when the neuron answers", WRITES),
    ):
        parts.append(text(x, y, words, colour, 13))
    body = "\n".join(parts)
    font = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high}" {font}>\n{body}\n</svg>\n'


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.parse_args().file.write_text(picture())


if __name__ == "__main__":
    main()
