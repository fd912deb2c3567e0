"""CLIP: embeddings of words and pictures on one sphere, close where they mean the same.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021; read by transformers,
from a folder or from the Hugging Face hub. Weights are safetensors only, so nothing in a file is ever run.
"""

import json
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria.errors import UserError, missing_extra

KNOWN = ("openai/clip-vit-base-patch16", "openai/clip-vit-base-patch32")
"""Names on the hub that are known to work."""
BRANCH = {"openai/clip-vit-base-patch32": "refs/pr/15"}
"""Revision with a name's safetensors, if not its main branch."""
FILES = ("config.json", "*preprocessor_config.json", "*token*.json", "vocab.json", "merges.txt", "model*.safetensors*")
"""Files to download of a name: never a pickle, never code."""
MEAN, SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of the colours that OpenAI's models were trained on."""
MOST_BYTES = 12_000_000_000
MOST_JSON = 10_000_000
MOST = {
    "hidden_size": 8192, "intermediate_size": 65_536, "num_hidden_layers": 128, "num_attention_heads": 512,
    "vocab_size": 1_000_000, "max_position_embeddings": 8192, "image_size": 2048, "num_channels": 3,
    "projection_dim": 8192,
}  # fmt: skip
"""Limits of the CLIP to load; the largest published ones are a few times smaller."""

_NAME = re.compile(r"([\w-][\w.-]*(?:/[\w-][\w.-]*)?)(?:@([\w./-]+))?")


