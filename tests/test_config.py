"""Settings from everywhere, good and bad, to dataclasses and back."""

import dataclasses
import gc
import os
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from planaria import store, tasks
from planaria.config import (
    YAML_LIMIT,
    Field,
    TrainConfig,
    _own_sentences,
    describe,
    pairs,
    parse,
    read_yaml,
    renamed,
    to_dict,
    write_yaml,
)  # fmt: skip
from planaria.core.layout import Layout
from planaria.core.rule import RuleConfig
from planaria.errors import UserError
from planaria.tasks.grow import Config

CHANGED = {
    "rule": RuleConfig(channels=12, hidden=(90, 7), filters=("identity", "laplacian"), dt=0.5, life="after", cond=2),
    "train": TrainConfig(lr=1e-4, lr_drops=(), betas=(0.5, 0.6), rollout=(3, 3), normalise=False, device="cpu"),
}


def typed(*words: str) -> Config:
    """The config of a person who typed `key=value`."""
    settings, rest = pairs(Config, words)
    assert rest == []
    return parse(Config, (settings, "the command line"))


def written(tmp_path, text: str) -> Config:
    """The config of a person who wrote a file."""
    path = tmp_path / "a.yaml"
    path.write_text(text)
    return parse(Config, (read_yaml(path), str(path)))


def test_former_names_of_settings_work(tmp_path):
    """In a file, typed, as an option, in the card of a model; what is written has the name of today."""
    assert written(tmp_path, "wound: any").damage_shape == "any"
    assert list(read_yaml(tmp_path / "a.yaml")) == ["damage_shape"]
    assert typed("wound=cut") == typed("damage_shape=cut") == Config(damage_shape="cut")
    assert pairs(Config, ["--wound", "any", "--wound=cut", "wound"])[1] == [
        "--damage_shape", "any", "--damage_shape=cut", "wound",
    ]  # fmt: skip
    assert parse(Config, ({"wound": "hole"}, "typed"), ({"damage_shape": "cut"}, "a.yaml")).damage_shape == "hole"
    assert renamed({"damage_shape": "cut", "wound": "any"}) == {"damage_shape": "cut"}
    assert "wound" not in write_yaml(to_dict(Config(damage_shape="any")))
    with pytest.raises(UserError, match=r"damage_shape.*disc"):
        typed("wound=tooth")


@pytest.mark.parametrize("name", sorted(store.gallery()))
def test_settings_of_shipped_models_are_still_settings(name):
    kept = store.card(store.gallery()[name]).config.json
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse(Config, (kept, name)).damage_shape == kept.get("wound", kept.get("damage_shape", "disc"))


@pytest.mark.parametrize("name", tasks.names())
@pytest.mark.parametrize("changes", [{}, CHANGED])
def test_round_trip(tmp_path, name, changes):
    cls = tasks.load(name).Config
    if name == "infect":  # its rule is that of the host
        changes = {"train": changes["train"]} if changes else {}
    elif changes and name != "grow":  # their cells never die
        frozen = cls().rule.frozen
        changes = {**changes, "rule": dataclasses.replace(changes["rule"], life="none", cond=0, frozen=frozen)}
    config = cls(**changes)
    path = tmp_path / "config.yaml"
    path.write_text(write_yaml(to_dict(config)))
    assert parse(cls, (read_yaml(path), str(path))) == config
    assert list(read_yaml(path)) == [f.name for f in dataclasses.fields(cls)]


def test_a_dictionary_holds_only_plain_things():
    found = to_dict(Config(**CHANGED))
    assert found["rule"]["hidden"] == [90, 7]
    assert found["train"]["lr_drops"] == []
    assert found["damage"] is None
    assert to_dict(Config()) == to_dict(parse(Config))


