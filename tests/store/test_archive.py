"""Archives of torch give the tensors that torch itself reads from them."""

from collections import OrderedDict

import pytest
import torch
from helpers.archives import Made, Run, flat, pickled, save, streamed
from torch import nn

from planaria.errors import UserError
from planaria.store.archive import open_archive, read_archive
from planaria.store.opcodes import DTYPES

both_forms = pytest.mark.parametrize("new", [True, False], ids=["zip", "stream"])


@both_forms
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_state_dict_is_as_torch_reads_it(tmp_path, new, protocol):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(4, 2))
    path = save(network.state_dict(), tmp_path / "a.pth", new, pickle_protocol=protocol)
    found, wanted = read_archive(path), torch.load(path, weights_only=False)
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        assert torch.equal(found[name], value)
        assert found[name].dtype == value.dtype
        assert found[name].shape == value.shape
    assert open_archive(path).shapes == {name: tuple(value.shape) for name, value in wanted.items()}


@both_forms
def test_every_kind_of_number(tmp_path, new):
    rng = torch.Generator().manual_seed(0)
    tree = {kind: (100 * torch.rand(3, 5, generator=rng)).to(dtype) for kind, dtype in DTYPES.items()}
    found = read_archive(save(tree, tmp_path / "a.pth", new))
    assert all(torch.equal(found[kind], value) and found[kind].dtype == value.dtype for kind, value in tree.items())


@both_forms
def test_views_parts_and_empty_ones(tmp_path, new):
    base = torch.arange(24.0).reshape(4, 6)
    tree = {
        "turned": base.T, "part": base[1:3, ::2], "number": base[2, 3], "none": torch.empty(0, 3), "same": base,
        "parameter": nn.Parameter(base[0]), "one": torch.ones(1, 1).expand(1, 1),
    }  # fmt: skip
    found = read_archive(save(tree, tmp_path / "a.pth", new))
    for name, value in tree.items():
        assert torch.equal(found[name], value.detach())
        assert found[name].is_contiguous()
        assert not found[name].requires_grad


@both_forms
def test_nested_names_are_joined(tmp_path, new):
    one, two = torch.ones(2), torch.zeros(3)
    tree = {
        "state": OrderedDict(a=one),
        "list": [two, {"b": (one, 3, None)}],
        7: two,
        "epoch": 3,
        "name": "x",
        "lr": 0.1,
    }
    found = read_archive(save(tree, tmp_path / "a.pth", new))
    assert list(found) == ["state.a", "list.0", "list.1.b.0", "7"]
    assert list(read_archive(tmp_path / "a.pth", prefix="list.")) == ["list.0", "list.1.b.0"]
    assert torch.equal(read_archive(save(one, tmp_path / "b.pth", new))[""], one)
    assert read_archive(save({"epoch": 3}, tmp_path / "c.pth", new)) == {}


def test_only_what_is_asked_for_is_read(tmp_path):
    path = save({"a": torch.ones(7), "b": torch.ones(7)}, tmp_path / "a.pth", new=False)
    archive = open_archive(path)
    first, _ = sorted("ab", key=lambda name: archive.places[archive.tensors[name].storage.key])
    path.write_bytes(path.read_bytes()[:-28])  # the numbers of the other are gone since
    assert torch.equal(archive.read([first])[first], torch.ones(7))
    with pytest.raises(UserError, match="ends too early"):
        archive.read()


def test_the_first_form_of_tensors(tmp_path):
    """As in the published weights of VGG, which are of 2017."""
    tree = OrderedDict(a=Made(torch._utils._rebuild_tensor, Run(6, rest=(None,)), 0, (2, 3), (3, 1)))
    path = streamed(tmp_path / "a.pth", pickled(tree), {"0": flat()})
    assert torch.equal(read_archive(path)["a"], torch.arange(6.0).reshape(2, 3))
    assert torch.equal(torch.load(path, weights_only=True)["a"], torch.arange(6.0).reshape(2, 3))


def test_views_of_storages(tmp_path):
    tree = {"a": Made(torch._utils._rebuild_tensor, Run(6, rest=(("1", 2, 3),)), 1, (2,), (1,))}
    path = streamed(tmp_path / "a.pth", pickled(tree), {"0": flat()})
    assert read_archive(path)["a"].tolist() == [3, 4]
    tree = {"a": Made(torch._utils._rebuild_tensor, Run(6, rest=(("1", 2, 3),)), 1, (3,), (1,))}
    with pytest.raises(UserError, match=r"'a' of shape \(3,\) is not inside"):
        read_archive(streamed(tmp_path / "a.pth", pickled(tree), {"0": flat()}))


def test_ordered_dicts_of_python_2(tmp_path):
    tensor = pickled(Made(torch._utils._rebuild_tensor, Run(6, rest=(None,)), 0, (2, 3), (3, 1)))[2:-1]
    tree = b"\x80\x02ccollections\nOrderedDict\n]]q\x63(U\x01a" + tensor + b"ea\x85R."
    assert isinstance(torch.load(streamed(tmp_path / "a.pth", tree, {"0": flat()}), weights_only=False), OrderedDict)
    assert read_archive(tmp_path / "a.pth")["a"].shape == (2, 3)


def test_storages_of_other_devices(tmp_path):
    tree = pickled({"a": Made(torch._utils._rebuild_tensor, Run(6, rest=(None,)), 0, (6,), (1,))})
    assert tree.count(b"ctorch\n") == 1
    tree = tree.replace(b"ctorch\n", b"ctorch.cuda\n").replace(b"\x03\0\0\0cpu", b"\x06\0\0\0cuda:0")
    assert read_archive(streamed(tmp_path / "a.pth", tree, {"0": flat()}))["a"].tolist() == [0, 1, 2, 3, 4, 5]
