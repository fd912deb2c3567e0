"""A training in JavaScript against the same one in Python: losses, states, files, from one to the other and back."""

import base64
import io
import json
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from web.test_learn import sent

from planaria import store
from planaria.cli import main
from planaria.config import parse, to_dict
from planaria.core.damage import Damage
from planaria.tasks import grow
from planaria.training.dist import Ranks, ranks
from planaria.training.loop import Report, Trainer
from planaria.training.pool import unpack
from planaria.training.session import Session

pytest_plugins = ("helpers.browser",)
pytestmark = pytest.mark.long

HERE = Path(__file__).parent
ASSISTANT = """import { assist } from "/learn/crew.js";
onmessage = ({ data }) => assist(data);"""
IN_BROWSER = """async ({ config, target, grid, iterations, workers }) => {
  const { compile } = await import("/engine/kernel.js");
  const { checkpointFile } = await import("/learn/files.js");
  const { Training } = await import("/learn/training.js");
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const hands = Array.from({ length: workers }, () => new Worker("/assistant.js", { type: "module" }));
  const ports = hands.map((worker) => {
    const { port1, port2 } = new MessageChannel();
    worker.postMessage(port2, [port2]);
    return port1;
  });
  const module = await compile(new Uint8Array(await (await fetch("/engine/kernel.wasm")).arrayBuffer()));
  const given = { target: new Float32Array(bytes(target).buffer), grid, config, name: "test run", ports };
  const training = new Training(module, given);
  for (let k = 0; k < iterations; k++) await training.step();
  const file = checkpointFile(training);
  training.close();
  for (const worker of hands) worker.terminate();
  return btoa(file.reduce((text, byte) => text + String.fromCharCode(byte), ""));
}"""
SMALL = {
    "picture": "heart", "size": 14, "padding": 5, "damage_shape": "any", "damage": 2,
    "train": {"batch": 5, "pool": 12, "rollout": [14, 22], "steps": 60, "seed": 3},
}  # fmt: skip


@dataclass(frozen=True)
class Twin:
    """What a training in JavaScript gave."""

    reports: list[dict[str, Any]]
    damaged: list[int]
    pictures: bytes
    checkpoint: bytes
    model: bytes
    folder: bytes


def settings(**changes: Any) -> grow.Config:
    train = {**SMALL["train"], **changes.pop("train", {})}
    return parse(grow.Config, ({**SMALL, **changes, "train": train}, "the test"))


def trainer(config: grow.Config, place: Ranks) -> Trainer:
    return Trainer(grow.Task(config, place.device), config, place)


def in_python(config: grow.Config, iterations: int) -> list[Report]:
    with ranks("cpu") as place:
        twin = trainer(config, place)
        return [twin.step() for _ in range(iterations)]


def asked(config: grow.Config) -> dict[str, Any]:
    task = grow.Task(config, torch.device("cpu"))
    return {"config": to_dict(config), "target": sent(task.target), "grid": task.size}


def in_javascript(config: grow.Config, *plan: int | str, **more: Any) -> Twin:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command, text = [node, str(HERE / "learn_run.mjs")], json.dumps({**asked(config), "plan": plan, **more})
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    files = {name: base64.b64decode(answer.pop(name)) for name in ("checkpoint", "model", "folder", "pictures")}
    return Twin(answer["reports"], answer["damaged"], **files)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"regime": "persist", "loss": "l1", "damage": 0, "train": {"normalise": False, "clip": 0.5, "warmup": 6}},
        {"regime": "grow", "loss": "manhattan", "damage": 0, "rule": {"life": "none", "bias": "all"}},
        {
            "damage_shape": "cut",
            "padding": 4,
            "rule": {"filters": ["identity", "scharr", "laplacian@2"], "hidden": [24, 20]},
        },
    ],
)
def test_the_first_iterations_have_python_s_losses(changes):
    config = settings(**changes)
    theirs, ours = in_python(config, 10), in_javascript(config, 10).reports
    for one, two in zip(theirs, ours, strict=True):
        assert (one.step, one.lr, one.rollout, one.event) == (two["step"], two["lr"], two["rollout"], two["event"])
        assert two["loss"] == pytest.approx(one.loss, rel=1e-5)


def test_the_guardian_goes_back_as_python_s_does():
    config = settings(train={"lr": 20.0, "normalise": False, "guardian": True})
    theirs, ours = in_python(config, 9), in_javascript(config, 9).reports
    assert [(r.step, r.lr, r.event) for r in theirs] == [(r["step"], r["lr"], r["event"]) for r in ours]
    assert sum(bool(r.event) for r in theirs) >= 3


def test_any_number_of_workers_gives_the_same_bytes():
    config = settings(damage_from=0.03)
    plan = (4, "left", 3)
    alone = in_javascript(config, *plan)
    for workers in (1, 2, 3):
        shared = in_javascript(config, *plan, workers=workers)
        assert shared.reports == alone.reports
        assert shared.checkpoint == alone.checkpoint


