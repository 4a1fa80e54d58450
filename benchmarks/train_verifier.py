"""Train the verifier that ships (generator/verify.py) on the scenes of the grammar that a training has rendered.

    python benchmarks/train_verifier.py checkpoints/NAME/clips [MORE ...] [--epochs 7] [--out verifier.safetensors]

The folders hold shards of 24 frames at 64 px (`vid2three train` keeps them where there is no GPU), with no held-out
pair in them. The last 512 scenes are kept back; at the end it says how many of their attributes are named right. Half
an hour on one core for 24,000 clips, of which every second frame is held in memory: 3.5 GB.
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
from einops import rearrange
from torch import Tensor

from generator.data import read_samples, shard_paths
from generator.grammar import Attributes
from generator.judge import NUM_VIEWS, accuracy, judge_views, labels, save_judge, train_judge
from generator.verify import FILE

HELD_BACK = 512
WIDTH = 32  # half of the judge's


def read_scenes(folders: list[Path]) -> tuple[Tensor, list[Attributes]]:
    """Return every second frame of the grammar's clips, uint8 [n, 12, 3, 64, 64], and what they show."""
    clips, attributes = [], []
    for path in (path for folder in folders for path in shard_paths(folder)):
        shown = [sample.attributes for sample in read_samples(path)]
        rows = [i for i, known in enumerate(shown) if known is not None]
        frames = np.load(path, mmap_mode="r")[rows][:, ::2, ..., :3]
        clips.append(rearrange(torch.from_numpy(np.ascontiguousarray(frames)), "n f h w c -> n f c h w").contiguous())
        attributes += [known for known in shown if known is not None]
    return torch.cat(clips), attributes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    clips, attributes = read_scenes(options.clips)
    verifier = train_judge(
        clips[:-HELD_BACK], attributes[:-HELD_BACK], options.epochs, options.seed, width=WIDTH, bf16=True
    )
    save_judge(options.out, verifier)
    views = clips[-HELD_BACK:, :: clips.shape[1] // NUM_VIEWS]
    print(accuracy(judge_views(verifier, views), labels(attributes[-HELD_BACK:])))


if __name__ == "__main__":
    main()
