"""One model, one file: what goes in comes out, and what is no model does no harm."""

import errno
import json
import os
import pickle
import random
import stat
import struct
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from helpers.rules import rule

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError
from planaria.store.cards import Card

LAYOUT = Layout(4, 3, hidden=1, frozen=1)
CARD = {"name": "Эхо 🦎", "grid": [24, 30], "config": {"picture": "a\nb"}, "figures": {"mse": 1e-05}, "none": None}


@pytest.fixture
def path(tmp_path) -> Path:
    """A sound model."""
    path = tmp_path / "a.safetensors"
    store.save(path, rule(hidden=(8, 3), bias="all", frozen=1, filters=("identity", "sobel")).float(), LAYOUT, CARD)
    return path


def parts(data: bytes) -> tuple[dict, bytes]:
    """The JSON header of a `.safetensors` file, and the weights behind it."""
    n = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + n]), data[8 + n :]


def joined(header: dict, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def with_settings(path: Path, **settings: object) -> None:
    """Change planaria's part of a model's header."""
    header, body = parts(path.read_bytes())
    ours = json.loads(header["__metadata__"]["planaria"]) | settings
    header["__metadata__"]["planaria"] = json.dumps(ours)
    path.write_bytes(joined(header, body))


def refused(path: Path) -> str:
    """The one line that says why a file is no model."""
    with pytest.raises(UserError) as error:
        store.load(path)
    line = str(error.value)
    assert len(line.splitlines()) == 1
    return line


@pytest.mark.parametrize("bias", ["none", "hidden", "all"])
@pytest.mark.parametrize("hidden", [(), (8, 3)])
def test_round_trip_to_the_bit(tmp_path, bias, hidden):
    r = rule(hidden=hidden, bias=bias, frozen=1, filters=("mean", "learned"), dt=0.3, edge="circular").float()
    layout = Layout(3, None, hidden=2, frozen=1, offset=0.5)
    store.save(tmp_path / "a.safetensors", r, layout, CARD)
    back, seen = store.load(str(tmp_path / "a.safetensors"))
    assert back.config == r.config
    assert seen == layout
    assert store.card(tmp_path / "a.safetensors") == CARD
    assert [n for n, _ in back.named_parameters()] == [n for n, _ in r.named_parameters()]
    for p, q in zip(back.parameters(), r.parameters(), strict=True):
        assert p.dtype == torch.float32
        assert torch.equal(p, q)
        assert not p.requires_grad
    assert not back.training
    x = torch.rand(1, 6, 5, 5)
    assert torch.equal(back(x, 3, seed=4), r(x, 3, seed=4))


def test_the_same_model_is_the_same_bytes(tmp_path, path):
    r, layout = store.load(path)
    for name, card in (("b", CARD), ("c", dict(reversed(CARD.items())))):
        store.save(tmp_path / name, r, layout, card)
        assert (tmp_path / name).read_bytes() == path.read_bytes()


def test_weights_in_other_precision_are_read(path):
    header, _ = parts(path.read_bytes())
    tensors = safetensors.torch.load_file(path)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        safetensors.torch.save_file({k: v.to(dtype) for k, v in tensors.items()}, path, header["__metadata__"])
        r, _ = store.load(path)
        torch.testing.assert_close(r.weights[0], tensors["weights.0"], atol=1e-2, rtol=1e-2)
        assert r.weights[0].dtype == torch.float32


def test_a_run_folder_stands_for_its_model(tmp_path, path):
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    with pytest.raises(UserError, match=r"^no model '.*runs/a/model.safetensors'$"):
        store.load(folder)
    (folder / "model.safetensors").write_bytes(path.read_bytes())
    assert torch.equal(store.load(folder)[0].weights[0], store.load(path)[0].weights[0])
    assert store.card(folder) == CARD
    assert store.trained_size(folder) == (24, 30)


@pytest.mark.parametrize("grid", [None, 5, [], [5], [5, 0], [5, 20_000], ["5", "5"], [5.0, 5.0], [1, 2, 3]])
def test_the_size_it_was_trained_at_is_believed_only_where_it_makes_sense(path, grid):
    with_settings(path, card={"grid": grid})
    assert store.trained_size(path) == (72, 72)


def test_no_model_there(tmp_path):
    for name in ("none.safetensors", "a\0b", "a.txt/b"):
        assert refused(tmp_path / name).startswith("no model '")
    assert refused(tmp_path / ("a" * 5000)).endswith("File name too long")
    assert refused(Path(os.devnull)).startswith("no model '")  # reading what is no file might never end


@pytest.mark.parametrize("start", [b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"])
def test_a_header_of_any_length_is_no_pickle(tmp_path, start):
    """A length of 896 is b"\x80\x03...", and one of 19280 is b"PK...": the beginnings of pickles."""
    path = tmp_path / "a.safetensors"
    r, layout = Rule(RuleConfig(channels=4, hidden=(1,))), Layout(hidden=0)
    store.save(path, r, layout, {"words": ""})
    spare = int.from_bytes(start, "little") - int.from_bytes(path.read_bytes()[:8], "little")
    store.save(path, r, layout, {"words": "x" * spare})
    assert path.read_bytes()[:2] == start
    assert store.load(path)[0].config == r.config


@pytest.mark.parametrize("share", range(20))
def test_cut_short(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * share // 20])
    assert "a.safetensors: " in refused(path)
    with pytest.raises(UserError):
        store.read_tensors(path)


def test_something_behind_it(path):
    path.write_bytes(path.read_bytes() + b"\0")
    assert "truncated or damaged" in refused(path)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 100, 10_000])
def test_garbage(path, n):
    for seed in range(5):
        path.write_bytes(random.Random(seed).randbytes(n))
        assert "a.safetensors: " in refused(path)
    path.write_bytes((n).to_bytes(8, "little") + b"{" * n)
    assert "a.safetensors: " in refused(path)


def test_any_change_of_the_header_is_harmless(path):
    """A bit or a byte changed at random: a model all the same, or one clear line."""
    rng, good = random.Random(0), path.read_bytes()
    n = int.from_bytes(good[:8], "little")
    loaded, lines = 0, []
    for _ in range(400):
        bad = bytearray(good)
        place = rng.randrange(8) if rng.random() < 0.1 else rng.randrange(8, 8 + n)
        bad[place] ^= rng.choice([1 << rng.randrange(8), rng.randrange(1, 256)])
        path.write_bytes(bad)
        try:
            r, layout = store.load(path)
            assert r.config.channels == layout.channels
            assert isinstance(store.card(path), Card)
            loaded += 1
        except UserError as error:
            lines.append(str(error))
    assert all(len(line.splitlines()) == 1 for line in lines)
    assert loaded > 10
    assert len(lines) > 100


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_never_opened(tmp_path, path, protocol):
    sprung = tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung), protocol)
    path.write_bytes(trap)
    assert "a pickle could run code, so planaria never opens one" in refused(path)
    for read in (store.card, store.trained_size, store.read_header, store.read_tensors):
        with pytest.raises(UserError, match="pickle"):
            read(path)
    assert not sprung.exists()
    pickle.loads(trap)  # noqa: S301
    assert sprung.exists(), "a trap that does not spring proves nothing"


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_pickles_are_not_opened_either(tmp_path, path, protocol):
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol))
    assert "not a .safetensors file" in refused(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves_is_a_pickle(tmp_path, zipped):
    path = tmp_path / "a.pt"
    torch.save(rule().state_dict(), path, _use_new_zipfile_serialization=zipped)
    assert "a.pt: a pickle could run code" in refused(path)


def test_weights_of_others(path):
    safetensors.torch.save_file({"a": torch.ones(3)}, path)
    assert "holds weights but no planaria settings, so it isn't a planaria model" in refused(path)
    safetensors.torch.save_file({"a": torch.ones(3)}, path, {"format": "pt"})
    assert "no planaria settings" in refused(path)


@pytest.mark.parametrize("text", ["", "{", "nonsense", "[" * 100_000, '{"a": ' * 50_000, "1" * 5000])
def test_a_header_that_is_no_json(path, text):
    safetensors.torch.save_file({"a": torch.ones(3)}, path, {"planaria": text})
    assert "damaged: its header can't be read" in refused(path)


@pytest.mark.parametrize("text", ["5", "[]", "null", "{}", '{"format": "1"}', '{"format": 1.5}'])
def test_a_header_that_names_no_format(path, text):
    safetensors.torch.save_file({"a": torch.ones(3)}, path, {"planaria": text})
    assert "damaged: its header names no format" in refused(path)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"format": store.FORMAT + 1}, "written by a newer planaria (format 2); please update"),
        ({"rule": 7}, "damaged: its header has no [rule]"),
        ({"rule": None}, "damaged: its header has no [rule]"),
        ({"layout": []}, "damaged: its header has no [layout]"),
        ({"rule": {"chanels": 6}}, "a.safetensors [rule]: 'chanels'; have"),
        ({"rule": {"channels": 10**400}}, "rule.channels must be in 1..4096"),
        ({"rule": {"channels": 1e400}}, "channels can't be inf"),
        ({"rule": {"hidden": [[1]]}}, "hidden can't be [1]"),
        ({"rule": {"hidden": [1] * 100_000}}, "hidden takes at most 256 values, got 100000"),
        ({"rule": {"filters": ["sobel"] * 100_000}}, "filters takes at most 256 values"),
        ({"rule": {"dt": float("nan")}}, "rule.dt must be a finite number, got nan"),
        ({"rule": {"activation": "import os"}}, 'Invalid value "import os" for [activation]'),
        ({"rule": {}}, "damaged: the layout has 6 channels, the rule 16"),
        ({"layout": {"hidden": 1}}, "damaged: the layout has 5 channels, the rule 6"),
        ({"layout": {"alpha": 77}}, "layout.alpha is 77"),
        ({"layout": {"visible": 9}}, "layout.visible must be"),
    ],
)
def test_settings_that_make_no_model(path, settings, says):
    with_settings(path, **settings)
    assert says in refused(path)


