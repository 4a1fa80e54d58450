"""Train the matcher that ships (generator/match.py): render, fit, score on held-out models, write the weights.

    python benchmarks/train_matcher.py CLIPS --corpus corpus.npz [--shards 160] [--steps 2000] [--workers 2]

CLIPS is a folder for the renders; called again, it goes on with those that are there. About two hours on one core.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

from generator.corpus import Corpus
from generator.data import Recipe, start_rendering
from generator.match import (
    FILE,
    NUM_VIEWS,
    SIZE,
    held_out_models,
    read_examples,
    retrieval,
    save_matcher,
    text_features,
    train_matcher,
)
from generator.text import load_text_encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="a folder for the renders")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--shards", type=int, default=160, help="of 256 clips each")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    recipe = Recipe(seed=11, corpus=options.corpus, corpus_share=0.6, edit_pairs_share=0.4)
    encoder = load_text_encoder()
    for process in start_rendering(options.clips, options.shards, recipe, NUM_VIEWS, SIZE, options.workers):
        process.join()
    matcher = train_matcher(*read_examples(options.clips, encoder), options.steps, options.seed)
    save_matcher(options.out, matcher)
    views, texts = held_out_models(Corpus.load(Path(options.corpus)))
    seen, read = matcher.see(views.float() / 255), matcher.read(text_features(encoder, texts))
    by_text, by_clip = retrieval(seen, read)
    print(f"{len(texts)} held-out models, among 30: {by_text:.3f} of the sentences find their clip, {by_clip:.3f} back")


if __name__ == "__main__":
    main()
