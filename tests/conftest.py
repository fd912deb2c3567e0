"""What every test can count on: one torch thread, no network, paths to the shared inputs."""

from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def shared() -> Path:
    """The folder of real inputs beside the checkout; a test that needs it skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no shared/ folder beside the checkout")
    return SHARED
