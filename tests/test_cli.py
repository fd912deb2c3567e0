import json
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import films
from helpers.tiny import WORDS
from PIL import Image
from rich.progress import Progress

import planaria
from planaria import cli
from planaria.cli import main
from planaria.engine import native
from planaria.errors import UserError
from planaria.losses import backbones
from planaria.recipes import Recipe, find, shipped
from planaria.tasks import grow, style


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """A run folder, trained for a moment."""
    runs = tmp_path_factory.mktemp("runs")
    assert main(["train", "grow", *WORDS, "train.steps=3", "--runs", str(runs), "--name", "m"]) == 0
    return runs / "m"


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Call the command line with a mistake: one line, exit 2, nothing written; gives the line."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> str:
        before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
        capsys.readouterr()
        assert main([str(w) for w in words]) == 2
        said = capsys.readouterr()
        assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == before
        assert said.err.count("\n") == 1, said.err
        assert said.err.startswith("planaria: ")
        assert "Traceback" not in said.err
        return said.err

    return call


def test_a_missing_picture(refused, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "cat.png")
    assert "no picture 'cta.png'" in (said := refused("train", "grow", "picture=cta.png"))
    assert "Did you mean 'cat.png'" in said


def test_not_a_picture(refused, tmp_path):
    (tmp_path / "cat.png").write_text("miaow")
    assert "cat.png" in refused("train", "grow", "picture=cat.png")


def test_an_enormous_picture_is_refused_before_memory_is_taken(tmp_path):
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 6, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "vast.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    code = (
        "import resource, sys; from planaria.cli import main; code = main(['train', 'grow', 'picture=vast.png']);"
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    line, peak = done.stderr.split("\n")
    assert "vast.png" in line
    assert "million" in line
    assert int(peak) < 2000  # megabytes; the picture alone would take 6,400
    assert [p.name for p in tmp_path.iterdir()] == ["vast.png"]


def test_three_channels(refused):
    assert "rule.channels=3" in (said := refused("train", "grow", "rule.channels=3"))
    assert "at least 4 channels" in said


def test_an_unknown_key_in_yaml(refused, tmp_path):
    (tmp_path / "r.yaml").write_text("task: grow\nrule:\n  chanels: 8\n")
    said = refused("train", "r.yaml")
    assert "r.yaml" in said
    assert "rule.chanels" in said
    assert "Did you mean 'rule.channels'" in said


def test_a_learning_rate_that_is_no_number(refused, tmp_path):
    (tmp_path / "r.yaml").write_text("task: grow\ntrain:\n  lr: fast\n")
    said = refused("train", "r.yaml")
    assert all(word in said for word in ("r.yaml", "lr", "fast", "float"))
    assert "fast" in refused("train", "grow", "train.lr=fast")


def test_a_truncated_checkpoint(refused, tmp_path, model):
    shutil.copytree(model, tmp_path / "runs" / "m")
    path = tmp_path / "runs" / "m" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "checkpoint.safetensors: truncated or damaged" in refused("train", "runs/m", "--resume")


def test_a_model_offered_as_a_checkpoint(refused, tmp_path, model):
    shutil.copytree(model, tmp_path / "runs" / "m")
    shutil.copy(model / "model.safetensors", tmp_path / "runs" / "m" / "checkpoint.safetensors")
    assert "checkpoint.safetensors: damaged: its header has no [state]" in refused("train", "runs/m", "--resume")


def test_a_truncated_model(refused, tmp_path, model):
    whole = (model / "model.safetensors").read_bytes()
    (tmp_path / "m.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "m.safetensors: truncated or damaged" in refused("run", "m.safetensors", "-o", "a.gif")
    assert "truncated or damaged" in refused("show", "m.safetensors")


class Trap:
    """Unpickling this makes a file."""

    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


def test_a_pickle_offered_as_a_model(refused, tmp_path):
    torch.save({"w": torch.zeros(3)}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Trap()))
    for name in ("a.pt", "b.pt"):
        assert "pickle could run code, so planaria never opens one" in refused("run", name, "-o", "a.gif")


def test_an_unknown_task(refused):
    assert "Did you mean 'grow'" in refused("train", "gorw")


def test_a_recipe_without_a_task(refused, tmp_path):
    (tmp_path / "r.yaml").write_text("picture: lizard\n")
    assert "says no task; add a line like 'task: grow'" in refused("train", "r.yaml")


def test_a_missing_recipe_and_model(refused):
    assert "nowhere.yaml: No such file" in refused("train", "nowhere.yaml")
    assert "no model 'nowhere'" in refused("run", "nowhere")


def test_a_folder_as_a_run_name(refused):
    assert "--name is the name of a folder in runs" in refused("train", "grow", "--name", "../up")


