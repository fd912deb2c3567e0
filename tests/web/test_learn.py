"""The trainer in JavaScript against the one in Python: the same numbers, files and settings."""

import base64
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from planaria import recipes, store
from planaria.config import to_dict
from planaria.core.damage import Damage, cuts, discs, holes
from planaria.core.filters import MEANINGS, bank, reaches
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig, spread
from planaria.export.html import payload
from planaria.losses.pixel import LOSSES
from planaria.tasks import grow
from planaria.training import guardian

HERE = Path(__file__).parent


def ask(name: str, *cases: dict[str, Any]) -> list[Any]:
    """Answers of `learn_answers.mjs` to cases of one kind."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command = [node, str(HERE / "learn_answers.mjs")]
    done = subprocess.run(command, input=json.dumps({name: cases}), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)[name]


def sent(x: Tensor) -> str:
    return base64.b64encode(x.detach().float().contiguous().numpy().tobytes()).decode()


def received(text: str, like: Tensor | None = None) -> Tensor:
    flat = torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy())
    return flat if like is None else flat.view(like.shape)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_random_numbers_are_torch_s_to_the_bit():
    seeds = [0, 1, 5489, 3141592653, 2**32 - 1]
    for seed, (integer, rand, order, uniform, word) in zip(
        seeds, ask("numbers", *({"seed": s} for s in seeds)), strict=True
    ):
        rng = generator(seed)
        assert integer == int(torch.randint(64, 97, (), generator=rng))
        assert torch.equal(received(rand), torch.rand(700, generator=rng))
        assert order == torch.randperm(1024, generator=rng).tolist()
        assert torch.equal(received(uniform), torch.empty(99).uniform_(-0.1767, 0.1767, generator=rng))
        assert word % 1000 == int(torch.randint(0, 1000, (), generator=rng))


@pytest.mark.parametrize("kind", ["disc", "cut", "hole", "mixed", "any"])
def test_damage_in_training_takes_the_same_cells(kind):
    cases = [
        {"kind": kind, "n": n, "size": size, "seed": seed}
        for n, size in ((3, (72, 72)), (2, (24, 25)), (1, (1, 7)), (7, (41, 40)))
        for seed in (11, 3_000_000_007)
    ]
    for case, answer in zip(cases, ask("masks", *cases), strict=True):
        rng, n = generator(case["seed"]), case["n"]
        kinds = torch.stack([make(n, case["size"], rng) for make in grow.CUTTERS[kind]])
        pick = (torch.rand(n, generator=rng) * len(kinds)).long()
        for gone, mask in zip(answer, kinds[pick, torch.arange(n)], strict=True):
            assert gone == "".join(str(int(v)) for v in mask.flatten()), case


def test_every_cutter_draws_what_is_compared():
    assert grow.CUTTERS["any"] == (discs, cuts, holes)


RULES = [
    RuleConfig(),
    RuleConfig(channels=12, hidden=(32, 48), bias="all", filters=("identity", "scharr", "laplacian@3")),
    RuleConfig(hidden=(), bias="none", frozen=3, cond=2, life="none"),
]


def test_first_weights_are_the_rule_s_to_the_bit():
    cases = [{"rule": to_dict(rule), "seed": seed} for rule in RULES for seed in (0, 77)]
    answers = ask("initial", *cases)
    pairs = [(rule, seed) for rule in RULES for seed in (0, 77)]
    for (rule, seed), answer in zip(pairs, answers, strict=True):
        assert torch.equal(received(answer), nn.utils.parameters_to_vector(Rule(rule, seed=seed).parameters()))


def test_filters_and_blurs_are_the_same():
    cases = [{"filters": [f"{name}{at}" for name in MEANINGS]} for at in ("", "@1", "@2", "@16")]
    for case, answer in zip(cases, ask("bank", *cases), strict=True):
        names = tuple(case["filters"])
        assert answer == {
            "kernels": [kernel.flatten().tolist() for kernel in bank(names)],
            "reaches": list(reaches(names)),
        }
    ((first, second),) = ask("spread", {"blurs": ["13@7", "4@15"]})
    for found, (channel, kernel) in zip((first, second), spread(("13@7", "4@15")), strict=True):
        assert found[:2] == [channel, len(kernel)]
        assert found[2] == pytest.approx(kernel.flatten().tolist(), rel=1e-12)


def test_settings_and_recipes_are_the_task_s():
    ((usual, known),) = ask("config", {})
    assert usual == to_dict(grow.Config())
    assert list(usual) == list(to_dict(grow.Config())), "in the same order"
    assert known == {name: to_dict(recipes.find(name).config({})) for name in known}
    assert set(known) == {"classic", "quick", "demo"}


def test_a_picture_is_centred_where_the_seed_can_grow():
    rng = generator(5)
    pictures = []
    for h, w, density in ((9, 9, 0.2), (12, 20, 0.75), (7, 8, 0.02), (16, 16, 0.9)):
        picture = torch.rand(4, h, w, generator=rng)
        picture[3] = (picture[3] < density).float() * picture[0]
        pictures += [(picture, reach) for reach in (0, 2, 5)]
    cases = [{"target": sent(p), "size": p.shape[1:], "reach": reach} for p, reach in pictures]
    for (picture, reach), answer in zip(pictures, ask("centred", *cases), strict=True):
        assert torch.equal(received(answer, picture), grow.centred(picture, reach))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients(name):
    rng = generator(3)
    x = torch.randn(1, 16, 9, 7, generator=rng).requires_grad_()
    target = torch.rand(4, 9, 7, generator=rng)
    loss = LOSSES[name](x[:, :4], target)
    (loss / 8).sum().backward()
    ((value, gradient),) = ask("loss", {"name": name, "x": sent(x), "target": sent(target), "share": 1 / 8})
    assert value == pytest.approx(loss.item(), rel=1e-6)
    assert x.grad is not None
    assert torch.allclose(received(gradient, x), x.grad, rtol=1e-6, atol=0)


@pytest.mark.parametrize("most", [0.0, 0.5])
def test_adam_s_steps(most):
    rng = generator(9)
    weights = nn.Parameter(torch.randn(257, generator=rng))
    gradients = [torch.randn(257, generator=rng) * 10.0 ** (k % 5 - 3) for k in range(40)]
    first = sent(weights)
    adam = torch.optim.Adam([weights], lr=2e-3, betas=(0.9, 0.999))
    for gradient in gradients:
        weights.grad = gradient.clone()
        if most:
            nn.utils.clip_grad_norm_([weights], most)
        else:
            weights.grad /= weights.grad.norm() + 1e-8
        adam.step()
    case = {
        "weights": first,
        "gradients": [sent(g) for g in gradients],
        "lr": 2e-3,
        "betas": [0.9, 0.999],
        "most": most,
    }
    (answer,) = ask("adam", case)
    assert (received(answer) - weights).abs().max() < 1e-6
    assert (received(first) - weights).abs().max() > 1e-2


def test_a_person_s_damage():
    rng = generator(2)
    x = torch.randn(2, 16, 12, 10, generator=rng)
    texts = [
        "left",
        "right",
        "top",
        "bottom",
        "centre",
        "centre(5)",
        "circle(3,4.5,2.5)",
        "speckle",
        "noise",
        "noise(0.1)",
    ]
    where = {"seed": 99, "size": [12, 10], "own": 14, "alpha": 3}
    cases = [{"x": sent(x[k]), "damage": text, "sample": k, **where} for text in texts for k in (0, 1)]
    answers = iter(ask("applied", *cases))
    for text in texts:
        want = Damage.parse(text).apply(x, seed=99, frozen=2, alive=x[:, 3, None] > 0)
        for k in (0, 1):
            assert torch.allclose(received(next(answers), x[k]), want[k], atol=1e-6), text
            assert not torch.equal(want[k], x[k])


def test_the_guardian_sees_the_same_faults():
    layout, usual = Layout(), [0.01 + 0.001 * k for k in range(40)][-guardian.MEMORY :]
    calm = layout.seed(2, 5)
    wild, still = calm.clone(), torch.zeros_like(calm)
    wild[1, 9, 0, 0] = -2e4
    cases = [
        (calm, 0.02, usual), (wild, 0.02, usual), (still, 0.02, usual), (calm, math.nan, usual), (calm, 9.0, usual),
        (calm, 9.0, [*usual[:-2], 8.0, 7.0]), (calm, 9.0, [*usual[:-3], 8.0, 7.0]), (calm, 9.0, []),
    ]  # fmt: skip
    asked = [
        {"x": [sent(s) for s in x], "loss": None if math.isnan(loss) else loss, "recent": recent, "alpha": [75, 100]}
        for x, loss, recent in cases
    ]
    answers = ask("trouble", *asked)
    assert answers == [guardian.trouble(x, loss, recent, layout) for x, loss, recent in cases]
    assert set(answers) == {"", "explosion", "extinction", "jump of the loss"}


def test_files_are_written_as_planaria_writes_them(tmp_path):
    paths = list(store.gallery().values())
    odd = tmp_path / "odd.safetensors"
    tensors = {
        "b": torch.arange(3), "a": torch.ones(2, 0), "flags": torch.tensor([True, False]),
        "wide": torch.ones(1).double(), "z": torch.tensor(5.0), "bytes": torch.ones(1, 1, 1, 3, dtype=torch.uint8),
    }  # fmt: skip
    figures = {"one": 1.0, "small": 1e-5, "tiny": 1.5e-300, "large": 1e16, "long": 123456789012345680.0, "near": 0.0001}
    header = {
        "format": 1,
        "card": {"name": 'é "\\\n\x7f😀', "figures": figures, "trained": 3, "empty": {}, "none": None},
    }
    store.write_tensors(odd, tensors, header)
    for path, answer in zip([odd, *paths], ask("copied", *files([odd, *paths])), strict=True):
        assert base64.b64decode(answer) == path.read_bytes(), path


def files(paths: list[Path]) -> list[dict[str, str]]:
    return [{"file": base64.b64encode(path.read_bytes()).decode()} for path in paths]


def test_models_come_in_as_the_page_takes_them():
    paths = list(store.gallery().values())
    for path, answer in zip(paths, ask("payload", *files(paths)), strict=True):
        want = json.loads(json.dumps(payload(store.read(path))))
        assert answer | {"name": "", "stopped": "", "blurs": []} == want | {"name": "", "stopped": "", "blurs": []}, (
            path
        )


def test_a_link_holds_the_model_in_8_bits():
    models = [store.read(name) for name in store.gallery()]
    models = [model for model in models if model.start is None]
    given = [payload(model) for model in models]
    for model, answer in zip(models, ask("linked", *({"payload": one} for one in given)), strict=True):
        assert answer["rule"] == to_dict(model.rule.config)
        assert answer["layout"] == to_dict(model.layout)
        assert (answer["grid"], answer["task"], answer["name"]) == (list(model.size), model.card.task, model.name)
        for found, want in zip([*answer["weights"], *answer["biases"]], model.rule.parameters(), strict=True):
            assert (received(found, want) - want).abs().max() <= want.abs().max() / 254 * 1.001