@pytest.mark.parametrize(
    "settings",
    [{"hidden": [65536] * 16}, {"hidden": [8]}, {"hidden": [8, 4]}, {"cond": 65536}, {"bias": "none"}, {"frozen": 2}],
)
def test_weights_that_do_not_fit_are_refused_before_memory_is_taken(path, monkeypatch, settings):
    header, _ = parts(path.read_bytes())
    with_settings(path, rule=json.loads(header["__metadata__"]["planaria"])["rule"] | settings)

    def built(config: RuleConfig) -> Rule:
        pytest.fail("built")

    monkeypatch.setattr(store, "Rule", built)
    assert "damaged: weights don't fit the settings in its header, first at " in refused(path)


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.complex64, torch.float8_e4m3fn])
def test_weights_that_are_no_floating_point(path, dtype):
    header, _ = parts(path.read_bytes())
    tensors = safetensors.torch.load_file(path)
    tensors["weights.1"] = tensors["weights.1"].to(dtype)
    safetensors.torch.save_file(tensors, path, header["__metadata__"])
    assert "damaged: weights.1 holds no real numbers in floating point" in refused(path)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", ["weights.1", "biases.0"])
def test_weights_that_are_no_numbers(path, name, value):
    header, _ = parts(path.read_bytes())
    tensors = safetensors.torch.load_file(path)
    tensors[name].view(-1)[1] = value
    safetensors.torch.save_file(tensors, path, header["__metadata__"])
    assert "damaged: some weights are not numbers" in refused(path)


