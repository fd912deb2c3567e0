"""Model: a rule, its layout and its card in one hand, as `planaria.load` gives it."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from planaria import export, store
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.engine import run
from planaria.export import movie
from planaria.export.movie import Film
from planaria.types import Cond, State
from planaria.view import notebook
from planaria.world import World


class Model(tuple[Rule, Layout]):
    """What was trained: unpacks as `rule, layout`, and shows itself in a notebook, alive where anywidget is installed.

    `card` is what is known of it, `size` the rows and columns that it was trained on, `name` what it is called, and
    `path` its file, None where it has none.
    """

    card: dict[str, Any]
    size: tuple[int, int]
    name: str
    path: Path | None

    def __new__(
        cls,
        rule: Rule,
        layout: Layout,
        card: Mapping[str, Any] | None = None,
        *,
        size: tuple[int, int] = (72, 72),
        name: str = "",
        path: Path | None = None,
    ) -> "Model":
        """Put together what belongs together."""
        model = super().__new__(cls, (rule, layout))
        model.card, model.size, model.path = dict(card or {}), size, path
        model.name = name or str(model.card.get("name") or "model")
        return model

    @property
    def rule(self) -> Rule:
        """What one cell does."""
        return self[0]

    @property
    def layout(self) -> Layout:
        """Which channel means what."""
        return self[1]

    def world(self, size: int | tuple[int, int] | None = None, *, seed: int = 0, start: State | None = None) -> World:
        """A live run of it with a brush, from the seed cell or from `start` `(1, c, h, w)`."""
        return World(self.rule, self.layout, self._size(size, start), seed=seed, start=start)

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
        """The state `(b, c, h, w)` `steps` steps after `x`, or after one seed cell; without gradients."""
        x = self.world().x if x is None else x
        return run(self.rule, x, steps, t=t, seed=seed, cond=cond, engine=engine)

    def film(self, **options: Any) -> Film:
        """A film of it, as `planaria.film` makes it with these options; by default on the grid it was trained on."""
        return movie.film(self.rule, self.layout, **{"size": self.size, **options})

    def save(self, path: str | Path) -> Path:
        """Write it as one model file, replacing what was there at once; gives the path."""
        told = {**self.card, "name": self.name, "grid": list(self.size)}
        store.save(path, self.rule, self.layout, told)
        return Path(path)

    def export(self, output: str | Path, **options: Any) -> Path:
        """Write it as `.html`, `.onnx`, `.gif`, `.webp`, `.mp4` or `.png`; options as `planaria.export.Options` has."""
        with tempfile.TemporaryDirectory() as folder:
            path = self.save(Path(folder) / "model.safetensors")
            return export.write(path, output, export.Options(**{"name": self.name, **options}))

    def player(self, **options: Any) -> Any:
        """A player for a notebook, as `planaria.view.notebook.player` makes it. Needs the extra `notebook`."""
        return notebook.player(self, **options)

    def __repr__(self) -> str:
        count = sum(p.numel() for p in self.rule.parameters())
        trained = self.card.get("trained")
        after = f", {trained:,} iterations" if isinstance(trained, int) else ""
        h, w = self.size
        return f"Model {self.name!r}: {count:,} parameters, {self.layout.channels} channels, {h}x{w} cells{after}"

    def __getnewargs__(self) -> tuple[Rule, Layout]:
        return self.rule, self.layout

    def _repr_mimebundle_(
        self,
        include: Sequence[str] = (),  # noqa: ARG002
        exclude: Sequence[str] = (),  # noqa: ARG002
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The player where it can be, and what every reader of a notebook can show."""
        if not notebook.interactive():
            shot = self.film(steps=240, every=3, erase=movie.healing(self.card))
            return {**shot._repr_mimebundle_(), "text/plain": repr(self)}, {}
        world = self.world()
        world.tick(120)
        data, metadata = notebook.bundle(self.player())
        return {**world._repr_mimebundle_(), **data, "text/plain": repr(self)}, metadata

    def _size(self, size: int | tuple[int, int] | None, start: State | None) -> int | tuple[int, int]:
        if start is not None:
            return start.shape[2], start.shape[3]
        return self.size if size is None else size


def load(path: str | Path, *, device: torch.device | None = None) -> Model:
    """Read a model file, a run folder or a model of the gallery. Unpacks as `rule, layout`.

    Nothing in the file is executed, and its shapes are checked before memory is taken. Raises `UserError` for
    anything but a whole planaria model.
    """
    file = store.model_path(path)
    rule, layout = store.load(file, device=device)
    told = store.card(file)
    name = str(told.get("name") or (file.resolve().parent.name if file.name == "model.safetensors" else file.stem))
    return Model(rule, layout, told, size=store.trained_size(file), name=name, path=file)
