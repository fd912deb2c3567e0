"""A tiny CLIP that knows four colours and three shapes, trained in seconds and saved as transformers saves any."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from planaria.losses.clip import MEAN, SPREAD

COLOURS = {"red": (0.9, 0.1, 0.1), "green": (0.1, 0.8, 0.15), "blue": (0.1, 0.15, 0.9), "yellow": (0.9, 0.85, 0.1)}
SHAPES = ("square", "disc", "cross")
CAPTIONS = ["a photo", *COLOURS, *(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)]
SIZE = 32


def ground(rng: torch.Generator, size: int = SIZE) -> Tensor:
    """Soft clouds of muted colours, `(3, size, size)` in 0..1."""
    clouds = sum(
        F.interpolate(torch.rand(1, 3, n, n, generator=rng), size, mode="bicubic", antialias=True) for n in (2, 5, 11)
    )
    assert isinstance(clouds, Tensor)
    return (clouds[0] / 3 + 0.3 * (torch.rand(3, 1, 1, generator=rng) - 0.5)).clamp(0, 1)


def drawn(caption: str, rng: torch.Generator) -> Tensor:
    """A picture that the caption tells of, `(3, 32, 32)` in 0..1."""
    picture = ground(rng)
    colour, _, shape = caption.partition(" ")
    if colour not in COLOURS:
        return picture
    paint = torch.tensor(COLOURS[colour])[:, None, None] + 0.1 * torch.randn(3, 1, 1, generator=rng)
    if not shape:
        share = 0.4 + 0.5 * float(torch.rand((), generator=rng))
        return ((1 - share) * picture + share * paint).clamp(0, 1)
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    r = 6 + 6 * float(torch.rand((), generator=rng))
    down, right = (r + (SIZE - 2 * r) * torch.rand(2, generator=rng)).tolist()
    y, x = (y - down).abs(), (x - right).abs()
    square, disc, cross = torch.maximum(x, y) < r * 0.9, x.square() + y.square() < r * r, torch.minimum(x, y) < r / 3
    body = {"square": square, "disc": disc, "cross": cross & (torch.maximum(x, y) < r)}[shape]
    return torch.where(body, paint, picture).clamp(0, 1)


def pictures(captions: list[str], rng: torch.Generator) -> Tensor:
    return torch.stack([drawn(caption, rng) for caption in captions])


def tokenizer():
    """Words as tokens, in the form that transformers saves and loads."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for caption in CAPTIONS for word in caption.split()})
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<unk>", "<start>", "<end>", *words])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()  # type: ignore[assignment]
    made.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    made.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single="<start> $A <end>", special_tokens=[("<start>", 2), ("<end>", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", bos_token="<start>", eos_token="<end>"
    )


def model(words: int, width: int = 64, layers: int = 2):
    """A CLIP with random weights."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    part = {
        "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers, "num_attention_heads": 4,
        "projection_dim": 32, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0,
    }  # fmt: skip
    text = {**part, "vocab_size": words, "max_position_embeddings": 12}
    vision = {**part, "image_size": SIZE, "patch_size": 8}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=32))


@contextmanager
def offline() -> Iterator[None]:
    """Hugging Face's hub is not asked for anything, nor waited for; skips where transformers is not installed."""
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")  # read once, when it is imported
        if "huggingface_hub" in sys.modules:
            patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


def trained(folder: Path) -> Path:
    """The folder of a tiny CLIP within `folder`, trained where it isn't there yet."""
    if not (folder / "tiny-clip").exists():
        train(folder / "tiny-clip")
    return folder / "tiny-clip"


def train(folder: Path, steps: int = 300) -> float:
    """Train a tiny CLIP, save it in `folder`, and give the share of new pictures that it tells right."""
    words = tokenizer()
    clip = model(len(words))
    told = words(CAPTIONS, padding=True, return_tensors="pt", return_token_type_ids=False)
    mean, spread = (torch.tensor(v)[:, None, None] for v in (MEAN, SPREAD))
    adam = torch.optim.Adam(clip.parameters(), 1e-3)
    rng = torch.Generator().manual_seed(1)
    right = torch.arange(len(CAPTIONS))
    for _ in range(steps):
        shown = (pictures(CAPTIONS, rng) - mean) / spread
        logits = clip(**told, pixel_values=shown).logits_per_image
        loss = F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)
        adam.zero_grad()
        loss.backward()
        adam.step()
    clip.eval()
    with torch.no_grad():
        tried = torch.stack([
            clip(**told, pixel_values=(pictures(CAPTIONS, rng) - mean) / spread).logits_per_image.argmax(1) == right
            for _ in range(8)
        ])  # fmt: skip
    clip.save_pretrained(folder)
    words.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": SPREAD}))
    return float(tried.float().mean())
