"""What every test can count on: one torch thread, no network, paths to the shared inputs."""

from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"


TERMINAL = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables by which rich and others learn what a terminal can show."""


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _usual_terminal():
    """Tests see the same terminal wherever they run: what this one's environment says of it is set aside."""
    with pytest.MonkeyPatch.context() as patch:
        for name in TERMINAL:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def colours(monkeypatch):
    """Commands print as into a terminal with every colour."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def shared() -> Path:
    """The folder of real inputs beside the checkout; a test that needs it skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no shared/ folder beside the checkout")
    return SHARED


LONG = {
    "test_docs", "test_plain", "test_session", "test_trainings", "test_native_calls", "test_fused", "test_viewing",
    "test_onnx", "test_solve", "test_paints", "test_dist", "test_cards", "test_text", "test_infect", "test_loop",
    "test_bench", "test_cli", "test_builtin", "test_terminal", "test_signals", "test_notebook", "test_repainting",
    "test_certificate", "test_notebook_cells", "test_origins_variants", "test_broadcast", "test_texture", "test_frames",
    "test_health", "test_films", "test_origins_published", "test_origins_tried", "test_pictures", "test_clip",
    "test_style", "test_gallery", "test_lock", "test_simulate", "test_hostile", "test_archive_hostile", "test_scenes",
}  # fmt: skip
"""Files whose tests take some seconds each, or many seconds together (`pytest --durations=0`)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of a file that takes long, and every one that opens a browser, whichever of its fixtures does."""
    for item in items:
        if item.path.stem in LONG:
            item.add_marker(pytest.mark.long)
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