@final
class Clip:
    """Frozen CLIP. `size` is the side of its input pictures, `width` the dimension of an embedding, `d`."""

    def __init__(self, model: Any, tokenizer: Any, mean: Sequence[float] = MEAN, spread: Sequence[float] = SPREAD):
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.device = next(model.parameters()).device
        self.size: int = model.config.vision_config.image_size
        self.width: int = model.config.projection_dim
        self.longest: int = model.config.text_config.max_position_embeddings
        self.mean = torch.tensor(mean, device=self.device)[:, None, None]
        self.spread = torch.tensor(spread, device=self.device)[:, None, None]

    @torch.no_grad()
    def text(self, words: Sequence[str]) -> Float[Tensor, "n d"]:
        """Unit vectors of `words`. Raises `UserError` for a text with too many words."""
        tokens = self.tokenizer(list(words), padding=True, return_tensors="pt", return_token_type_ids=False)
        counts = tokens["attention_mask"].sum(1).tolist()
        for said, count in zip(words, counts, strict=True):
            if count > self.longest:
                raise UserError(f"the prompt {said[:60]!r} is {count} tokens; this CLIP reads {self.longest}")
        return _unit(self.model.get_text_features(**tokens.to(self.device)))

    def image(self, rgb: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Unit vectors of pictures in 0..1, any size: the shorter side is fitted, the middle is cropped.

        Differentiable: the gradient goes through the resizing (bicubic, antialiased) to every pixel of the crop.
        """
        h, w = rgb.shape[-2:]
        if (h, w) != (self.size, self.size):
            m = min(h, w)
            rgb = rgb[:, :, (h - m) // 2 : (h - m) // 2 + m, (w - m) // 2 : (w - m) // 2 + m]
            rgb = F.interpolate(rgb, (self.size, self.size), mode="bicubic", antialias=True)
        return _unit(self.model.get_image_features(pixel_values=(rgb - self.mean) / self.spread))


def load_clip(source: str, device: torch.device | None = None) -> Clip:
    """Load the CLIP in folder `source`, or of that name on the hub (`openai/clip-vit-base-patch16`, `NAME@REVISION`).

    A folder is read without any network; a name is downloaded once, into the hub's own cache. Raises `UserError` where
    it can't be had, is no CLIP, or has no safetensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a library says of its own imports is of no use to a person here
            from transformers import AutoTokenizer, CLIPConfig, CLIPModel
    except ImportError:
        raise missing_extra("a prompt", "clip") from None
    folder = _folder(source)
    size = _check(folder, source)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with _quiet():
        try:
            with torch.device("meta"):  # shapes alone
                count = sum(p.numel() for p in CLIPModel(CLIPConfig.from_pretrained(folder, **options)).parameters())
            if count > size:  # what is lacking would be made up, in any size
                raise ValueError(f"its weights are {size:,} bytes for {count:,} parameters")
            read: Any = CLIPModel.from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **options
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        except Exception as error:  # a reader at work on files that cannot be trusted may raise anything
            raise UserError(f"{source!r} is a CLIP that can't be read: {_line(error)}") from error
    model, about = read
    if lacking := sorted(about["missing_keys"]):
        raise UserError(f"{source!r} is no whole CLIP: its weights lack {lacking[0]} and {len(lacking) - 1} more")
    colours = _json(folder / "preprocessor_config.json", source)
    mean, spread = (_three(colours.get(k), usual) for k, usual in (("image_mean", MEAN), ("image_std", SPREAD)))
    return Clip(model.to(device or torch.device("cpu")), tokenizer, mean, spread)


def _folder(source: str) -> Path:
    """Folder that `source` names, downloaded if necessary."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    match = _NAME.fullmatch(source)
    if path.exists() or not match:
        what = "is a file" if path.exists() else "is no folder"
        raise UserError(f"clip={source!r} {what}; give a folder saved by transformers, or a name: {', '.join(KNOWN)}")
    import huggingface_hub

    name, branch = match[1], match[2] or BRANCH.get(match[1])
    reason = ""
    for here in (True, False):
        try:
            found = huggingface_hub.snapshot_download(
                name, revision=branch, allow_patterns=list(FILES), local_files_only=here, etag_timeout=5.0
            )
            if any(Path(found).glob("model*.safetensors")):
                return Path(found)
            reason = "it has no safetensors there, and a pickle is not read; NAME@REVISION names another branch"
        except Exception as error:  # the hub's own, its network library's, the system's
            reason = _line(error)
    cache = huggingface_hub.constants.HF_HUB_CACHE
    raise UserError(
        f"no CLIP {source!r} in {cache}, and it can't be downloaded ({reason}); "
        "with no network, copy its folder from another machine and give clip=FOLDER"
    )


def _check(folder: Path, source: str) -> int:
    """Bytes of its weights. Refuses a model that is no CLIP, or too large for one, before anything of it is built."""
    about = _json(folder / "config.json", source)
    if about.get("model_type") != "clip":
        kind = about.get("model_type")
        raise UserError(f"{source!r} is {f'a {kind!r} model' if kind else 'no folder saved by transformers'}, no CLIP")
    for part in (about, about.get("text_config"), about.get("vision_config")):
        for key, most in MOST.items():
            n = part.get(key, 1) if isinstance(part, dict) else 1
            if not isinstance(n, int) or not 0 < n <= most:
                raise UserError(f"{source!r} is no CLIP to be loaded: its {key} is {str(n)[:20]}, outside 1..{most}")
    weights = list(folder.glob("model*.safetensors"))
    if not weights:
        raise UserError(f"{source!r} has no model.safetensors; a CLIP is read from safetensors only, never a pickle")
    size = sum(file.stat().st_size for file in weights)
    if size > MOST_BYTES:
        raise UserError(f"{source!r} is larger than {MOST_BYTES / 1e9:.0f} GB")
    return size


def _json(path: Path, source: str) -> dict[str, Any]:
    """Read a small JSON file of a folder; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > MOST_JSON:
            raise UserError(f"{source!r}: its {path.name} is too large")
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{source!r}: its {path.name} can't be read: {_line(error)}") from None
    return data if isinstance(data, dict) else {}


def _three(given: Any, usual: Sequence[float]) -> Sequence[float]:
    """Check three numbers above 0 for the colours, where they are given."""
    good = isinstance(given, list) and len(given) == 3 and all(isinstance(v, int | float) and v > 0 for v in given)
    return given if good else usual


def _unit(out: Any) -> Tensor:
    """Normalise embeddings to length 1, from transformers' output: a tensor, or since version 5 an object with one."""
    return F.normalize(getattr(out, "pooler_output", out), dim=-1)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' own log and progress bars, and restore them afterwards."""
    from transformers.utils import logging as theirs

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(logging.CRITICAL)
    theirs.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()
