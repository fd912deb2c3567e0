"""The page: one file, whole, with nothing in it that could ask for something or run from a model's words."""

import base64
import gzip
import json
import re

import pytest
import torch
from helpers import bursting
from helpers.payloads import payload
from helpers.rules import rule as random_rule

from planaria import store
from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.export import Options, write
from planaria.export.html import page


@pytest.fixture
def model(tmp_path):
    store.save(tmp_path / "m.safetensors", random_rule(cond=2, frozen=1).float(), Layout(4, 3, 1, 1), {"name": "m"})
    return tmp_path / "m.safetensors"


def unpacked(text: str) -> str:
    packed = re.search(r'load\("([^"]+)"\)', text)[1]
    return "".join(module for _, module in json.loads(gzip.decompress(base64.b64decode(packed.split(",")[0]))))


def test_a_page_of_8k_parameters_is_under_150_kb(tmp_path):
    size = write("lizard", tmp_path / "deep" / "lizard.html").stat().st_size
    assert 60_000 < size < 150_000
    assert page(store.read("lizard")) == page(store.read("lizard"))


def test_it_holds_the_model_to_the_bit(model):
    text = page(store.read(model))
    told = json.loads(re.search(r'<script type="application/json" id="planaria-model">(.*?)</script>', text)[1])
    assert told == payload(model) | {"seed": 0}
    rule, layout = store.load(model)
    for name, kept in (("weights", rule.weights), ("biases", rule.biases)):
        for coded, p in zip(told[name], kept, strict=True):
            assert torch.equal(torch.frombuffer(bytearray(base64.b64decode(coded)), dtype=torch.float32), p.flatten())
    assert told["layout"]["hidden"] == layout.hidden
    assert told["rule"]["cond"] == 2
    assert told["kernels"] == [kernel.flatten().tolist() for kernel in rule.kernels]
    assert told["reaches"] == [1] * len(rule.kernels)


def test_it_opens_as_it_was_asked_to(model):
    text = page(store.read(model), Options(name="Ada", title="A & B", size=(30, 40), seed=3))
    told = json.loads(re.search(r'<script type="application/json" id="planaria-model">(.*?)</script>', text)[1])
    assert (told["name"], told["grid"], told["seed"]) == ("Ada", [30, 40], 3)
    assert "<title>A &amp; B</title>" in text
    assert '<meta property="og:title" content="A &amp; B">' in text
    numbers = sum(p.numel() for p in store.load(model)[0].parameters())
    about = re.search(r'<meta name="description" content="([^"<>]+)">', text)
    assert about is not None
    assert f" of {numbers:,} parameters" in about[1]
    assert f'<meta property="og:description" content="{about[1]}">' in text


def test_it_names_no_address_and_loads_nothing(model):
    text = page(store.read(model))
    for part in (text, unpacked(text)):
        assert not re.search(r"https?://(?!www\.w3\.org/)|\bfetch\(|XMLHttpRequest|WebSocket|<link|src=", part)
    assert "default-src 'none'" in text
    assert "<!--planaria:" not in text


def test_a_page_says_that_its_training_stopped(tmp_path, model):
    assert " with planaria</footer>" in page(store.read(model))
    text = page(store.read(bursting.save_stopped(tmp_path / "run")))
    assert "made with planaria \u00b7 its training stopped at iteration 68 of 1,200</footer>" in text


def test_what_a_model_says_of_itself_is_no_markup(tmp_path):
    evil = "</title></script><script>alert(1)</script><!--planaria:script-->"
    store.save(tmp_path / "m.safetensors", random_rule().float(), Layout(4, 3, 2), {"name": evil, "task": evil})
    text = page(store.read(tmp_path / "m.safetensors"))
    assert "alert(1)</script>" not in text.replace("&lt;/script&gt;", "")
    assert text.count("<script") == 2
    assert payload(tmp_path / "m.safetensors")["name"] == evil


def test_what_is_no_model_is_no_page(tmp_path):
    with pytest.raises(UserError, match="no model"):
        write(tmp_path / "none.safetensors", tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()
