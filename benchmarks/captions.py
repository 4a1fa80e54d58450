"""How often a caption of a model of an artist that was held out finds its own generated clip among thirty.

    python benchmarks/train_matcher.py RENDERS --corpus corpus.npz --seed 1 --steps 700 --out other.safetensors
    python benchmarks/captions.py CLIPS --corpus corpus.npz --matcher other.safetensors [--num 30] [--tries 2]

The matcher that ships chooses between clips, so another one that it has not seen must judge. CLIPS is a folder for the
views of the clips; called again, it goes on with those that are there. Rows: the first clip of each caption, what
`make` does (one more clip where the match is below its limit), the best match of all tries, and true renders.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from generator.config import GenerateConfig
from generator.corpus import Corpus
from generator.match import Matcher, held_out_models, load_matcher, quarters, text_features
from generator.sample import generate
from generator.text import load_text_encoder
from vid2three.candidates import SEEDS_APART


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="a folder for the views")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--matcher", type=Path, required=True, help="weights of the matcher that judges")
    parser.add_argument("--num", type=int, default=30)
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    config, encoder = GenerateConfig(), load_text_encoder()
    renders, captions = held_out_models(Corpus.load(options.corpus))
    chosen = np.random.default_rng(0).permutation(len(captions))[: options.num].tolist()
    captions = [captions[i] for i in chosen]
    options.clips.mkdir(parents=True, exist_ok=True)
    clips = torch.stack([views_of(options, n, caption, config) for n, caption in enumerate(captions)])  # n k v 3 h w

    shipped, judge = load_matcher(), load_matcher(options.matcher)
    with torch.no_grad():
        features = text_features(encoder, captions)
        known = torch.stack([shipped.see(clips[:, k]) for k in range(options.tries)], dim=1)  # n k joint
        matches = torch.einsum("nkj,nj->nk", known, shipped.read(features))
        first = torch.zeros(len(captions), dtype=torch.long)
        best = matches.argmax(1)
        retried = torch.where(matches[:, 0] < config.retry_below, matches[:, :2].argmax(1), first)
        for name, pick in (("first clip", first), ("make", retried), (f"best of {options.tries}", best)):
            print(row(name, clips[torch.arange(len(pick)), pick], features, judge), flush=True)
        print(row("true renders", renders[chosen].float() / 255, features, judge))
    print(f"second tries: {float((matches[:, 0] < config.retry_below).float().mean()):.2f} of the captions")


def views_of(options: argparse.Namespace, n: int, caption: str, config: GenerateConfig) -> Float[Tensor, "k v 3 h w"]:
    """Generate the clips of one caption, or read what an earlier call made; four views of each."""
    path = options.clips / f"{options.seed}-{n:02d}-{options.tries}.safetensors"
    if not path.exists():
        seeds = [options.seed + SEEDS_APART * k for k in range(options.tries)]
        frames = torch.stack([generate(caption, config, seed=seed).frames for seed in seeds]).movedim(-1, 2)
        views = quarters(frames.float() / 255)
        save_file({"views": views.contiguous()}, path)
        print(f"{n + 1} of {options.num}: {caption}", flush=True)
    return load_file(path)["views"]


def row(name: str, views: Float[Tensor, "n v 3 h w"], features: Float[Tensor, "n c"], judge: Matcher) -> str:
    """Say how often captions find their clips among all of them, and clips their captions."""
    likeness = judge.read(features) @ judge.see(views).T
    own = torch.arange(len(likeness))
    found, back = (float((likeness.argmax(dim) == own).float().mean()) for dim in (1, 0))
    near = float(((likeness > likeness.diag()[:, None]).sum(1) < 3).float().mean())
    match = float(likeness.diag().mean())
    return f"{name}: found {found:.2f}, among the first three {near:.2f}, back {back:.2f}; match {match:.2f}"


if __name__ == "__main__":
    main()