def test_letters_of_any_script_survive(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(write_yaml({"picture": "emoji:🦎", "name": "Привет: #1"}), encoding="utf-8")
    assert "🦎" in path.read_text(encoding="utf-8")
    assert read_yaml(path) == {"picture": "emoji:🦎", "name": "Привет: #1"}


def test_earlier_layers_win_and_typed_ones_over_all():
    first = {"rule": {"hidden": [5]}, "damage": None}
    second = {"rule": {"hidden": [7, 7], "dt": 0.5}, "damage": 2, "train": {"lr": 1}}
    config = parse(Config, (first, "a"), (second, "b"), tokens=["--train.lr", "0.5", "--rule.fire_rate=0.25"])
    assert config.rule == RuleConfig(hidden=(5,), dt=0.5, fire_rate=0.25)
    assert config.damage is None
    assert config.train.lr == 0.5
    assert parse(Config, ({"rule": {"hidden": []}}, "a"), (second, "b")).rule.hidden == ()


def test_dotted_names_stand_for_nested_ones():
    given = {"train.lr": 0.5, "train": {"steps": 7, "lr": 1}, "rule.dt": 0.5, "rule": {"hidden": [5]}}
    config = parse(Config, (given, "a"))
    assert (config.train.lr, config.train.steps, config.rule) == (0.5, 7, RuleConfig(hidden=(5,), dt=0.5))
    assert given["train"] == {"steps": 7, "lr": 1}
    with pytest.raises(UserError, match=r"'train\.stepz'.*Did you mean 'train\.steps'"):
        parse(Config, ({"train.stepz": 5}, "a"))


def test_a_class_may_hold_others_with_defaults_of_its_own():
    @dataclasses.dataclass(frozen=True)
    class Mine:
        train: TrainConfig = TrainConfig(steps=5, batch=2)

    assert parse(Mine, ({"train": {"batch": 3}}, "a")).train == TrainConfig(steps=5, batch=3)


@pytest.mark.parametrize(
    ("word", "hidden"),
    [
        ("rule.hidden=90,90", (90, 90)),
        ("rule.hidden=[90, 90]", (90, 90)),
        ("rule.hidden=(90,90)", (90, 90)),
        ("rule.hidden=90", (90,)),
        ("rule.hidden=", ()),
        ("rule.hidden=[]", ()),
    ],
)
def test_tuples_are_typed_with_commas(word, hidden):
    assert typed(word).rule.hidden == hidden


def test_more_that_can_be_typed():
    assert typed("rule.filters=identity, laplacian").rule.filters == ("identity", "laplacian")
    assert typed("damage=none").damage is None
    assert typed("damage=2").damage == 2
    assert typed("train.lr=1e-3").train.lr == 1e-3
    assert typed("train.normalise=false").train.normalise is False
    assert typed("picture=a=b, c.png").picture == "a=b, c.png"
    assert typed("picture=text:A\nB").picture == "text:A\nB"
    assert typed("train.steps=7", "train.batch=1", "train.steps=8").train == TrainConfig(steps=8, batch=1)


def test_what_is_no_setting_is_left_over():
    words = ["--resume", "size=3", "cat.png", "--train.lr=3", "=4", "Size=3", "a.=3"]
    assert pairs(Config, words) == ({"size": "3"}, [w for w in words if w != "size=3"])


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("train: {lr: 1e-3}", Config(train=TrainConfig(lr=1e-3))),  # which YAML takes for words
        ("train: {lr: 1}", Config(train=TrainConfig(lr=1.0))),
        ("size: 3.0", Config(size=3)),
        ("rule: {hidden: 5}", Config(rule=RuleConfig(hidden=(5,)))),
        ("rule: {hidden: []}", Config(rule=RuleConfig(hidden=()))),
        ("damage: none", Config()),
        ("damage: null", Config()),
        ("picture: 5", Config(picture="5")),
        ("", Config()),
        ("# a comment\n", Config()),
    ],
)
def test_what_files_may_say(tmp_path, text, want):
    assert written(tmp_path, text) == want


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "sise: 3",
            r"unknown setting in .*a.yaml: 'sise'; have: background, certificate, damage, .*Did you mean 'size'\?",
        ),
        ("train: {stesp: 4}", r"a.yaml: 'train.stesp'; have: train.batch, .*Did you mean 'train.steps'\?"),
        ("1: 2", "a.yaml: '1'; have"),
        ("train: {lr: fast}", r'Invalid value for \[train\]\[lr\] from .*a.yaml: unable to convert "fast" into float'),
        ("train: 5", "a.yaml: train holds settings of its own, not 5; write train.NAME"),
        ("train: [1]", "a.yaml: train holds settings of its own"),
        ("rule:", "a.yaml: rule holds settings of its own, not None"),
        ("size: {a: 1}", "a.yaml: size can't be {'a': 1}"),
        ("size: [1, 2]", r"a.yaml: size can't be \[1, 2\]"),
        ("rule: {hidden: [1, [2]]}", r"a.yaml: rule.hidden can't be \[2\]"),
        ("size: 3.5", "a.yaml: size can't be 3.5"),
        ("rule: {hidden: [8, 5.5]}", "a.yaml: rule.hidden can't be 5.5"),
        ("damage: 2.5", "a.yaml: damage can't be 2.5"),
        ("size: .inf", "a.yaml: size can't be inf"),
        ("size: .nan", "a.yaml: size can't be nan"),
        ("train: {steps: 3e-1}", "a.yaml: train.steps can't be '3e-1'"),
        ("size: true", 'unable to convert "True" into int'),
        ("train: {normalise: 3}", 'unable to convert "3" into bool'),
        ("train: {rollout: 5}", "a.yaml: train.rollout takes 2 values, got 1"),
        ("train: {betas: [0.5, 0.6, 0.7]}", "a.yaml: train.betas takes 2 values, got 3"),
        ("regime: gorw", 'Invalid value "gorw" for .*a.yaml. Choose from: "grow", "persist", "regenerate"'),
        ("train: {lr: .nan}", "train.lr must be above 0 and below 100, got nan"),
        ("rule: {dt: .inf}", "rule.dt must be a finite number, got inf"),
        ("rule: {life_threshold: .nan}", "rule.life_threshold must be a finite number, got nan"),
        ("rule: {filters: [sobelx]}", "unknown filter 'sobelx'.* Did you mean 'sobel"),
        ("picture: 2020-13-45", "a.yaml: not YAML: month must be in 1..12"),
        ("size: " + "1" * 5000, "a.yaml: not YAML: .*digits"),
        ("size: " + "1" * 400, r"size must be in 1\.\.4096"),
        ("[]", "a.yaml: expected settings .*, found list"),
        ("- a\n- b", "a.yaml: expected settings like 'picture: cat.png', found list"),
        ("cat.png", "found str"),
        ("size: 3\n  bad: 4", "a.yaml: line 2: not YAML: mapping values are not allowed here"),
        ("size: 3\na: [1,", "a.yaml: line 2: not YAML"),
        ("\ta: 1", r"a.yaml: line 1: not YAML: found character '\\t'"),
        ("? [1]\n: 3", "line 1: not YAML: found unhashable key"),
        ("[" * 5000, "a.yaml: not settings: too deeply nested"),
        ("a: &x [1]\nb: [*x, *x]", r"a.yaml: YAML aliases \(\*name\) aren't allowed"),
        ('!!python/object/apply:os.system ["exit"]', "line 1: not YAML: could not determine a constructor"),
    ],
)
def test_what_files_may_not_say(tmp_path, text, says):
    with pytest.raises(UserError, match=says) as error:
        written(tmp_path, text)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sise=3"], "unknown setting in the command line: 'sise'"),
        (["nothing.x=3"], "unknown setting in the command line: 'nothing'"),
        (["train.rollout=5"], "the command line: train.rollout takes 2 values, got 1"),
        (["train.rollout="], "the command line: train.rollout takes 2 values, got 0"),
        (["train.steps=3.5"], "the command line: train.steps can't be '3.5'"),
        (["rule.hidden=8,nan"], "the command line: rule.hidden can't be 'nan'"),
        (["train.steps=many"], 'from the command line: unable to convert "many" into int'),
        (["train=5", "train.lr=3"], "train.lr: train has a value of its own already"),
        (["train.lr=3", "train=5"], "the command line: train holds settings of its own, not '5'"),
        (["train.lr.x=3"], "the command line: train.lr can't be {'x': '3'}"),
    ],
)
def test_what_cannot_be_typed(words, says):
    with pytest.raises(UserError, match=says):
        typed(*words)


