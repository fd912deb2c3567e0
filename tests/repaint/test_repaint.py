"""Photos and films repainted: what is carried from frame to frame, what begins anew, and what is refused."""

import pytest
import torch
from helpers import films
from helpers.painters import follower, painter, save, scene, weaver
from PIL import Image
from torch.testing import assert_close

import planaria
from planaria.errors import UserError
from planaria.living import find
from planaria.repaint import Cuts, check, repaint, repaint_film
from planaria.repaint.files import picture_of, planes_of


def test_a_photo_becomes_what_the_rule_makes_of_it():
    photo = scene().float() / 255
    seen = repaint(follower(0.5), photo, 5)
    assert_close(seen, (1 - photo) + (2 * photo - 1) / 32, rtol=0, atol=1e-5)
    assert repaint(follower(), scene(), 2).dtype == torch.uint8
    assert torch.equal(repaint(follower(), scene(), 0), scene())


def test_watch_hears_of_every_step():
    heard = []

    def watch(steps):
        for k in steps:
            yield k
            heard.append(k)

    repaint(follower(), scene(), 4, watch=watch)
    assert heard == [0, 1, 2, 3]


def test_a_seed_is_a_picture():
    made = painter(fire_rate=0.5)
    a, b, c = (repaint(made, scene(), 3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def moving(n: int = 5) -> list[torch.Tensor]:
    wide = scene(20, 40).float() / 255
    return [wide[:, :, k : k + 20] for k in range(n)]


def test_the_state_is_carried_from_frame_to_frame():
    frames = moving()
    shown = list(repaint_film(follower(0.25), frames, steps=6, frame_steps=2, follow=False))
    want = frames[0] * 0.75**6 + (1 - frames[0]) * (1 - 0.75**6)
    assert_close(shown[0], want, rtol=0, atol=1e-5)
    for frame, seen in zip(frames[1:], shown[1:], strict=True):
        want = want * 0.75**2 + (1 - frame) * (1 - 0.75**2)
        assert_close(seen, want, rtol=0, atol=1e-5)


def test_restart_forgets_every_frame():
    frames = moving()
    made = painter(fire_rate=0.5)
    shown = list(repaint_film(made, frames, steps=5, frame_steps=2, restart=True, seed=3))
    for frame, seen in zip(frames, shown, strict=True):
        assert torch.equal(seen, repaint(made, frame, 5, seed=3))
    carried = list(repaint_film(made, frames, steps=5, frame_steps=2, seed=3))
    assert torch.equal(carried[0], shown[0])
    assert not torch.equal(carried[1], shown[1])


def test_steps_go_on_counting_so_that_luck_changes():
    frames = moving(1) * 3
    made = painter(fire_rate=0.5)
    shown = list(repaint_film(made, frames, steps=5, frame_steps=2))
    assert torch.equal(shown[2], repaint(made, frames[0], 9))


def test_a_cut_begins_anew():
    here, there = moving(4), [1 - frame for frame in moving(3)]
    shown = list(repaint_film(follower(0.25), [*here, *there], steps=6, frame_steps=2))
    assert_close(shown[4], repaint(follower(0.25), there[0], 6), rtol=0, atol=1e-5)
    kept = list(repaint_film(follower(0.25), here, steps=6, frame_steps=2))
    assert_close(torch.stack(shown[:4]), torch.stack(kept))


@pytest.mark.parametrize("kind", [torch.float32, torch.uint8])
def test_cuts_are_told_from_motion_noise_and_quick_turns(kind):
    def told(frames):
        cuts = Cuts()
        return [cuts.between((f * 255).byte() if kind == torch.uint8 else f) for f in frames]

    rng = torch.Generator().manual_seed(0)
    wide = scene(60, 400, seed=1).float() / 255
    pan = [wide[:, :, 3 * k : 3 * k + 90] for k in range(20)]
    assert told(pan) == [True] + [False] * 19
    assert told([f + 0.3 * torch.rand(f.shape, generator=rng) for f in pan]) == [True] + [False] * 19
    stripes = (torch.arange(400) // 40 % 2).float().expand(3, 60, -1)
    turn = [stripes[:, :, 20 * k : 20 * k + 90] for k in range(12)]  # all is new in every other frame
    assert sum(told(turn)) <= 3
    dark = [f * 0.2 for f in pan]
    assert told([*pan[:5], *dark[:5], *pan[5:9]]) == [True, *[False] * 4, True, *[False] * 4, True, *[False] * 3]
    flash = [*pan[:5], 1 - pan[5] * 0.2, *pan[6:10]]
    assert told(flash) == [True, *[False] * 4, True, True, *[False] * 3]
    fade = [torch.lerp(pan[0], dark[0], k / 20) for k in range(21)]
    assert told(fade) == [True] + [False] * 20


def test_what_repaints_nothing_is_refused(tmp_path):
    films.save(tmp_path / "drift.safetensors")
    for name, why in (
        ("lizard", "grows from a seed"),
        (str(tmp_path / "drift.safetensors"), "goes on with a video"),
        ("sim:life", "is a simulator"),
    ):
        with pytest.raises(UserError, match=f"{name}' {why}.*planaria run {name}"):
            check(find(name), name)
    for made, task in ((follower(), "style"), (weaver(), "texture")):
        path = save(tmp_path / f"{task}.safetensors", made, task)
        check(find(path), str(path))


def test_a_model_repaints_what_it_is_given(tmp_path):
    path = save(tmp_path / "style.safetensors", painter(spread=0.08))
    photo = tmp_path / "photo.png"
    picture_of(scene(12, 16)).save(photo)
    model = planaria.load(path)
    seen = model.repaint(photo, 5, seed=2)
    assert torch.equal(planes_of(seen), repaint(model, scene(12, 16), 5, seed=2))
    with Image.open(photo) as image:
        assert model.repaint(image, 5, seed=2).tobytes() == seen.tobytes()
    assert model.repaint(str(photo), 1, size=8).size == (8, 6)
    with pytest.raises(UserError, match="repaint nothing"):
        planaria.load("lizard").repaint(photo)
    with pytest.raises(UserError, match="no picture 'nowhere.png'"):
        model.repaint("nowhere.png")