def test_bad_damage_and_sizes(refused, model):
    assert "write DAMAGE@STEP" in refused("run", model, "--erase", "left")
    assert "Did you mean 'left'" in refused("run", model, "--erase", "lefft@3", "--steps", 9)
    assert "the animation has steps 0 to 9" in refused("run", model, "--erase", "left@30", "--steps", 9)
    assert "write 72 or ROWSxCOLUMNS" in refused("run", model, "--size", "huge")
    assert "16384" in refused("run", model, "--size", "99999999")


def test_an_unknown_format_before_any_work(refused, model):
    assert "Did you mean '.gif'" in refused("run", model, "-o", "a.gfi")


def test_unknown_engines_devices_and_lists(refused, model):
    assert "Did you mean 'sparse'" in refused("run", model, "--engine", "spares")
    assert "device 'cudaa'" in refused("train", "grow", "train.device=cudaa")
    assert "filters" in refused("list", "filtres")
    assert "Have: tasks, recipes" in refused("list")


def test_more_words_than_a_command_takes(refused):
    assert "'nonsense' is not a setting" in refused("train", "grow", "nonsense")
    assert "rule.chanels" in refused("train", "grow", "rule.chanels=4")


def test_verbose_adds_the_traceback(capsys):
    assert main(["train", "gorw", "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_it_trains_and_shows(model, capsys, colours):
    capsys.readouterr()
    assert main(["show", str(model)]) == 0
    said = capsys.readouterr().out
    assert "grow lizard" in said
    assert "3 iterations" in said
    assert "mse at step 200" in said
    assert "▀" in said
    assert main(["show", str(model / "model.safetensors")]) == 0


def test_a_video_model_is_shown_in_frames(tmp_path, capsys, colours):
    films.save(tmp_path / "drift.safetensors", visible=3)
    assert main(["show", str(tmp_path / "drift.safetensors")]) == 0
    said = capsys.readouterr().out
    assert "video sim:lenia" in said
    assert "2 cell steps, 14x10 cells" in said
    assert "frames 0, 10, 20, 30, 40, 50" in said
    assert "▀" in said


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4", "png"])
def test_it_runs_and_films(model, tmp_path, suffix, capsys):
    out = tmp_path / f"film.{suffix}"
    words = ["run", str(model), "-o", str(out), "--steps", "20", "--erase", "left@10", "--erase", "noise(0.2)@15"]
    assert main(words) == 0
    assert out.stat().st_size > 300
    assert "film." in capsys.readouterr().out
    first = out.read_bytes()
    assert main(words) == 0
    assert out.read_bytes() == first or suffix == "mp4"  # the codec's bytes vary, its pictures don't


def test_a_hostile_card_is_shown_without_harm(tmp_path, capsys):
    """A model file may say anything of itself: wrong types, markup, codes that a terminal obeys."""
    for card in (
        {"figures": {"mse": "x", "other": [1], "fine\x1b[2J": 0.1}, "task": "\x1b]0;owned\x07[red]", "config": 7},
        {"figures": 3, "config": {"picture": ["a"], "regime": {}}},
    ):
        planaria.save(tmp_path / "m.safetensors", planaria.Rule(), planaria.Layout(), {"grid": [8, 8], **card})
        assert main(["show", str(tmp_path / "m.safetensors")]) == 0
    said = capsys.readouterr().out
    assert "\x07" not in said
    assert "\x1b[2J" not in said
    assert "\x1b]0;" not in said
    assert "0.100000" in said


def test_it_runs_into_the_terminal(model, capsys, colours):
    assert main(["run", str(model), "--steps", "5", "--size", "10x20"]) == 0
    assert capsys.readouterr().out.count("▀") == 5 * 20


def test_settings_are_spelled_both_ways_and_options_may_stand_first(tmp_path):
    runs = ["--runs", str(tmp_path)]
    few = ["--train.steps", "2", "--train.pool=6", "--rule.hidden", "8"]
    rest = [w for w in WORDS if not w.startswith(("train.pool", "rule.hidden"))]
    assert main(["train", "grow", *rest, *few, *runs, "--name", "a"]) == 0
    assert main(["train", *runs, "--name", "b", "grow", *WORDS, "train.steps=2"]) == 0
    assert planaria.load(tmp_path / "a")[0].config.hidden == (8,)
    assert planaria.load(tmp_path / "b")[0].config.hidden == (16,)


def test_options_of_a_training_may_be_spelled_as_settings(tmp_path):
    assert main(["train", "grow", *WORDS, "train.steps=2", f"runs={tmp_path}", "name=c"]) == 0
    assert (tmp_path / "c" / "model.safetensors").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_an_output_that_takes_no_more_is_one_line():
    with Path("/dev/full").open("w") as full:
        call = [sys.executable, "-m", "planaria", "list", "gallery"]
        done = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "planaria: No space left on device\n"


def test_a_finished_run_can_be_asked_to_go_on(model, capsys):
    assert main(["train", str(model), "--resume"]) == 0
    assert "is finished" in capsys.readouterr().out


@pytest.mark.parametrize(
    "what",
    [
        "tasks",
        "recipes",
        "filters",
        "losses",
        "backbones",
        "damage",
        "pictures",
        "engines",
        "formats",
        "gallery",
        "simulators",
        "solvers",
    ],
)
def test_lists_have_a_meaning_for_every_name(what, capsys):
    assert main(["list", what]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert re.match(r"\S+\s+\S+|\s+\S+", line)


@pytest.mark.parametrize(("name", "former"), [("damage", "wounds"), ("formats", "origins")])
def test_a_list_is_found_by_its_former_name_too(name, former, capsys):
    assert main(["list", name]) == 0
    said = capsys.readouterr().out
    assert main(["list", former]) == 0
    assert capsys.readouterr().out == said
    assert main(["list", "--help"]) == 0
    assert former not in capsys.readouterr().out


def test_filters_say_how_to_reach_farther(capsys):
    assert main(["list", "filters"]) == 0
    assert "sobel@2" in capsys.readouterr().out


def test_help_names_the_verbs_and_every_setting(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(verb in said for verb in ("train", "run", "show", "list", "bench"))
    assert main(["train", "grow", "--help"]) == 0
    said = capsys.readouterr().out
    for setting in ("--picture", "--rule.fire_rate", "--train.lr", "--resume", "--damage_from"):
        assert setting in said
    assert main(["--version"]) == 0
    assert planaria.__version__ in capsys.readouterr().out


def test_a_warning_is_one_plain_line(tmp_path, capsys):
    words = ["train", "grow", *WORDS, "train.steps=1", "rule.filters=identity,mean", "--runs", str(tmp_path)]
    assert main(words) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "symmetric" in line]
    assert len(said) == 1
    assert said[0].startswith("warning: filters identity, mean: all symmetric")


@pytest.mark.parametrize("recipe", sorted(shipped()))
def test_every_shipped_recipe_trains(recipe, tmp_path):
    small = ["train.steps=1", "train.rollout=2,3", "train.pool=8", "train.batch=6", "size=8"]
    film = find(recipe).task == "video"
    small += ["frames=sim:life", "count=12", "clips=1", "context=2"] if film else ["padding=2"]
    assert main(["train", recipe, *small, "--runs", str(tmp_path)]) == 0


def test_a_shared_target_trains(shared, tmp_path):
    words = [f"picture={shared / 'data/targets/chest.png'}", *WORDS[1:], "train.steps=1", "--runs", str(tmp_path)]
    assert main(["train", "grow", *words]) == 0
    assert json.loads((tmp_path / "chest" / "metrics.jsonl").read_text().splitlines()[0])["step"] == 1
    with Image.open(tmp_path / "chest" / "target.png") as image:
        assert np.asarray(image)[6, 6, 3] == 255


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "planaria", "--version"], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == f"planaria {planaria.__version__}"


def test_an_error_holds_no_codes_that_a_terminal_obeys(refused, tmp_path):
    (tmp_path / "a\x1b]0;owned\x07").write_bytes(b"no model at all")
    assert "a?]0;owned?: not a .safetensors file" in refused("show", "a\x1b]0;owned\x07")


def test_half_a_gigabyte_is_not_fetched_in_silence(monkeypatch, capsys):
    shown, painter = [], Recipe("style", {}, "", "")

    class Bar(Progress):
        def update(self, task_id, **values):
            shown.append((self.tasks[0].description, values))

    def find(name, published, *, progress):
        progress(1_000_000, published.bytes)
        raise UserError("no network")

    monkeypatch.setattr(cli, "Progress", Bar)
    monkeypatch.setattr(backbones, "find", find)
    with pytest.raises(UserError, match="no network"):
        cli._fetch(painter, style.Config(backbone="squeezenet"))
    assert shown == [("fetching squeezenet", {"completed": 1_000_000, "total": 5_000_000, "visible": True})]
    cli._fetch(painter, style.Config(backbone="squeezenet", backbone_path="mine.pth"))
    cli._fetch(Recipe("grow", {}, "", ""), grow.Config())
    assert len(shown) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [(), ("memory ended in 40 steps",)])
def test_memory_that_ends_is_one_line(monkeypatch, capsys, words):
    def ended(*_: object) -> int:
        raise MemoryError(*words)

    monkeypatch.setattr("planaria.cli._call", ended)
    assert main(["list", "tasks"]) == 2
    said = capsys.readouterr().err
    assert said == f"planaria: {words[0] if words else 'memory ended; a smaller grid, batch or picture takes less'}\n"


def test_a_training_without_the_kernel_says_what_it_lacks(monkeypatch):
    assert native.lacking(torch.device("cuda")) == ""
    monkeypatch.setattr(native, "kernel", None)
    assert "g++ python3-dev" in native.lacking(torch.device("cpu"))
    assert native.lacking(torch.device("cuda")) == ""
