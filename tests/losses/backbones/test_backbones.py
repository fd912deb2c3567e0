"""VGG and SqueezeNet have torchvision's names and shapes, read their weights, and answer as convolutions do."""

import math
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from planaria.errors import UserError
from planaria.losses import backbones
from planaria.losses.backbones import squeezenet, vgg
from planaria.losses.backbones.published import MEAN, SPREAD

VGG16 = {
    0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256),
    17: (512, 256), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512),
}  # fmt: skip
VGG19 = {
    0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256),
    16: (256, 256), 19: (512, 256), 21: (512, 512), 23: (512, 512), 25: (512, 512), 28: (512, 512), 30: (512, 512),
    32: (512, 512), 34: (512, 512),
}  # fmt: skip
FIRES = {
    3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128), 9: (256, 48, 192), 10: (384, 48, 192),
    11: (384, 64, 256), 12: (512, 64, 256),
}  # fmt: skip
"""As torchvision has them: index in `features` -> channels out and in; of a fire in, squeezed and expanded."""


def table(name: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every weight that torchvision's network has before its classifier."""
    found: dict[str, tuple[int, ...]] = {}

    def convolution(key: str, out: int, into: int, side: int) -> None:
        found[f"features.{key}.weight"] = (out, into, side, side)
        found[f"features.{key}.bias"] = (out,)

    if name.startswith("vgg"):
        for index, (out, into) in (VGG16 if name == "vgg16" else VGG19).items():
            convolution(f"{index}", out, into, 3)
        return found
    convolution("0", 64, 3, 3)
    for index, (into, few, each) in FIRES.items():
        convolution(f"{index}.squeeze", few, into, 1)
        convolution(f"{index}.expand1x1", each, few, 1)
        convolution(f"{index}.expand3x3", each, few, 3)
    return found


def weights(name: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random ones that neither grow nor vanish, and something of a classifier."""
    rng = torch.Generator().manual_seed(seed)
    found = {}
    for key, shape in table(name).items():
        spread = math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 0.1
        found[key] = spread * torch.randn(shape, generator=rng)
    return found | {"classifier.1.weight": torch.zeros(4, 2), "classifier.1.bias": torch.zeros(4)}


def untrained(name: str) -> nn.Sequential:
    with torch.device("meta"):
        return squeezenet.layers() if name == "squeezenet" else vgg.layers(name)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A weights file of each network, written once."""
    folder = tmp_path_factory.mktemp("weights")
    made = {}
    for name in ("vgg16", "vgg19", "squeezenet"):
        made[name] = folder / f"{name}.pth"
        torch.save(weights(name), made[name], _use_new_zipfile_serialization=False)
    yield made
    for path in made.values():
        path.unlink()


@pytest.fixture
def small(tmp_path):
    """Writes weights of a SqueezeNet, changed."""

    def write(changed: dict[str, torch.Tensor | None], suffix: str = ".pth") -> Path:
        path = tmp_path / f"a{suffix}"
        kept = {key: value for key, value in (weights("squeezenet") | changed).items() if value is not None}
        torch.save(kept, path) if suffix == ".pth" else safetensors.torch.save_file(kept, path)
        return path

    return write


def picture(h: int = 48, w: int = 64, n: int = 2, seed: int = 1) -> torch.Tensor:
    return torch.rand(n, 3, h, w, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("name", "count"), [("vgg16", 14_714_688), ("vgg19", 20_024_384), ("squeezenet", 722_496)])
def test_names_and_shapes_are_torchvisions(name, count):
    state = untrained(name).state_dict()
    assert {f"features.{key}": tuple(value.shape) for key, value in state.items()} == table(name)
    assert list(table(name)) == [f"features.{key}" for key in state]
    assert sum(value.numel() for value in state.values()) == count


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("vgg16", [(64, 48, 64), (128, 24, 32), (256, 12, 16), (512, 6, 8), (512, 3, 4)]),
        ("vgg19", [(64, 48, 64), (128, 24, 32), (256, 12, 16), (512, 6, 8), (512, 3, 4)]),
        ("squeezenet", [(64, 23, 31), (128, 11, 15), (256, 5, 7), (384, 2, 3), (512, 2, 3)]),
    ],
)
def test_maps_go_from_fine_to_coarse_and_nothing_is_written_over(files, name, shapes):
    x = picture()
    backbone = backbones.load(name, path=files[name])
    maps = backbone.features(x)
    assert [tuple(m.shape) for m in maps] == [(2, *shape) for shape in shapes]
    layers = untrained(name)
    state = {key.removeprefix("features."): v for key, v in weights(name).items() if key.startswith("features.")}
    layers.load_state_dict(state, assign=True)
    y = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(SPREAD)[:, None, None]
    taps = squeezenet.TAPS if name == "squeezenet" else vgg.TAPS[name]
    wanted = []
    for index, layer in enumerate(layers):
        y = layer(y)
        wanted += [y.detach().clone()] if index in taps else []
    for found, map_ in zip(maps, wanted, strict=True):
        assert torch.equal(found, map_)
        assert found.min() >= 0  # a ReLU's answer
        assert 0.05 < found.std() < 20
    deep = 7 if name == "squeezenet" else vgg.DEEP[name]
    (content,) = backbone.content(x)
    y = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(SPREAD)[:, None, None]
    assert torch.equal(content, layers[: deep + 1](y))
    if name.startswith("vgg"):
        kinds = [nn.MaxPool2d, nn.Conv2d, nn.ReLU, nn.Conv2d, nn.ReLU]
        assert [type(layer) for layer in layers][deep - 4 : deep + 1] == kinds
        assert content.shape == (2, 512, 6, 8)
        assert all(isinstance(layers[tap], nn.ReLU) for tap in taps)
        assert [isinstance(layers[tap - 2], nn.MaxPool2d) for tap in taps[1:]] == [True] * 4  # the first of its block


