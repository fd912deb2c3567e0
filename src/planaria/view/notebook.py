"""The player in a notebook: an anywidget that holds the page's own player, and can be given new weights."""

import functools
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from planaria import store
from planaria.core.rule import Rule
from planaria.errors import UserError, missing_extra
from planaria.export import html
from planaria.store import Saved
from planaria.store import live as running
from planaria.store.run_folder import RunFolder
from planaria.web import bundle as web

WIDGET = "application/vnd.jupyter.widget-view+json"
PAUSE_SECONDS = 0.5
"""Seconds between two checks for a run's newest weights."""
PATIENCE_SECONDS = 30.0
"""Seconds to wait for the first weights of a run."""


@runtime_checkable
class Holds(Protocol):
    """A model in memory, as `planaria.load` returns it."""

    @property
    def saved(self) -> Saved:
        """The whole saved model."""
        ...


def interactive() -> bool:
    """True if the extra `notebook` is installed."""
    return find_spec("anywidget") is not None


def player(
    model: str | Path | Holds,
    *,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    height: int = 480,
    compact: bool = True,
    **options: Any,
) -> Any:
    """A widget that runs `model`, to be painted and erased. Needs the extra `notebook`.

    `size` is its grid, where not as it was trained; `height` is in pixels; `options` are the player's own: `autoplay`,
    `speed` in steps a second, `prefer` (`webgl2` or `wasm`). Set its `weights` to `weights_of(rule)` to show what was
    learned since.
    """
    options = {"seed": seed, "height": height, **options}
    if size is not None:
        options["size"] = [size, size] if isinstance(size, int) else list(size)
    return _widget()(payload=_payload(model), options=options, compact=compact)


def weights_of(rule: Rule) -> bytes:
    """All weights, then all biases, as little-endian float32: the format of the widget's `weights`."""
    flat = torch.cat([p.detach().cpu().float().flatten() for p in (*rule.weights, *rule.biases)])
    return flat.numpy().astype("<f4").tobytes()


def live(folder: str | Path, **options: Any) -> Any:
    """A widget that follows the newest weights of a run while it trains, here or in another process.

    It follows until the training ends or the widget is closed; options as for `player`. Raises `UserError` where there
    is nothing to follow.
    """
    folder = Path(folder)
    _widget()  # a missing extra is reported before anything is waited for
    widget = player(_first(folder), **options)
    threading.Thread(target=_follow, args=(folder, widget), name=f"follow {folder.name}", daemon=True).start()
    return widget


def bundle(widget: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Data and metadata by kind, which a notebook needs to show `widget`."""
    return widget._repr_mimebundle_()


def script() -> str:
    """The widget's module, which loads the player."""
    load, packed = web.bundle("player/notebook.js")
    return f'{load}\nconst {{ render }} = await load("{packed}");\nexport default {{ render }};\n'


def _payload(model: str | Path | Holds) -> dict[str, Any]:
    return html.payload(model.saved if isinstance(model, Holds) else store.read(model))


def _first(folder: Path) -> Path:
    """First weights that a run shows: its live ones, or those it ended with."""
    end = time.monotonic() + PATIENCE_SECONDS
    while _trains(folder):
        running.watch(folder)
        if RunFolder(folder).weights.exists():
            return RunFolder(folder).weights
        if time.monotonic() > end:
            raise UserError(f"{folder}: it trains, but showed no weights within {PATIENCE_SECONDS:.0f} seconds")
        time.sleep(PAUSE_SECONDS / 5)
    return store.model_path(folder)


def _trains(folder: Path) -> bool:
    return RunFolder(folder).trains


def _follow(folder: Path, widget: Any) -> None:
    """Give `widget` new weights as they come, until the training ends or the widget is closed."""
    seen, trains = 0, True
    while trains and not widget.closed.wait(PAUSE_SECONDS):
        trains = _trains(folder)
        try:
            if trains:
                running.watch(folder)
            path = RunFolder(folder).weights if trains else store.model_path(folder)
            newest = path.stat().st_mtime_ns
            if newest != seen:
                widget.weights = weights_of(store.load(path)[0])
            seen = newest
        except (OSError, UserError):
            trains = trains and folder.is_dir()  # not there yet, or gone for good


def _widget() -> Any:
    """Class of the widget; anywidget is an extra."""
    if not interactive():
        raise missing_extra("the player in a notebook", "notebook")
    return _class()


@functools.cache
def _class() -> Any:
    import anywidget
    import traitlets

    class Player(anywidget.AnyWidget):
        """Widget whose traits Python and the player share."""

        _esm = script()
        _css = html.style()
        payload = traitlets.Dict().tag(sync=True)
        weights = traitlets.Bytes().tag(sync=True)
        options = traitlets.Dict().tag(sync=True)
        compact = traitlets.Bool().tag(sync=True)

        def __init__(self, **traits: Any):
            self.closed = threading.Event()
            super().__init__(**traits)

        @traitlets.observe("payload")
        def _forget(self, change: Any) -> None:  # noqa: ARG002
            """Drop the newer weights: they were those of the former model."""
            self.weights = b""

        def close(self) -> None:
            """Remove it from the page, and stop following a training for it."""
            self.closed.set()
            super().close()

        def __repr__(self) -> str:
            return f"Player of {self.payload.get('name', 'a model')!r}"

    return Player