def test_tokens_that_are_no_settings():
    with pytest.raises(UserError, match="--train.stesp.*Did you mean --train.steps"):
        parse(Config, tokens=["--train.stesp", "3"])


def test_an_alias_bomb_is_refused_unexpanded(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    with pytest.raises(UserError, match="aliases"):
        written(tmp_path, "\n".join(lines))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lr: " + ":".join(["1", *["59"] * 9000]), "a number of 27001 digits"),
        ("lr: " + ":".join(["1", *["59"] * 300]) + ".5", "not YAML: int too large to convert to float"),
        ("lr: " + "9" * 5000, "a number of 5000 digits"),
        ("date: 2001-02-30", "not YAML: day is out of range"),
        *((f"a: !!{kind}", "none of the kind that its !!tag says") for kind in ("int ''", "float ''", "bool x")),
        ("date: !!timestamp x", "none of the kind that its !!tag says"),
        *((text, "too deeply nested") for text in ("{a: " * 5000, "[" * 40_000, "- " * 5000, "? " * 5000)),
        ("\n".join(" " * k + "a:" for k in range(300)), "too deeply nested"),
        ("a: [" + "1, " * 300_000 + "]", "too many values"),
        ("a: 1\n" * 200_000, "too many values"),
    ],
    ids=lambda text: text[:12],
)
def test_what_takes_long_to_read_is_refused(tmp_path, text, says):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=f"^[^\n]*a.yaml: [^\n]*{says}"):
        read_yaml(tmp_path / "a.yaml")


