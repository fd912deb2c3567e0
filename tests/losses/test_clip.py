"""CLIP is read from a folder or the hub's cache, without network, pickle or foreign code; it gives pixels gradients."""

import json
import re
import shutil
import sys

import pytest
import torch
from helpers import tiny_clip
from helpers.tiny_clip import CAPTIONS, COLOURS
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from planaria.commands import install
from planaria.errors import UserError
from planaria.losses import clip as module
from planaria.losses.clip import load_clip

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", autouse=True)
def _offline():
    with tiny_clip.offline():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_clip.trained(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def clip(folder):
    return load_clip(str(folder))


@pytest.fixture
def copy(folder, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(folder, tmp_path / "copy")


def test_words_and_pictures_meet(clip):
    assert (clip.size, clip.width, clip.longest) == (32, 32, 12)
    words, seen = clip.text(list(COLOURS)), clip.image(tiny_clip.pictures(list(COLOURS) * 8, torch.Generator()))
    assert words.shape == (4, 32)
    assert_close(words.norm(dim=1), torch.ones(4))
    assert_close(seen.norm(dim=1), torch.ones(32))
    assert ((seen @ words.T).argmax(1) == torch.arange(4).repeat(8)).float().mean() > 0.9


def test_words_are_alone_or_among_others(clip):
    together = clip.text(CAPTIONS)
    assert_close(clip.text(["red"])[0], together[CAPTIONS.index("red")])
    assert_close(clip.text(["RED  Square"])[0], together[CAPTIONS.index("red square")])
    assert not together.requires_grad


def test_too_many_words(clip):
    clip.text(["red " * 10])
    with pytest.raises(UserError, match="13 tokens; this CLIP reads 12"):
        clip.text(["blue", "red " * 11])


def test_it_trains_pixels_and_not_itself(clip):
    rgb = torch.rand(2, 3, 50, 70, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (clip.image(rgb) @ clip.text(["red"])[0]).sum().backward()
    assert rgb.grad is not None
    assert (rgb.grad[..., 10:60] != 0).all()
    assert rgb.grad[..., :8].abs().max() == 0, "a wide picture is looked at in its middle"
    assert all(not p.requires_grad and p.grad is None for p in clip.model.parameters())
    assert not clip.model.training


def test_pictures_are_prepared_as_transformers_does(clip, folder):
    from transformers import CLIPImageProcessorPil

    picture = (tiny_clip.ground(torch.Generator().manual_seed(3), 96)[:, :, :64] * 255).byte()
    theirs = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32)(
        picture.permute(1, 2, 0).numpy(), return_tensors="pt"
    )
    with torch.no_grad():
        wanted = clip.model.get_image_features(**theirs).pooler_output
    assert torch.cosine_similarity(clip.image(picture[None] / 255), wanted).item() > 0.999


def test_the_colours_of_its_own_preprocessor(copy):
    told = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
    (copy / "preprocessor_config.json").write_text(json.dumps(told))
    assert_close(load_clip(str(copy)).mean.flatten(), torch.tensor([0.5, 0.4, 0.3]))
    (copy / "preprocessor_config.json").write_text('{"image_std": [0, 1, 1]}')
    assert_close(load_clip(str(copy)).spread.flatten(), torch.tensor(module.SPREAD))
    (copy / "preprocessor_config.json").unlink()
    assert_close(load_clip(str(copy)).mean.flatten(), torch.tensor(module.MEAN))


def test_a_folder_as_openai_published_theirs(tmp_path):
    """An old config full of what is no more, byte pairs for a tokenizer, and position numbers among the weights."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{c}</w>" for c in letters), "re", "red</w>", "<|startoftext|>", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nr e\nre d</w>\n")
    ends = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    kind = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "errors": "replace"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**kind, **ends, "pad_token": "<|endoftext|>"}))
    weights = {name: value.contiguous() for name, value in tiny_clip.model(len(words)).state_dict().items()}
    for part, count in (("text", 12), ("vision", 17)):
        weights[f"{part}_model.embeddings.position_ids"] = torch.arange(count)[None]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    old = {
        "add_cross_attention": False, "architectures": None, "bad_words_ids": None, "bos_token_id": 0,
        "eos_token_id": 2, "pad_token_id": 1, "do_sample": False, "length_penalty": 1.0, "torch_dtype": None,
        "id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "transformers_version": "4.16.0.dev0", "use_bfloat16": False,
        "torchscript": False,
    }  # fmt: skip
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = {**old, **sizes, "model_type": "clip_text_model", "vocab_size": len(words), "max_position_embeddings": 12}
    vision = {**old, **sizes, "model_type": "clip_vision_model", "image_size": 32, "patch_size": 8}
    about = {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": 32,
        "logit_scale_init_value": 2.6592,
    }
    nothing = {
        "text_config_dict": None,
        "vision_config_dict": None,
        "torch_dtype": "float32",
        "transformers_version": None,
    }
    (tmp_path / "config.json").write_text(
        json.dumps({**about, **nothing, "text_config": text, "vision_config": vision})
    )
    clip = load_clip(str(tmp_path))
    assert clip.tokenizer(["Red"])["input_ids"] == [[54, 53, 55]]
    with torch.no_grad():
        whole = clip.model.text_model(input_ids=torch.tensor([[54, 53, 55]])).last_hidden_state[:, 2]
        wanted = torch.nn.functional.normalize(clip.model.text_projection(whole), dim=1)
    assert_close(clip.text(["red", "red abc"])[:1], wanted)


def test_it_is_quiet(folder, capfd):
    from transformers.utils import logging

    logging.set_verbosity_info()
    try:
        load_clip(str(folder))
        assert capfd.readouterr() == ("", "")
        assert logging.get_verbosity() == logging.INFO
        assert logging.is_progress_bar_enabled()
    finally:
        logging.set_verbosity_warning()


def refused(source, why: str) -> None:
    with pytest.raises(UserError, match=why) as caught:
        load_clip(str(source))
    assert "\n" not in str(caught.value)


def test_half_a_clip(copy):
    weights = load_file(copy / "model.safetensors")
    lacking = weights.pop("visual_projection.weight")
    save_file({**weights, "more": lacking}, copy / "model.safetensors", {"format": "pt"})
    refused(copy, "no whole CLIP: its weights lack visual_projection.weight")
    save_file({**weights, "visual_projection.weight": lacking[:-1]}, copy / "model.safetensors", {"format": "pt"})
    refused(copy, "can't be read")
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[:-1000])
    refused(copy, "can't be read")


@pytest.mark.parametrize(
    ("part", "key", "value", "why"),
    [
        ("", "model_type", "siglip", "a 'siglip' model"),
        ("text_config", "vocab_size", 10**9, "vocab_size is 1000000000, outside"),
        ("vision_config", "hidden_size", "64", "hidden_size is 64, outside"),
        ("vision_config", "num_hidden_layers", 0, "num_hidden_layers is 0, outside"),
        ("text_config", "vocab_size", 10**6, "bytes for 64,"),
        ("vision_config", "patch_size", 0, "can't be read"),
    ],
)
def test_what_a_config_may_not_say(copy, part, key, value, why):
    config = json.loads((copy / "config.json").read_text())
    (config[part] if part else config)[key] = value
    (copy / "config.json").write_text(json.dumps(config))
    refused(copy, why)


def test_no_pickle_and_no_code(copy, tmp_path):
    """A folder with a pickle and a program of its own runs neither."""
    program = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\nclass Own: ...\n"
    (copy / "own.py").write_text(program)
    (copy / "pytorch_model.bin").write_bytes(b"cposix\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    for name in ("config.json", "tokenizer_config.json"):
        told = json.loads((copy / name).read_text())
        own = {"AutoConfig": "own.Own", "AutoModel": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"]}
        (copy / name).write_text(json.dumps({**told, "auto_map": own}))
    load_clip(str(copy))
    (copy / "model.safetensors").unlink()
    refused(copy, "no model.safetensors; .* never a pickle")
    assert not (tmp_path / "ran").exists()


def test_what_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    refused(tmp_path, "no folder saved by transformers")
    refused(
        tmp_path / "file", "is a file; give a folder saved by transformers, or a name: openai/clip-vit-base-patch16"
    )
    refused(tmp_path / "none", "is no folder")
    refused(tmp_path / "broken", "config.json can't be read")
    refused("../..", "can't be read|no folder")
    refused("a b", "is no folder")


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused("openai/clip-vit-base-patch16", re.escape(install("clip")))


def test_a_name_with_no_network(folder):
    import huggingface_hub

    cache = huggingface_hub.constants.HF_HUB_CACHE
    refused(
        "openai/no-such-clip", f"no CLIP 'openai/no-such-clip' in {cache}, and it can't be downloaded .*clip=FOLDER"
    )


def test_a_name_is_looked_for_here_first(folder, tmp_path, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot(name, *, revision, local_files_only, allow_patterns, **_):
        asked.append((name, revision, local_files_only))
        assert not any("bin" in p or "py" in p for p in allow_patterns)
        if local_files_only and name == "away/clip":
            raise FileNotFoundError("not here")
        return str(tmp_path if name == "pickled/clip" else folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    for name in ("openai/clip-vit-base-patch16", "openai/clip-vit-base-patch32", "away/clip", "some/clip@v1.2"):
        assert load_clip(name).width == 32
    assert asked == [
        ("openai/clip-vit-base-patch16", None, True), ("openai/clip-vit-base-patch32", "refs/pr/15", True),
        ("away/clip", None, True), ("away/clip", None, False), ("some/clip", "v1.2", True),
    ]  # fmt: skip
    refused("pickled/clip", "no safetensors there, and a pickle is not read; NAME@REVISION")