def test_a_browser_gives_the_bytes_that_node_gives(page, site):
    config = settings(damage_from=0.03)
    site.put("assistant.js", ASSISTANT)
    page.goto(site.put("blank.html", "<!doctype html><title>blank</title>"))
    there = in_javascript(config, 7).checkpoint
    for workers in (0, 2):
        here = page.evaluate(IN_BROWSER, {**asked(config), "iterations": 7, "workers": workers})
        assert base64.b64decode(here) == there


def test_a_saved_training_goes_on_to_the_bit():
    config = settings()
    plan = (13, 14)
    straight, saved = in_javascript(config, 27), in_javascript(config, plan[0], "restore", plan[1])
    assert saved.reports == straight.reports
    assert saved.checkpoint == straight.checkpoint
    assert saved.model == straight.model


def test_a_person_s_damage_takes_the_same_samples_of_the_pool():
    config, texts = settings(), ("left", "noise(0.2)", "circle(12,12,30)")
    twin = in_javascript(config, 2, *texts)
    with ranks("cpu") as place:
        ours = trainer(config, place)
        for _ in range(2):
            ours.step()
        counts = [ours.damage(Damage.parse(text), k) for k, text in enumerate(texts)]
        tensors, _ = ours.state()
    assert twin.damaged == counts == [3, 3, 0]
    found = store.read_tensors(kept(twin.checkpoint))
    assert torch.equal(found["pool.0.full"], tensors["pool.0.full"])
    assert torch.allclose(found["pool.0.cells"], tensors["pool.0.cells"], atol=1e-4)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def kept(content: bytes, name: str = "file.safetensors") -> Path:
    Path(name).write_bytes(content)
    return Path(name)


def test_planaria_opens_the_model_with_its_card():
    config = settings()
    path = kept(in_javascript(config, 6).model)
    saved = store.read(path)
    assert saved.card.json == {
        "name": "test run", "task": "grow", "trained": 6, "grid": [24, 24], "config": to_dict(config), "figures": {},
    }  # fmt: skip
    assert saved.rule.config == config.rule
    copy = Path("copy.safetensors")
    store.save(copy, saved.rule, saved.layout, saved.card)
    assert copy.read_bytes() == path.read_bytes()


def test_planaria_trains_on_from_the_model(capsys):
    path = kept(in_javascript(settings(), 6).model)
    short = ["train.steps=1", "train.batch=2", "train.pool=2", "train.rollout=4,5"]
    main(["train", "grow", "picture=heart", "size=14", "padding=5", *short, f"train.init={path}"])
    assert "layer 1: 6,144 of 6,144 weights reused" in capsys.readouterr().out
    assert store.card("runs/heart").config.train.init == str(path)


def test_planaria_resumes_the_run_folder():
    config = settings()
    twin = in_javascript(config, 8)
    zipfile.ZipFile(io.BytesIO(twin.folder)).extractall("runs")
    folder = Path("runs") / "test-run"
    straight = in_javascript(config, 14).reports
    with ranks("cpu") as place:
        session = Session(folder, "grow", config, place, resume=True)
        assert session.step == 8
        reports = [report for _, report in zip(range(6), session.run(), strict=False)]
        session.close()
    assert [r.step for r in reports] == list(range(9, 15))
    assert [r.loss for r in reports] == pytest.approx([r["loss"] for r in straight[8:]], rel=1e-4)
    assert [line["step"] for line in session.kept.lines()] == list(range(1, 15))


def test_a_training_goes_on_from_weights():
    config = settings()
    first = kept(in_javascript(config, 6).model)
    flat = torch.cat([p.flatten() for p in store.read(first).rule.parameters()])
    again = in_javascript(settings(train={"lr": 1e-9}), 1, weights=sent(flat))
    after = torch.cat([p.flatten() for p in store.read(kept(again.model)).rule.parameters()])
    assert torch.allclose(flat, after, atol=1e-7)


def test_pictures_of_the_pool_are_straight_rgba():
    twin = in_javascript(settings(), 12)
    tensors = store.read_tensors(kept(twin.checkpoint))
    x = unpack({name: tensors[f"pool.0.{name}"] for name in ("full", "cells", "shape")})
    alpha = x[:, 3:4].clamp(0, 1)
    straight = torch.cat([(x[:, :3] / alpha).clamp(0, 1), alpha], 1).mul(255).permute(0, 2, 3, 1)
    shown = torch.tensor(list(twin.pictures)).view(12, 24, 24, 4)
    lives = alpha[:, 0] > 0
    assert lives.sum() > 500
    assert ((shown - straight).abs()[lives] <= 0.51).all()
    assert not shown[~lives].any()
