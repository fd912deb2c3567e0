"""ClipLoss pulls pictures towards what prompts say, and away from what they say with a negative weight."""

import json
import math
import os

import pytest
import torch
import torch.nn.functional as F
from helpers import tiny_clip
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

from planaria.errors import UserError
from planaria.losses.clip import load_clip
from planaria.losses.clip_loss import FARTHEST, ClipLoss, Head, load_head, spherical, turned

CPU = torch.device("cpu")


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_spherical_is_half_the_squared_angle():
    angle = torch.linspace(0, math.pi, 9)
    a, b = torch.tensor([1.0, 0.0]), torch.stack([angle.cos(), angle.sin()], 1)
    assert_close(spherical(a, b), angle.square() / 2, atol=0.01, rtol=0)
    assert spherical(a, -a) == pytest.approx(FARTHEST, abs=0.01)


def test_spherical_has_a_gradient_everywhere():
    for b in (torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.0]), torch.tensor([0.6, 0.8])):
        a = torch.tensor([1.0, 0.0]).requires_grad_()
        spherical(a, b).backward()
        assert a.grad is not None
        assert a.grad.isfinite().all()


def test_turned_is_one_less_the_cosine_but_for_no_change():
    wanted, other = unit(8), unit(8, seed=1)
    assert turned(wanted * 3, wanted * 0.1) == pytest.approx(0, abs=1e-3)
    assert turned(-wanted * 3, wanted) == pytest.approx(2, abs=1e-3)
    assert turned(other * 9, wanted) == pytest.approx(1 - float(other @ wanted), abs=1e-3)
    still = torch.zeros(8).requires_grad_()
    turned(still, wanted).backward()
    assert still.grad is not None
    assert still.grad.norm() == pytest.approx(20, rel=0.01)
    assert turned(wanted, torch.zeros(8)) == 1


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_an_aesthetic_head_from_a_file(tmp_path, suffix):
    path, weight, bias = tmp_path / f"head{suffix}", torch.randn(1, 8), torch.tensor([0.5])
    if suffix == ".json":
        path.write_text(json.dumps({"weight": weight.tolist(), "bias": 0.5}))
    else:
        save_file({"weight": weight, "bias": bias}, path)
    head = load_head(path, 8, CPU)
    seen = unit(4, 3, 8)
    assert_close(head(seen), seen @ weight[0] + 0.5)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("none.json", None, "No such file"), ("a.json", "{", "no aesthetic head"), ("a.json", "[]", "8 finite numbers"),
        ("a.json", '{"weight": [1, 2]}', "8 finite numbers"), ("a.json", '{"weight": "x"}', "no aesthetic head"),
        ("a.json", '{"weight": [1, 2, 3, 4, 5, 6, 7, NaN]}', "8 finite"), ("a.safetensors", "nothing", "no aesthetic"),
        ("a.json", '{"weight": [1, 2, 3, 4, 5, 6, 7, 8], "bias": [1, 2]}', "a bias of one"),
        ("a.pth", "cos\nsystem\n.", "no aesthetic head"), ("a.json", " " * 1_000_001, "too large"),
    ],
)  # fmt: skip
def test_what_is_no_head(tmp_path, name, text, why):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=why):
        load_head(tmp_path / name, 8, CPU)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("name", ["a.json", "a.safetensors"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="not a regular file"):
        load_head(tmp_path / name, 4, torch.device("cpu"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    with tiny_clip.offline():
        yield load_clip(str(tiny_clip.trained(tmp_path_factory.getbasetemp())))


@pytest.fixture(scope="module")
def photos():
    return torch.stack([tiny_clip.ground(torch.Generator().manual_seed(k), 48) for k in range(3)])


def mixed(photos: Tensor, colour: str, share: float = 0.5) -> Tensor:
    return photos * (1 - share) + share * torch.tensor(tiny_clip.COLOURS[colour])[:, None, None]


@pytest.mark.long
@pytest.mark.parametrize("directional", [False, True])
def test_what_the_prompt_says_is_nearer(clip, photos, directional):
    origins = clip.text(["a photo"]) if directional else None
    guide = ClipLoss(clip, clip.text(["red"]), [1], origins=origins)
    terms = {colour: guide(mixed(photos, colour), photos, 5)["text"] for colour in ("red", "blue", "green")}
    assert terms["red"].shape == (3,)
    assert (terms["red"] < 0.7 * torch.minimum(terms["blue"], terms["green"])).all()
    assert min(float(v.min()) for v in terms.values()) >= 0
    away = ClipLoss(clip, clip.text(["red"]), [-1], origins=origins)
    most = 2 if directional else FARTHEST
    assert_close(away(mixed(photos, "red"), photos, 5)["text"], most - terms["red"])


@pytest.mark.long
def test_prompts_count_by_their_weights(clip, photos):
    aims = clip.text(["red", "blue"])
    one, two, both = (
        ClipLoss(clip, a, w)(photos, photos, 5)["text"]
        for a, w in ((aims[:1], [7]), (aims[1:], [1]), (aims, [3, 1]))
    )  # fmt: skip
    assert_close(both, (3 * one + two) / 4)
    assert not torch.equal(one, two)


@pytest.mark.long
@pytest.mark.parametrize("directional", [False, True])
def test_pixels_follow_it(clip, photos, directional):
    """Descent on the pixels themselves, from the photo itself, makes it redder or bluer as the prompt says."""
    ends = {}
    for colour in ("red", "blue"):
        origins = clip.text(["a photo"]) if directional else None
        guide = ClipLoss(clip, clip.text([colour]), [1], origins=origins)
        rgb = photos.clone().requires_grad_()
        adam = torch.optim.Adam([rgb], 0.01)
        for k in range(40):
            adam.zero_grad()
            guide(rgb, photos, k)["text"].sum().backward()
            adam.step()
        ends[colour] = (rgb[:, 0] - rgb[:, 2]).detach().mean((1, 2))
        assert (guide(rgb.detach(), photos, 99)["text"] < 0.8 * guide(photos, photos, 99)["text"]).all()
    assert (ends["red"] > ends["blue"] + 0.06).all()


@pytest.mark.long
def test_a_head_says_how_far_the_goal_is(clip, photos):
    head = Head(4 * clip.text(["yellow"]), torch.tensor([1.0]))
    guide = ClipLoss(clip, clip.text(["red"]), [1], head=head, goal=5)
    gold, blue = (guide(mixed(photos, c), photos, 5)["aesthetic"] for c in ("yellow", "blue"))
    assert gold.shape == (3,)
    assert (gold < blue - 1).all()
    low = ClipLoss(clip, clip.text(["red"]), [1], head=head, goal=-5)
    assert low(photos, photos, 5)["aesthetic"].abs().max() == 0
