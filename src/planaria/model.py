"""Model: a rule, its layout and its card in one object, as `planaria.load` gives it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from planaria import export, store
from planaria.config import to_dict
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.engine import door, run
from planaria.export import movie, spelled_out
from planaria.export.movie import Film
from planaria.living import Living, find, stopped
from planaria.repaint import STEPS, repaint
from planaria.repaint.files import open_photo, picture_of, planes_of
from planaria.store import Saved
from planaria.store.cards import USUAL_GRID, Card
from planaria.types import Cond, State
from planaria.usual import actions
from planaria.view import notebook
from planaria.world import World


class Model(tuple[Rule, Layout]):
    """Trained model: unpacks as `rule, layout`, and shows itself in a notebook, live if anywidget is installed.

    `card` is its metadata, `size` the rows and columns that it was trained on, `name` its name,
    `path` its file, None if it has none, and `start` the frames `(n, visible, h, w)` that a run of it begins with,
    None if that is a seed cell.
    """

    saved: Saved
    """Content of the model file."""

    def __new__(
        cls,
        rule: Rule,
        layout: Layout,
        card: Mapping[str, Any] | None = None,
        *,
        size: tuple[int, int] = USUAL_GRID,
        name: str = "",
        path: Path | None = None,
        start: Tensor | None = None,
    ) -> "Model":
        """Make a model of its parts."""
        typed = Card.parse(card)
        return cls.of(Saved(rule, layout, typed, start, size, name or typed.name or "model", path))

    @classmethod
    def of(cls, saved: Saved) -> "Model":
        """Model of a file that was read."""
        model = super().__new__(cls, (saved.rule, saved.layout))
        model.saved = saved
        return model

    @property
    def rule(self) -> Rule:
        """Rule that every cell follows."""
        return self[0]

    @property
    def layout(self) -> Layout:
        """Layout of the channels."""
        return self[1]

    @property
    def card(self) -> Card:
        """Metadata of the model; as a mapping, the JSON of its file."""
        return self.saved.card

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns that it was trained on."""
        return self.saved.size

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.saved.name

    @property
    def path(self) -> Path | None:
        """Path of the model file, if there is one."""
        return self.saved.path

    @property
    def start(self) -> Tensor | None:
        """Frames `(n, visible, h, w)` in 0..1 that a run of it begins with; None if that is a seed cell."""
        return self.saved.start

    def world(
        self,
        size: int | tuple[int, int] | None = None,
        *,
        seed: int = 0,
        start: str | Path | State | None = None,
    ) -> World:
        """Make a live run of it with a brush, from its initial state or from `start`.

        That is a state `(1, c, h, w)`, or what `planaria run --from` takes: `"random"`, a picture.
        """
        living = self._living(size, start, seed)
        return World(living.rule, self.layout, living.size, seed=seed, start=living.start)

    @torch.no_grad()
    def run(
        self,
        x: State | None = None,
        steps: int = 200,
        *,
        t: int = 0,
        seed: int = 0,
        cond: Cond | None = None,
        engine: str = "auto",
    ) -> State:
        """State `(b, c, h, w)` `steps` steps after `x`, or after its initial state; without gradients."""
        living = self._living(None, x, seed)
        x = living.world().x if x is None else x
        return run(living.rule, x, steps, t=t, seed=seed, cond=cond, engine=engine)

    @spelled_out(film=True)
    def film(self, **options: Any) -> Film:
        """Make a film of it, as `planaria.film` does with these options; by default on the grid it was trained on.

        One that was trained on a video shows a frame where that had one, 100 of them, 20 a second times `fps_factor`.
        """
        return movie.film_of(self.saved, options)

    def repaint(
        self,
        photo: str | Path | Image.Image,
        steps: int = STEPS,
        *,
        size: int | None = None,
        seed: int = 0,
        engine: str = "auto",
    ) -> Image.Image:
        """Repaint a photo in `steps` steps, with a model that was trained to repaint.

        `photo` is a picture, or what `planaria.picture` takes; its longer side is `size` pixels, or as it is where
        None. See `planaria.repaint` for tensors and films.
        """
        planes = self.layout.photo
        given = planes_of(photo, planes, size) if isinstance(photo, Image.Image) else open_photo(photo, size, planes)
        return picture_of(repaint(self._living(None, None), given, steps, seed=seed, engine=engine))

    def save(self, path: str | Path) -> Path:
        """Write it as one model file, replacing an old one atomically; gives the path."""
        store.save(path, self.rule, self.layout, self._named().card, self.start)
        return Path(path)

    @spelled_out()
    def export(self, output: str | Path, **options: Any) -> Path:
        """Write it as `.html`, `.onnx`, `.gif`, `.webp`, `.mp4` or `.png`; options as `planaria.export.Options` has."""
        return export.write(self._named(), output, export.options(options))

    def player(self, **options: Any) -> Any:
        """Make a player for a notebook, as `planaria.view.notebook.player` makes it. Needs the extra `notebook`."""
        return notebook.player(self, **options)

    def __repr__(self) -> str:
        count = sum(p.numel() for p in self.rule.parameters())
        trained = self.card.trained
        done = stopped(self.card, self.path) or (f"{trained:,} iterations" if trained is not None else "")
        after = f", {done}" if done else ""
        h, w = self.size
        return f"Model {self.name!r}: {count:,} parameters, {self.layout.channels} channels, {h}x{w} cells{after}"

    def __getnewargs__(self) -> tuple[Rule, Layout]:
        return self.rule, self.layout

    def _repr_mimebundle_(
        self,
        include: Sequence[str] = (),  # noqa: ARG002
        exclude: Sequence[str] = (),  # noqa: ARG002
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Player if it can be shown, and a still that every reader of a notebook can show."""
        if not notebook.interactive():
            frame = self._living(None, None).frame
            shown = {"steps": 80 * frame} if self.start is not None else {"steps": 240, "every": 3}
            shot = self.film(**actions(self.layout, self.card), **shown)
            return {**shot._repr_mimebundle_(), "text/plain": repr(self)}, {}
        world = self.world()
        world.tick(120 if self.start is None else 0)
        data, metadata = notebook.bundle(self.player())
        return {**world._repr_mimebundle_(), **data, "text/plain": repr(self)}, metadata

    def _living(self, size: int | tuple[int, int] | None, start: str | Path | State | None, seed: int = 0) -> Living:
        """Make something to run, on `size` cells or those of `start`, from `start` or the initial state."""
        return find(self.saved, size=None if size is None else door.grid(size), start=start, seed=seed)

    def _named(self) -> Saved:
        """Copy of it whose card has its name, the size of its grid and the spread of its infection."""
        spread = {} if self.saved.spread is None else {"infection": to_dict(self.saved.spread)}
        return replace(self.saved, card=self.card.changed(name=self.name, grid=list(self.size), **spread))


def load(path: str | Path, *, device: torch.device | None = None) -> Model:
    """Read a model file, a run folder or a model of the gallery. Unpacks as `rule, layout`.

    Nothing in the file is executed, and its shapes are checked before memory is taken. Raises `UserError` for
    anything but a whole planaria model.
    """
    return Model.of(store.read(path, device=device))
