"""What a model makes of held-out prompts, and how much of it a judge names rightly.

    python benchmarks/judged.py views MODEL.safetensors views.npz --num 256
    python benchmarks/judged.py views MODEL.safetensors drafts.npz --size 64 --emphasis 0  # other settings
    python benchmarks/judged.py judge views.npz                        # by judge.safetensors, which lies beside this
    python benchmarks/judged.py judge views.npz OTHER.safetensors      # by that of a training folder
    python benchmarks/judged.py judge views.npz --categories 54        # and apart by what the model has learnt

The prompts are those of the trainer's own score; views are kept, so that several models can be held against one judge.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from generator.config import GenerateConfig
from generator.formats import least_side
from generator.grammar import CATEGORIES
from generator.judge import SIZE, accuracy, judge_views, labels, load_judge, resize_views
from generator.judged import JUDGED_SEED, draw_example, generate_views, render_examples
from generator.stepper import autocast
from generator.text import load_text_encoder
from generator.weights import load_model
from generator.words import long_caption

JUDGE = Path(__file__).with_name("judge.safetensors")


def draw_views(
    weights: Path,
    out: Path,
    num: int,
    device: torch.device,
    batch: int = 64,
    config: GenerateConfig | None = None,
    size: int | None = None,
    seed: int = JUDGED_SEED,
) -> None:
    """Write what a model makes of the judge's held-out prompts, as the judge sees it; at its own size unless given."""
    vae, dit, settings = load_model(weights)
    attributes = [draw_example(seed, i, True)[0] for i in range(num)]
    captions = [long_caption(shown) for shown in attributes]
    encoder, shape = load_text_encoder(), (settings["num_frames"], size or settings["size"], least_side(settings))
    networks = vae.to(device), dit.to(device), encoder.to(device)
    with autocast(device, True):
        views = generate_views(*networks, captions, *shape, seed=1, config=config, wanted=attributes, batch=batch)
    small = torch.cat([resize_views(part.float() / 255) for part in views.split(64)])
    np.savez_compressed(out, views=(small * 255).round().to(torch.uint8).numpy())
    print(f"{num} prompts at {SIZE} px: {out}", flush=True)


def judge(views_path: Path, network: Path, num_categories: int, seed: int = JUDGED_SEED) -> None:
    """Print the shares of right answers about views, and about renders of the same scenes; then apart, of scenes of
    the grammar's first categories alone and of the others."""
    views, known = torch.from_numpy(np.load(views_path)["views"]), load_judge(network)
    real, attributes = render_examples(len(views), seed, True)
    wanted = labels(attributes)
    names = list(CATEGORIES)[num_categories:]
    is_new = torch.tensor([bool({a.category, a.other_category} & set(names)) for a in attributes])
    parts = {"": torch.ones_like(is_new)}
    if names:
        parts |= {f", {num_categories} categories": ~is_new, ", the others": is_new}
    for name, shown in (("model", views), ("ceiling", real)):
        named = judge_views(known, shown)
        for part, kept in parts.items():
            right = accuracy({k: v[kept] for k, v in named.items()}, {k: v[kept] for k, v in wanted.items()})
            print(json.dumps({name + part: right, "scenes": int(kept.sum())}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["views", "judge"])
    parser.add_argument("source", type=Path, help="the weights, or the views")
    parser.add_argument("other", type=Path, nargs="?", default=JUDGE, help="where the views go, or the judge")
    parser.add_argument("--num", type=int, default=256)
    parser.add_argument("--categories", type=int, default=len(CATEGORIES), help="how many the model has learnt")
    parser.add_argument("--seed", type=int, default=JUDGED_SEED, help="of the scenes; the trainer's unless given")
    parser.add_argument("--size", type=int, help="height and width of the clips, the model's own unless given")
    parser.add_argument("--emphasis", type=float, default=GenerateConfig().emphasis)
    options = parser.parse_args()
    if options.what == "views" and options.other == JUDGE:
        parser.error("say where the views go: views.npz")
    if options.what == "views":
        config = replace(GenerateConfig(), emphasis=options.emphasis)
        draw_views(
            options.source, options.other, options.num, torch.device("cpu"), 8, config, options.size, options.seed
        )
    else:
        judge(options.source, options.other, options.categories, options.seed)


if __name__ == "__main__":
    main()
