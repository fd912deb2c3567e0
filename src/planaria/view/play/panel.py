"""Text of the desktop window: the bar, a message, the keys."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib  # for DejaVu, which it brings along: the same letters on every machine
import pygame

from planaria.view.play.keys import GROUPS, Key, keys_of
from planaria.view.play.player import Player

BAR = 44
"""Height of the bar in pixels."""
TEXT, LINE = 14, 20
"""Pixels of letters, and of a line."""
REMEMBERED = 400

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """Colours of the window, light or dark."""

    desk: Colour
    card: Colour
    line: Colour
    ink: Colour
    muted: Colour
    plum: Colour
    coral: Colour = (209, 73, 91)
    leaf: Colour = (47, 143, 107)


LIGHT = Palette((250, 249, 247), (255, 255, 255), (228, 225, 234), (29, 27, 38), (111, 106, 125), (91, 42, 134))
DARK = Palette((20, 18, 27), (30, 27, 40), (51, 47, 64), (239, 236, 246), (162, 156, 179), (183, 148, 230))


@dataclass(frozen=True)
class Item:
    """Item of the bar: text, maybe with a mark before it; the least important goes first where room lacks."""

    words: str
    rank: int
    colour: Colour
    mark: str = ""
    bold: bool = False
    widest: str = ""
    """Widest text, whose room it keeps, so that its neighbours stand still."""


class Panel:
    """Draws text; caches what it has rendered."""

    def __init__(self) -> None:
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self._files = {False: folder / "DejaVuSans.ttf", True: folder / "DejaVuSans-Bold.ttf"}
        self._fonts: dict[tuple[int, bool], pygame.Font] = {}
        self._set: dict[tuple[str, int, bool, Colour], pygame.Surface] = {}
        self._help: tuple[object, pygame.Surface] | None = None

    @staticmethod
    def palette(dark: bool) -> Palette:
        """Palette for a light or a dark background."""
        return DARK if dark else LIGHT

    def font(self, size: int, bold: bool = False) -> pygame.Font:
        """Font with letters `size` pixels high."""
        if (size, bold) not in self._fonts:
            self._fonts[size, bold] = pygame.font.Font(self._files[bold], size)
        return self._fonts[size, bold]

    def words(self, text: str, colour: Colour, size: int = TEXT, bold: bool = False) -> pygame.Surface:
        """A line of text."""
        key = text, size, bold, colour
        if key not in self._set:
            if len(self._set) > REMEMBERED:
                self._set.clear()
            self._set[key] = self.font(size, bold).render(text, True, colour)
        return self._set[key]

    # ---- the bar

    def bar(self, screen: pygame.Surface, play: Player, fps: float) -> None:
        """Draw the bar at the lower edge: the model, its step, the brush and the view; at the right the pace."""
        palette = self.palette(play.dark)
        width, height = screen.get_size()
        box = pygame.Rect(0, height - BAR, width, BAR)
        screen.fill(palette.card, box)
        pygame.draw.line(screen, palette.line, box.topleft, box.topright)
        left, right = list(_left(play, palette)), list(_right(play, palette, fps))
        gap, margin = 22, 16
        while left and sum(self._wide(i) + gap for i in [*left, *right]) - gap + 2 * margin > width:
            least = max([*left, *right], key=lambda i: i.rank)
            (left if least in left else right).remove(least)
        x = margin
        for item in left:
            self._item(screen, item, x, box.centery, play, palette)
            x += self._wide(item) + gap
        x = width - margin
        for item in reversed(right):
            x -= self._wide(item)
            self._item(screen, item, x, box.centery, play, palette)
            x -= gap

    def _wide(self, item: Item) -> int:
        text = max(self.font(TEXT, item.bold).size(w)[0] for w in (item.words, item.widest))
        return text + (22 if item.mark else 0)

    def _item(self, screen: pygame.Surface, item: Item, x: int, y: int, play: Player, palette: Palette) -> None:
        if item.mark:
            _mark(screen, item.mark, (x + 7, y), play, palette)
            x += 22
        text = self.words(item.words, item.colour, TEXT, item.bold)
        screen.blit(text, (x, y - text.get_height() // 2))

    # ---- a message

    def message(self, screen: pygame.Surface, play: Player) -> None:
        """Draw a message over the lower edge, of as many lines as its text takes."""
        palette = self.palette(play.dark)
        width, height = screen.get_size()
        lines = [self.words(line, palette.card) for line in self._broken(play.message, width - 70)]
        pill = pygame.Rect(0, 0, max(line.get_width() for line in lines) + 34, 14 + LINE * len(lines))
        pill.midbottom = width // 2, height - BAR - 16
        pygame.draw.rect(screen, palette.ink, pill, border_radius=17)
        for k, line in enumerate(lines):
            screen.blit(line, line.get_rect(center=(pill.centerx, pill.top + 7 + LINE * k + LINE // 2)))

    def _broken(self, text: str, room: int) -> list[str]:
        """Break `text` into lines of at most `room` pixels; a longer word is cut."""
        font, lines = self.font(TEXT), [""]
        for word in text.split(" "):
            longer = f"{lines[-1]} {word}".strip()
            if font.size(longer)[0] <= room:
                lines[-1] = longer
                continue
            while len(word) > 8 and font.size(word)[0] > room:
                word = word[:-5] + "..."
            lines = [*filter(None, lines), word]
        return lines

    # ---- the keys

    def help(self, screen: pygame.Surface, play: Player) -> None:
        """Draw every key, on a card over the cells."""
        room = screen.get_width(), max(1, screen.get_height() - BAR)
        drawn = room, play.dark, play.able
        if self._help is None or self._help[0] != drawn:
            self._help = drawn, self._card(room, self.palette(play.dark), keys_of(play.able))
        veil = pygame.Surface(room, pygame.SRCALPHA)
        veil.fill((*self.palette(play.dark).desk, 205))
        screen.blit(veil, (0, 0))
        card = self._help[1]
        screen.blit(card, card.get_rect(center=veil.get_rect().center))

    def _card(self, room: tuple[int, int], palette: Palette, keys: Sequence[Key]) -> pygame.Surface:
        """Draw the card, in letters as large as fit, in three, two or one column."""
        for size in range(15, 5, -1):
            for columns in (2, 3, 1):
                blocks = _columns(columns, keys)
                lines = max(sum(len(some) + 2 for _, some in block) for block in blocks)
                line = round(size * 1.85)
                wide = [self._column(block, size) for block in blocks]
                gap, margin = size * 3, size * 2
                w = sum(wide) + gap * (columns - 1) + 2 * margin
                h = lines * line + 2 * margin + line
                if size == 6 or (w <= room[0] - 40 and h <= room[1] - 40):
                    return self._drawn((w, h), blocks, wide, size, palette)
        raise AssertionError("the smallest letters are always taken")

    def _column(self, block: list[tuple[str, list[Key]]], size: int) -> int:
        font = self.font(size)
        caps = max(self._caps_wide(k, size) for _, keys in block for k in keys)
        return caps + size + max(font.size(k.says)[0] for _, keys in block for k in keys)

    def _caps_wide(self, key: Key, size: int) -> int:
        font = self.font(max(6, size - 2))
        return sum(max(font.size(c)[0] + size, round(size * 1.5)) + size // 3 for c in key.caps)

    def _drawn(
        self,
        area: tuple[int, int],
        blocks: list[list[tuple[str, list[Key]]]],
        wide: list[int],
        size: int,
        palette: Palette,
    ) -> pygame.Surface:
        card = pygame.Surface(area, pygame.SRCALPHA)
        pygame.draw.rect(card, palette.card, card.get_rect(), border_radius=size)
        pygame.draw.rect(card, palette.line, card.get_rect(), 1, border_radius=size)
        line, x = round(size * 1.85), size * 2
        for block, width in zip(blocks, wide, strict=True):
            y = size * 2
            caps = max(self._caps_wide(k, size) for _, keys in block for k in keys)
            for name, keys in block:
                heading = self.words(name, palette.plum, size, True)
                card.blit(heading, (x, y + (line - heading.get_height()) // 2))
                y += line
                for key in keys:
                    self._row(card, key, (x, y), caps, size, palette)
                    y += line
                y += line
            x += width + size * 3
        foot = "left uses the brush · shift or middle erases · right takes a colour · wheel sizes the brush"
        while self.font(max(6, size - 1)).size(foot)[0] > area[0] - 2 * size and " · " in foot:
            foot = foot.rpartition(" · ")[0]
        text = self.words(foot, palette.muted, max(6, size - 1))
        card.blit(text, text.get_rect(midbottom=(area[0] // 2, area[1] - round(size * 1.4))))
        return card

    def _row(self, card: pygame.Surface, key: Key, at: tuple[int, int], caps: int, size: int, palette: Palette) -> None:
        (x, y), line = at, round(size * 1.85)
        says = self.words(key.says, palette.ink, size)
        card.blit(says, (x + caps + size, y + (line - says.get_height()) // 2))
        for words in key.caps:
            text = self.words(words, palette.ink, max(6, size - 2))
            box = pygame.Rect(x, y + 2, max(text.get_width() + size, round(size * 1.5)), line - 5)
            pygame.draw.rect(card, palette.desk, box, border_radius=size // 3)
            pygame.draw.rect(card, palette.line, box, 1, border_radius=size // 3)
            pygame.draw.line(card, palette.line, (box.x + 3, box.bottom), (box.right - 4, box.bottom))
            card.blit(text, text.get_rect(center=box.center))
            x = box.right + size // 3


def _columns(count: int, keys: Sequence[Key]) -> list[list[tuple[str, list[Key]]]]:
    """Arrange the groups of `keys`, whole and in their order, in `count` columns of about one length."""
    groups = [(name, [k for k in keys if k.group == name]) for name in GROUPS]
    lines = sum(len(some) + 2 for _, some in groups)
    columns: list[list[tuple[str, list[Key]]]] = [[]]
    filled = 0
    for name, some in groups:
        done = filled + (len(some) + 2) / 2
        if columns[-1] and len(columns) < count and done > lines * len(columns) / count:
            columns.append([])
        columns[-1].append((name, some))
        filled += len(some) + 2
    return columns + [[] for _ in range(count - len(columns))] if len(columns) == count else columns


def _left(play: Player, palette: Palette) -> Iterator[Item]:
    yield Item("", 0, palette.ink, "pause" if play.paused else "live")
    yield Item(play.name, 1, palette.ink, bold=True)
    yield Item(play.moment, 2, palette.ink, widest=f"{play.unit} 00000")
    if play.recorder.on:
        yield Item(f"{play.recorder.seconds:.1f} s", 2, palette.coral, "record", widest="00.0 s")
    if play.training is not None and play.training.progress:
        yield Item(play.training.progress, 3, palette.leaf)
    yield Item(f"{play.brush} {play.radius}" if play.radius else play.brush, 5, palette.muted, play.brush)
    if play.channel is not None:
        yield Item(play.view, 3, palette.plum)
    if play.degrees:
        yield Item(f"{play.degrees}°", 6, palette.plum, widest="000°")
    if play.loop:
        yield Item(play.round, 6, palette.plum, "loop", widest="000/000")


def _right(play: Player, palette: Palette, fps: float) -> Iterator[Item]:
    speed = f"{play.speed:g}" if play.paused else f"{play.pace:.0f} of {play.speed:g}"
    yield Item(f"{speed} {play.unit}s/s", 7, palette.muted)
    yield Item(f"{fps:.0f} fps", 9, palette.muted, widest="000 fps")
    yield Item("H keys", 8, palette.plum)


def _mark(screen: pygame.Surface, kind: str, at: tuple[int, int], play: Player, palette: Palette) -> None:
    """Draw a small mark before text."""
    x, y = at
    if kind == "pause":
        for side in (-5, 2):
            pygame.draw.rect(screen, palette.coral, (x + side, y - 6, 4, 12), border_radius=1)
    elif kind == "live":
        pygame.draw.aacircle(screen, palette.leaf, at, 5)
    elif kind == "record":
        pygame.draw.aacircle(screen, palette.coral, at, 6)
    elif kind == "loop":
        pygame.draw.arc(screen, palette.plum, (x - 6, y - 6, 12, 12), 0.6, 5.6, 2)
        pygame.draw.polygon(screen, palette.plum, [(x + 2, y - 4), (x + 8, y - 5), (x + 6, y + 1)])
    else:
        inside = {"paint": play.colour, "erase": palette.card, "plant": palette.leaf, "infect": palette.coral}[kind]
        pygame.draw.aacircle(screen, inside, at, 8)
        pygame.draw.aacircle(screen, palette.coral if kind == "erase" else palette.muted, at, 8, 1)
        if kind == "erase":
            pygame.draw.aaline(screen, palette.coral, (x - 5, y + 5), (x + 5, y - 5))