def test_a_value_by_hand(tmp_path):
    """Zeros lie beyond the edge of the picture less its mean, as torchvision has it."""
    changed = weights("vgg16")
    changed["features.0.weight"].zero_()
    changed["features.0.weight"][0, 1] = torch.arange(9.0).reshape(3, 3)
    changed["features.0.bias"].fill_(0.25)
    safetensors.torch.save_file(changed, tmp_path / "a.safetensors")
    x = torch.full((1, 3, 16, 16), 0.456)
    x[0, 1, 0, 0], x[0, 1, 1, 1] = 0.456 + 0.224, 0.456 - 2 * 0.224
    first = backbones.load("vgg16", path=tmp_path / "a.safetensors").features(x)[0]
    wanted = [[4.0 - 16 + 0.25, 3 - 14 + 0.25], [1 - 10 + 0.25, 0.25 - 8]]  # the cell's own tap is 4, its kernel turned
    assert_close(first[0, 0, :2, :2], torch.tensor(wanted).relu(), rtol=0, atol=1e-4)
    x[0, 1, 1, 1] = 0.456 + 0.5 * 0.224
    first = backbones.load("vgg16", path=tmp_path / "a.safetensors").features(x)[0]
    wanted = [[4 + 0.5 * 8 + 0.25, 3 + 0.5 * 7 + 0.25], [1 + 0.5 * 5 + 0.25, 0 + 0.5 * 4 + 0.25]]
    assert_close(first[0, 0, :2, :2], torch.tensor(wanted), rtol=0, atol=1e-4)
    assert_close(first[0, 1], torch.full((16, 16), 0.25), rtol=0, atol=0)
    (tmp_path / "a.safetensors").unlink()


def test_a_fire_by_hand():
    fire = squeezenet.layers()[3]
    with torch.no_grad():
        for part in fire.parameters():
            part.zero_()
        fire.squeeze.weight[0, 5], fire.squeeze.bias[0] = 2.0, -1.0
        fire.expand1x1.weight[7, 0], fire.expand3x3.weight[9, 0] = 3.0, 1.0
        x = torch.zeros(1, 64, 3, 3)
        x[0, 5, 1, 1], x[0, 5, 0, 0] = 2.0, 0.25  # squeezed to 3 and, under zero, to nothing
        y = fire(x)
    assert y.shape == (1, 128, 3, 3)
    assert y[0, 7].flatten().tolist() == [0, 0, 0, 0, 9, 0, 0, 0, 0]
    assert y[0, 64 + 9].flatten().tolist() == [3] * 9
    assert y.sum() == 9 + 27


@pytest.mark.parametrize("name", ["vgg16", "squeezenet"])
def test_gradients_reach_the_picture_and_no_weight(files, name):
    backbone = backbones.load(name, path=files[name])
    backbone.layers.double()
    x, way = picture(20, 24).double(), picture(20, 24, seed=2).double() - 0.5
    x.requires_grad_()

    def loss(rgb: torch.Tensor) -> torch.Tensor:
        return torch.stack([m.square().mean() for m in backbone.features(rgb)]).sum()

    loss(x).backward()
    assert x.grad is not None
    step = 1e-6
    slope = (loss(x.detach() + step * way) - loss(x.detach() - step * way)) / (2 * step)
    assert_close((x.grad * way).sum(), slope, rtol=1e-5, atol=0)
    assert (x.grad != 0).flatten(2).any(2).all()
    assert all(part.grad is None and not part.requires_grad for part in backbone.layers.parameters())
    assert not any(layer.training for layer in backbone.layers)
    assert not any(getattr(layer, "inplace", False) for layer in backbone.layers.modules())


