"""What the player takes of a model, as tests hand it to a page."""

from pathlib import Path
from typing import Any

from planaria import store
from planaria.export import html


def payload(model: str | Path) -> dict[str, Any]:
    """That of a model file, a run folder or a model of the gallery."""
    return html.payload(store.read(model))
