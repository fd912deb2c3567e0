"""Near names: by meaning, by the last part, by letters, and none where nothing is meant."""

import pytest

from planaria import tasks
from planaria.cli import main
from planaria.config import describe, other_names, pairs, parse
from planaria.core.filters import FILTERS
from planaria.engine import ENGINES
from planaria.errors import UserError, unknown
from planaria.recipes import shipped
from planaria.synonyms import _MEANT, _NAMES, nearest

GROW = [field.key for field in describe(tasks.load("grow").Config)]
VIDEO = [field.key for field in describe(tasks.load("video").Config)]
STARTS = [*tasks.names(), *shipped()]


@pytest.mark.parametrize(
    ("name", "have", "meant"),
    [
        ("iterations", GROW, "train.steps"),
        ("n_epochs", GROW, "train.steps"),
        ("learning_rate", GROW, "train.lr"),
        ("learning-rate", GROW, "train.lr"),
        ("LearningRate", GROW, "train.lr"),
        ("train.lerning_rate", GROW, "train.lr"),
        ("batch_size", GROW, "train.batch"),
        ("pool_size", GROW, "train.pool"),
        ("filter", GROW, "rule.filters"),
        ("filters", GROW, "rule.filters"),
        ("hidden", GROW, "rule.hidden"),
        ("train.hidden", GROW, "rule.hidden"),
        ("hiden", GROW, "rule.hidden"),
        ("channels", GROW, "rule.channels"),
        ("n_channels", GROW, "rule.channels"),
        ("fire_rate", GROW, "rule.fire_rate"),
        ("target", GROW, "picture"),
        ("image", GROW, "picture"),
        ("image", VIDEO, None),
        ("video", VIDEO, "frames"),
        ("steps", VIDEO, "steps"),
        ("steps", GROW, "train.steps"),
        ("sise", GROW, "size"),
        ("noise_std", VIDEO, "noise"),
        ("noise", GROW, None),
        ("mse", ["l1", "l2"], "l2"),
        ("MAE", ["l1", "l2"], "l1"),
        ("sobel_x", FILTERS, "sobel"),
        ("Sobel", FILTERS, "sobel"),
        ("gpu", ENGINES, "fused"),
        ("bf16", ENGINES, "fused-bf16"),
        ("Fused_BF16", ENGINES, "fused-bf16"),
        ("reaction-diffusion", ["gray-scott", "lenia", "life"], "gray-scott"),
        ("video_prediction", STARTS, "video"),
        ("texture_synthesis", STARTS, "texture"),
        ("style transfer", STARTS, "style"),
        ("classify", STARTS, None),
        ("segmentation", STARTS, None),
        ("demmo", STARTS, "demo"),
        ("--iterations", ["--steps", "--size"], "--steps"),
        ("xyzzy", GROW, None),
        ("", GROW, None),
    ],
)
def test_what_is_meant(name, have, meant):
    assert nearest(name, have, tasks.other_names() if have is STARTS else None) == meant


@pytest.mark.parametrize(
    ("task", "name", "meant"),
    [
        ("grow", "pad", "padding"),
        ("grow", "experiment_type", "regime"),
        ("infect", "target_model", "host"),
        ("video", "forecast", "horizon"),
        ("text", "caption", "prompts"),
        ("text", "pad", None),
        ("grow", "target_modle", None),
    ],
)
def test_a_task_says_what_its_settings_are_called_elsewhere(task, name, meant):
    cls = tasks.load(task).Config
    with pytest.raises(UserError) as error:
        parse(cls, (pairs(cls, [f"{name}=1"])[0], "the command line"))
    assert ("Did you mean" in str(error.value)) == (meant is not None)
    assert meant is None or str(error.value).endswith(f"Did you mean {meant!r}?")


def test_the_table_says_nothing_twice_and_names_what_there_is():
    everything = {field.key for name in tasks.names() for field in describe(tasks.load(name).Config)}
    settings = [ours for ours in _MEANT if "." in ours]
    assert set(settings) <= everything
    assert not {other for other, ours in _NAMES.items() if other in ours}
    own = [other_names(tasks.load(name).Config) for name in tasks.names()]
    assert set().union(*own) == {"padding", "regime", "host", "virus", "context", "horizon", "likeness", "prompts"}
    assert not set().union(*own) & set(_MEANT)
    for table in (_MEANT, tasks.other_names(), *own):
        for ours, others in table.items():
            assert others, ours
            assert len(others.split()) == len(set(others.split())), ours


def test_an_error_suggests_what_stands_elsewhere_too():
    assert str(unknown("thing", "hidden", ["a"], ["rule.hidden"])) == (
        "unknown thing 'hidden'; have: a. Did you mean 'rule.hidden'?"
    )
    assert str(unknown("thing", "hidden", ["a"])) == "unknown thing 'hidden'; have: a."


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("loss=mse", "Did you mean 'l2'?"),
        ("filter=sobel", "Did you mean 'rule.filters'?"),
        ("rule.filter=sobel", "Did you mean 'rule.filters'?"),
        ("iterations=3", "Did you mean 'train.steps'?"),
        ("rule.lr=3", "Did you mean 'train.lr'?"),
        ("rule.edge=torus", "Did you mean 'circular'?"),
        ("rule.activation=swish", "Did you mean 'silu'?"),
        ("regime=gorw", "Did you mean 'grow'?"),
    ],
)
def test_settings_that_are_typed(word, hint):
    cls = tasks.load("grow").Config
    with pytest.raises(UserError) as error:
        parse(cls, (pairs(cls, [word])[0], "the command line"))
    assert str(error.value).endswith(hint)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["train", "grow", "--lr", "3"], "Did you mean --train.lr?"),
        (["train", "grow", "--learning-rate=3"], "Did you mean --train.lr?"),
        (["train", "quick", "--loss", "mse"], "Did you mean 'l2'?"),
        (["run", "lizard", "--iterations", "5"], "Did you mean --steps?"),
        (["train", "grow", "ephocs=3"], "Did you mean 'train.steps'?"),
        (["list", "models"], "Did you mean 'gallery'?"),
        (["list", "sims"], "Did you mean 'simulators'?"),
        (["train", "texture_synthesis"], "Did you mean 'texture'?"),
        (["train", "stylize"], "Did you mean 'style'?"),
        (["train", "infect", "--parasite", "lizard"], "Did you mean --virus?"),
        (["run", "sim:reaction_diffusion"], "Did you mean 'gray-scott'?"),
    ],
)
def test_options_and_names_that_are_typed(words, hint, capsys):
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.endswith(f"{hint}\n")
    assert said.count("\n") == 1
    assert said.count("Did you mean") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["grow", "my lizard"], "'my lizard' is not a setting; write key=value, as in 'picture=my lizard'"),
        (["video", "film.mp4"], "'film.mp4' is not a setting; write key=value, as in frames=film.mp4"),
    ],
)
def test_a_picture_without_its_key_is_told_how_it_is_written(words, told, capsys):
    assert main(["train", *words]) == 2
    assert capsys.readouterr().err == f"planaria: {told}\n"