@pytest.mark.parametrize(("name", "smallest"), [("vgg16", 16), ("squeezenet", 17)])
def test_pictures_that_are_too_small(files, name, smallest):
    backbone = backbones.load(name, path=files[name])
    assert all(min(m.shape) > 0 for m in backbone.features(picture(smallest, smallest)))
    for look in (backbone.features, backbone.content):
        with pytest.raises(UserError, match=rf"{name} looks at {smallest}x{smallest} cells or more, not at 9x30"):
            look(picture(9, 30))
    with pytest.raises(UserError, match=f"not at 30x{smallest - 1}"):
        backbone.features(picture(30, smallest - 1))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_of_every_form(small, suffix, files):
    x = picture()
    wanted = backbones.load("squeezenet", path=files["squeezenet"]).features(x)
    state = torch.get_rng_state()
    for found, map_ in zip(backbones.load("squeezenet", path=small({}, suffix)).features(x), wanted, strict=True):
        assert torch.equal(found, map_)
    assert torch.equal(torch.get_rng_state(), state)  # no random numbers were drawn for weights that are replaced
    half = {key: value.half() for key, value in weights("squeezenet").items()}
    rough = backbones.load("squeezenet", path=small(half, suffix)).features(x)
    assert rough[0].dtype == torch.float32
    assert_close(rough[-1], wanted[-1], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"features.12.expand3x3.bias": None}, "has no features.12.expand3x3.bias, so these are not the weights of"),
        (
            {"features.0.weight": torch.zeros(64, 1, 3, 3)},
            r"has the shape \(64, 1, 3, 3\), not \(64, 3, 3, 3\): not the",
        ),
        ({"features.0.bias": torch.zeros(10**6)}, r"features.0.bias has the shape \(1000000,\), not \(64,\)"),
        ({"features.13.weight": torch.zeros(2)}, "has 'features.13.weight' too"),
        ({"features.0.bias": torch.zeros(64, dtype=torch.int64)}, "features.0.bias is not in floating point"),
        ({"features.0.bias": torch.full((64,), torch.nan)}, "damaged: features.0.bias holds what are no numbers"),
    ],
)
def test_weights_that_do_not_fit(small, suffix, changed, message):
    path = small(changed, suffix)
    with pytest.raises(UserError, match=message) as error:
        backbones.load("squeezenet", path=path)
    assert str(path) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_one_network_is_not_another(files):
    for name, other in (("vgg16", "vgg19"), ("vgg19", "vgg16"), ("vgg16", "squeezenet"), ("squeezenet", "vgg16")):
        with pytest.raises(UserError, match=f"weights of {name}"):
            backbones.load(name, path=files[other])


def test_files_that_are_broken(small, tmp_path):
    for suffix in (".pth", ".safetensors"):
        path = small({}, suffix)
        data = path.read_bytes()
        for end in (0, 4, 8, 9, 100, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:end])
            with pytest.raises(UserError, match="truncated or damaged|no file that torch.save writes"):
                backbones.load("squeezenet", path=path)
    for path in (tmp_path, tmp_path / "none.pth"):
        with pytest.raises(UserError, match="no weights file"):
            backbones.load("squeezenet", path=path)


def test_what_there_is():
    assert {"filters", "squeezenet", "vgg16", "vgg19"} <= set(backbones.names())
    assert list(backbones.about()) == backbones.names()
    assert all(0 < len(line) < 120 and "\n" not in line for line in backbones.about().values())
    with pytest.raises(UserError, match=r"unknown backbone 'vg16'; have: .*Did you mean 'vgg16'\?"):
        backbones.load("vg16")


def test_filters_need_no_file(monkeypatch):
    monkeypatch.setattr(backbones, "find", pytest.fail)
    x = picture().requires_grad_()
    maps = backbones.load("filters").features(x)
    assert len(maps) > 1
    torch.stack([m.square().mean() for m in maps]).sum().backward()
    assert x.grad is not None
    assert F.relu(x.grad).sum() > 0
