"""The example notebook is run as Jupyter runs it, with anywidget and without."""

import base64
import json
import sys
from pathlib import Path

import pytest
from helpers.payloads import payload

from planaria.view.notebook import WIDGET

nbclient = pytest.importorskip("nbclient")
jupytext = pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "notebook.py"
STATE = "application/vnd.jupyter.widget-state+json"


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Runs the example in a kernel of this very Python, with its folders in `tmp_path`."""
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    spec = tmp_path / "kernels" / "here" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "here", "language": "python"}))
    work = tmp_path / "work"
    work.mkdir()

    def run(first: str = ""):
        book = jupytext.read(EXAMPLE)
        book.cells.insert(0, nbformat.v4.new_code_cell(first))
        place = {"metadata": {"path": str(work)}}
        nbclient.NotebookClient(book, kernel_name="here", timeout=120, resources=place).execute()
        return book, work

    return run


def outputs(book) -> list[dict]:
    """The data of all that the cells show, in order."""
    shown = [out for cell in book.cells for out in cell.get("outputs", [])]
    assert all(out.output_type in ("display_data", "execute_result") for out in shown), shown
    return [out.data for out in shown]


def test_with_anywidget(ran):
    pytest.importorskip("anywidget")
    book, work = ran()
    model, film, *worlds, player, path = outputs(book)
    assert set(model) == {WIDGET, "text/html", "text/plain"}
    assert model["text/plain"].startswith("Model 'lizard': 8,320 parameters")
    assert "data:image/png;base64," in model["text/html"]
    assert "data:image/webp;base64," in film["text/html"]
    assert len({w["text/html"] for w in worlds}) == 3
    widgets = book.metadata.widgets[STATE]["state"]
    first, second = (widgets[data[WIDGET]["model_id"]] for data in (model, player))
    for state in (first["state"], second["state"]):
        assert state["payload"] == payload("lizard")
        assert "export default { render }" in state["_esm"]
        assert ".pl-player" in state["_css"]
    assert second["state"]["options"] == {"seed": 3, "height": 480, "speed": 30, "size": [48, 48]}
    sent = {tuple(b["path"]): base64.b64decode(b["data"]) for b in second["buffers"]}
    heart = payload("heart")
    assert sent["weights",] == b"".join(base64.b64decode(t) for t in [*heart["weights"], *heart["biases"]])
    assert "lizard.html" in path["text/plain"]
    assert "<title>A lizard that heals</title>" in (work / "lizard.html").read_text()


def test_without_it(ran):
    book, work = ran("import sys; sys.modules['anywidget'] = None")
    model, film, *worlds, path = outputs(book)
    assert set(model) == {"text/html", "text/plain"}
    assert model["text/plain"].startswith("Model 'lizard': 8,320 parameters")
    for data in (model, film):
        assert data["text/html"].startswith('<img alt="Film of ')
        assert "data:image/webp;base64," in data["text/html"]
    assert len(worlds) == 3
    assert (work / "lizard.html").exists()
    assert "lizard.html" in path["text/plain"]