def test_words_with_brackets_are_no_nesting(tmp_path):
    (tmp_path / "a.yaml").write_text(f"prompts: ['{'[' * 90}', {{a: [{'[1], ' * 2000}]}}]")
    assert read_yaml(tmp_path / "a.yaml")["prompts"][0] == "[" * 90


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(UserError, match="a.yaml: not a regular file"):
        read_yaml(tmp_path / "a.yaml")


def test_files_that_are_no_settings(tmp_path):
    path = tmp_path / "a.yaml"
    with pytest.raises(UserError, match=r"a.yaml: No such file or directory$"):
        read_yaml(path)
    with pytest.raises(UserError, match="Is a directory$"):
        read_yaml(tmp_path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(UserError, match="a.yaml: not a text file, so not a recipe"):
        read_yaml(path)
    path.write_bytes(b"a: \x00\x01")
    with pytest.raises(UserError, match="a.yaml: not YAML: unreadable"):
        read_yaml(path)
    path.write_bytes(b"#" * YAML_LIMIT)
    assert read_yaml(path) == {}
    path.write_bytes(b"#" * (YAML_LIMIT + 1))
    with pytest.raises(UserError, match="a.yaml: 1000001 bytes is too large for a settings file"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"steps": 0}, "train.steps must be in 1..1000000000, got 0"),
        ({"steps": 10**9 + 1}, "train.steps"),
        ({"batch": 0}, "train.batch must be in 1..65536, got 0"),
        ({"batch": 2**16 + 1, "pool": 0}, "train.batch"),
        ({"batch": 9, "pool": 8}, "train.pool=8 is smaller than train.batch"),
        ({"pool": -1}, "train.pool must be at least 0, got -1"),
        ({"rollout": (6, 5)}, "train.rollout must be two numbers, least first, got 6, 5"),
        ({"rollout": (0, 5)}, "train.rollout"),
        ({"rollout": (5, 10**6 + 1)}, "train.rollout"),
        ({"warmup": -1}, "train.warmup must be at least 0, got -1"),
        ({"lr": 0.0}, "train.lr must be above 0 and below 100, got 0.0"),
        ({"lr": 100.0}, "train.lr must"),
        ({"lr": float("nan")}, "train.lr must"),
        ({"lr_factor": 0.0}, "train.lr_factor must be above 0 and at most 1, got 0.0"),
        ({"lr_factor": 1.1}, "train.lr_factor"),
        ({"lr_drops": (0.5, 1.1)}, r"train.lr_drops must be in 0..1, got \(0.5, 1.1\)"),
        ({"lr_drops": (-0.1,)}, "train.lr_drops"),
        ({"lr_drops": (float("nan"),)}, "train.lr_drops"),
        ({"betas": (0.9, 1.0)}, r"train.betas must be at least 0 and below 1, got \(0.9, 1.0\)"),
        ({"betas": (-0.1, 0.9)}, "train.betas"),
        ({"checkpoint": 0}, "train.checkpoint must be at least 1, got 0"),
    ],
)
def test_training_out_of_range(settings, says):
    with pytest.raises(UserError, match=f"^{says}"):
        TrainConfig(**settings)


def test_training_on_the_edge_of_its_range():
    TrainConfig(steps=1, batch=1, pool=0, rollout=(1, 1), lr_factor=1.0, lr_drops=(0.0, 1.0), betas=(0.0, 0.0))
    TrainConfig(steps=10**9, batch=2**16, pool=2**16, rollout=(10**6, 10**6), lr=99.0, checkpoint=1)


def test_other_classes_are_parsed_too():
    @dataclasses.dataclass(frozen=True)
    class Mine:
        x: float | int = 1

    assert parse(Mine, ({"x": 3.5}, "a")).x == 3.5
    assert parse(Layout, ({"visible": 3, "alpha": None, "offset": 0.5}, "a")) == Layout(3, None, offset=0.5)
    with pytest.raises(UserError, match="unknown setting in somewhere: 'alhpa'.*Did you mean 'alpha'"):
        parse(Layout, ({"alhpa": 3}, "somewhere"))


def test_threads_may_describe_settings_at_once():
    """Python 3.11 fails where another thread parses while this one's syntax tree is collected as garbage."""
    want, before = describe(Config), gc.get_threshold()

    def described(_: int) -> list[Field]:
        _own_sentences.cache_clear()
        return describe(Config)

    def give_way(*_: object) -> None:
        time.sleep(1e-4)

    gc.callbacks.append(give_way)
    gc.set_threshold(100)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert all(fields == want for fields in threads.map(described, range(12)))
    finally:
        gc.callbacks.remove(give_way)
        gc.set_threshold(*before)