def test_a_card_must_be_json(tmp_path):
    for card in ({"mse": float("nan")}, {"path": tmp_path}):
        with pytest.raises((ValueError, TypeError)):
            store.save(tmp_path / "a.safetensors", rule(), Layout(hidden=2), card)
        assert list(tmp_path.iterdir()) == []


def test_tensors_and_a_header(tmp_path):
    path = tmp_path / "a"
    tensors = {"a": torch.arange(6).view(2, 3), "b.c": torch.rand(2, 0), "d": torch.tensor(True)}
    store.write_tensors(path, tensors, {"format": 1, "b": [1, None], "a": 0.1})
    assert store.read_header(path) == {"format": 1, "b": [1, None], "a": 0.1}
    back = store.read_tensors(path)
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[k], v) and back[k].dtype == v.dtype for k, v in tensors.items())


def test_folders_are_made_on_the_way(tmp_path):
    store.write_bytes(str(tmp_path / "a" / "b" / "c"), b"new")
    assert (tmp_path / "a/b/c").read_bytes() == b"new"
    assert [p.name for p in (tmp_path / "a/b").iterdir()] == ["c"]


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"^can't write .*a.safetensors: No space left on device; what was there is"):
        store.save(path, rule(), Layout(hidden=2))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_rename_leaves_what_was_there(tmp_path):
    (tmp_path / "a" / "inside").mkdir(parents=True)
    with pytest.raises(UserError, match=r"^can't write .*/a: "):
        store.write_bytes(tmp_path / "a", b"new")
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "inside"]


def test_the_new_content_is_on_the_disk_before_it_has_the_name(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    seen = []

    def sync(handle: int) -> None:
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        seen.append((folder, path.read_bytes()))
        if folder:
            raise OSError(errno.EINVAL, "this file system syncs no folders")

    monkeypatch.setattr(os, "fsync", sync)
    store.write_bytes(path, b"new")
    assert seen[0] == (False, b"old")
    assert path.read_bytes() == b"new"
    if hasattr(os, "O_DIRECTORY"):
        assert seen[1:] == [(True, b"new")]


@pytest.mark.skipif(sys.platform != "linux", reason="a place where not even root may write")
@pytest.mark.parametrize("place", ["/proc/planaria/a.safetensors", "/proc/a.safetensors", "/dev/null/a.safetensors"])
def test_a_place_where_nothing_can_be_written(place):
    with pytest.raises(UserError, match=rf"^can't write {place}: .*; what was there is untouched$"):
        store.save(place, rule(), Layout(hidden=2))


@pytest.mark.parametrize("odd", ['{"name": "\\ud800"}', '{"figures": {"mse": NaN}}', '{"trained": 1e999}'])
def test_a_card_that_nobody_could_write_again(path, odd):
    safetensors.torch.save_file({"a": torch.ones(3)}, path, {"planaria": f'{{"format": 1, "card": {odd}}}'})
    with pytest.raises(UserError, match="damaged: its card holds"):
        store.card(path)


@pytest.mark.parametrize(
    ("part", "wrong", "says"),
    [("rule", {"filters": ["sobbel"]}, "unknown filter 'sobbel'"), ("rule", {"channels": 10**9}, "must be in 1..4096"),
     ("layout", {"kind": "x"}, "layout")],
)  # fmt: skip
def test_settings_in_a_header_that_make_no_rule_name_the_file(tmp_path, part, wrong, says):
    path = tmp_path / "a.safetensors"
    store.save(path, Rule(), Layout())
    header = store.read_header(path)
    store.write_tensors(path, store.read_tensors(path), {**header, part: {**header[part], **wrong}})
    with pytest.raises(UserError, match=f"{path}.*{says}") as error:
        store.load(path)
    assert len(str(error.value).splitlines()) == 1
