"""Loss and match against compute for three sizes of the transformer, the law they follow, and its picture.

    python benchmarks/scaling.py FOLDER [--corpus corpus.npz] [--minutes 30]     # measures what is missing
    python benchmarks/scaling.py FOLDER --plot docs/scaling.png                  # draws what is there (matplotlib)

Each size is trained from nothing at a constant learning rate, by the trainer's own loss, optimizers and data, on clips
of 24 x 64 x 64 that the shipped autoencoder encodes, so that all sizes see the same latents. Along the way the average
of the weights over the last tenth of the steps (arXiv:2312.02696, Eq. 126) is scored, which stands for a run that ended
there (arXiv:2405.18392). FOLDER keeps clips and results; called again, it goes on with the sizes that are missing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from scipy.optimize import least_squares

from generator import precompile
from generator.condition import orbit_condition, orbit_rows
from generator.config import DitConfig, GenerateConfig, PhaseConfig, TrainConfig
from generator.corpus import Corpus
from generator.data import Sample, draw_scene, make_clip, sample_orbit
from generator.dit import OrbitDiT
from generator.flow import interpolate
from generator.grammar import sample_attributes
from generator.judged import generate_views
from generator.match import load_matcher, retrieval, text_features
from generator.optimizers import make_optimizers
from generator.precompile import compile_blocks
from generator.sample import load_networks
from generator.stepper import Stepper, autocast
from generator.text import TextEncoder, load_text_encoder
from generator.train import Trainer
from generator.train_dit import Batch, LatentClips, Mixture, dit_loss, draw_batches, encode_clips, update_ema
from generator.train_vae import to_model
from generator.vae import VideoAutoencoder
from generator.words import long_caption

SIZES = {  # shape and learning rate
    "2 M": (DitConfig(width=128, depth=6, heads=2, mlp_hidden=320, rope_height=16.0), 2e-3),
    "6 M": (DitConfig(width=224, depth=7, heads=4, mlp_hidden=512, rope_height=16.0), 1.5e-3),
    "18 M": (DitConfig(width=384, depth=9, heads=6, mlp_hidden=896, rope_height=16.0), 1e-3),
}
FRAMES, PIXELS, SHIFT = 24, 64, 2.0
TOKENS = FRAMES // 2 * (PIXELS // 16) ** 2
NUM_VAL, NUM_PROMPTS = 128, 120
TIMES = (0.15, 0.35, 0.55, 0.75, 0.9)  # of the held-out loss
WARMUP, FIRST_MARK, LEARNT = 100, 64, 300  # steps; marks grow by the root of two, the law begins at LEARNT
EMA_POWER = 6.94  # an average over a tenth of the steps so far
SHIPPED, SHIPPED_CLIPS = "orbit-s.json", 2.75e6  # of this size that orbit-s has seen, besides 1 M of 128 px
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BATCH = 64 if DEVICE.type == "cuda" else 16
STEPS_READ = 16 if DEVICE.type == "cuda" else 1
clock = time.monotonic if DEVICE.type == "cuda" else time.process_time


def flops(config: DitConfig, parameters: int) -> float:
    """Return the operations of one training clip: 6 x parameters x tokens, and attention."""
    return 6 * parameters * TOKENS + 12 * TOKENS**2 * config.width * config.depth


def data(folder: Path, corpus: str, num_clips: int) -> tuple[VideoAutoencoder, LatentClips]:
    """Render and encode the training clips, or read those that are there."""
    nothing = PhaseConfig(minutes=0)
    config = TrainConfig(
        folder=str(folder),
        num_frames=FRAMES,
        size=PIXELS,
        num_clips=num_clips,
        workers=14 if DEVICE.type == "cuda" else 1,
        corpus=corpus,
        resume_from="orbit-s",
        vae=replace(TrainConfig().vae, widths=(64, 128, 192)),
        vae_phase=nothing,
        dit_phase=nothing,
    )
    trainer = Trainer(config, print)
    trainer.render()
    vae = trainer.train_vae()
    return vae, trainer.encode(vae)[0]


class Exam:
    """What every model is asked: latents that no training clip shows, half scenes and half models of artists, and
    captions of as many held-out things."""

    @torch.no_grad()
    def __init__(self, vae: VideoAutoencoder, corpus: Corpus, encoder: TextEncoder):
        self.vae, self.encoder = vae, encoder
        rng = np.random.default_rng(7)
        drawn = [
            draw_scene(sample_attributes(rng, held_out=True), sample_orbit(rng), rng, rng) for _ in range(NUM_VAL // 2)
        ]
        meshes = [corpus.draw(rng, held_out=True, num_captions=6) for _ in range(NUM_VAL // 2)]
        drawn += [(Sample(sample_orbit(rng), None, mesh.captions), mesh) for mesh in meshes]
        clips = [make_clip(subject, sample.orbit, FRAMES, PIXELS, PIXELS)[0] for sample, subject in drawn]
        self.z = torch.cat([encode_clips(vae, to_model(torch.from_numpy(c)[None], DEVICE))[0].float() for c in clips])
        text, mask = encoder([sample.captions[0] for sample, _ in drawn])
        orbits = orbit_rows((sample.orbit for sample, _ in drawn), DEVICE)
        rays, angles = orbit_condition(orbits, FRAMES, PIXELS, PIXELS, 2)
        self.condition = {"text": text, "text_mask": mask, "rays": rays, "angles": angles}
        self.eps = torch.randn(self.z.shape, generator=torch.Generator().manual_seed(0)).to(self.z)
        rng = np.random.default_rng(5)
        self.captions = [long_caption(sample_attributes(rng, held_out=True)) for _ in range(NUM_PROMPTS // 2)]
        self.captions += [corpus.draw(rng, held_out=True).captions[0] for _ in range(NUM_PROMPTS // 2)]
        self.matcher = load_matcher()
        self.read = self.matcher.read(text_features(encoder, self.captions).float().cpu())

    @torch.no_grad()
    def loss(self, dit: OrbitDiT) -> float:
        """Return the velocity's mean squared error at fixed times and noises."""
        losses = []
        for i in range(0, NUM_VAL, BATCH):
            part = slice(i, i + BATCH)
            given, z, eps = {name: value[part] for name, value in self.condition.items()}, self.z[part], self.eps[part]
            for t in TIMES:
                times = torch.full((len(z),), t, device=DEVICE)
                with autocast(DEVICE, True):
                    v = dit(interpolate(z, eps, times), times, **given)
                losses.append(float((v.float() - (eps - z)).square().mean()))
        return sum(losses) / len(losses)

    @torch.no_grad()
    def match(self, dit: OrbitDiT) -> dict[str, float]:
        """Return how well the model's clips match the captions, and how often each finds its own among 30."""
        with autocast(DEVICE, True):
            shape, config = (FRAMES, PIXELS, PIXELS), GenerateConfig(steps=12)
            views = generate_views(self.vae, dit, self.encoder, self.captions, *shape, 3, config, batch=30)
        seen = self.matcher.see(views.float() / 255)
        return {"match": float((seen * self.read).sum(1).mean()), "retrieval": retrieval(seen, self.read)[0]}


def precompile_sizes(config: TrainConfig) -> None:
    """Compile the three sizes' steps ahead, each in a process of its own, while other things are done."""
    if DEVICE.type == "cpu":
        return
    half = PhaseConfig(minutes=0, batch=BATCH)
    for dit, _ in SIZES.values():
        precompile.start(
            replace(config, dit=dit, size=PIXELS, half_phase=half, half_share=0.0, dit_phase=half, picture_share=0.0,
                    edit_share=0.0)
        )  # fmt: skip


def train(config: DitConfig, lr: float, minutes: float, clips: LatentClips, exam: Exam) -> Iterator[dict]:
    """Train one size for some minutes; yield its loss at the marks and at the end, its match at every second one."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    dit, ema = OrbitDiT(config).to(DEVICE), OrbitDiT(config).to(DEVICE).eval().requires_grad_(False)
    ema.load_state_dict(dit.state_dict())
    compile_blocks(dit)
    parameters = sum(p.numel() for p in dit.parameters())
    weight, waiting = torch.zeros((), device=DEVICE), []
    stepper = Stepper(
        lambda **tensors: dit_loss(dit, Batch(**tensors), generator, SHIFT),
        dit,
        make_optimizers(dit, PhaseConfig(lr=lr)),
        graphed=DEVICE.type == "cuda",
        after_step=lambda: update_ema(ema, dit, weight),
    )
    step, used, mean, mark = 0, 0.0, torch.zeros((), device=DEVICE), FIRST_MARK
    while used < 60 * minutes:
        began = clock()
        while step < mark and used + clock() - began < 60 * minutes:
            if not waiting:
                with torch.no_grad(), autocast(DEVICE, True):
                    waiting += draw_batches(
                        clips, exam.encoder, STEPS_READ, BATCH, Mixture(), config.patch, DEVICE, generator
                    )
            step += 1
            weight.fill_(1 - (1 - 1 / step) ** (EMA_POWER + 1))
            value = stepper.step(waiting.pop().tensors(), lr * min(1.0, step / WARMUP), autocast(DEVICE, True))
            mean.lerp_(value.float(), max(0.01, 1 / step))
            if step % 50 == 0 and not math.isfinite(float(mean)):  # waits for the device, too
                raise RuntimeError(f"The loss is {float(mean)} after {step} steps.")
        used += clock() - began
        is_matched = used >= 60 * minutes or round(2 * math.log2(mark / FIRST_MARK)) % 2 == 0
        mark = round(mark * math.sqrt(2))
        row = {"parameters": parameters, "steps": step, "clips": step * BATCH, "seconds": round(used, 1)}
        row |= {"flops": step * BATCH * flops(config, parameters), "train_loss": float(mean)}
        yield row | {"loss": exam.loss(ema)} | (exam.match(ema) if is_matched else {})


def measure(folder: Path, clips: LatentClips, exam: Exam, minutes: float, sizes: Iterable[str] = SIZES) -> None:
    """Train the sizes of which there are no results yet; each has a file of its own."""
    for size in sizes:
        path, rows = folder / f"{size.replace(' ', '')}.json", []
        if path.exists():
            continue
        config, lr = SIZES[size]
        for row in train(config, lr, minutes, clips, exam):
            rows.append({"size": size, "batch": BATCH, **row})
            print(json.dumps(rows[-1]), flush=True)
        path.write_text(json.dumps(rows, indent=1))


def measure_shipped(path: Path, exam: Exam) -> None:
    """Write the scores of the model that ships, which has seen larger clips as well."""
    dit = load_networks("orbit-s")[1].to(DEVICE)
    parameters = sum(p.numel() for p in dit.parameters())
    row = {"parameters": parameters, "clips": SHIPPED_CLIPS, "flops": SHIPPED_CLIPS * flops(dit.config, parameters)}
    path.write_text(json.dumps(row | {"loss": exam.loss(dit), **exam.match(dit)}))


def results(folder: Path) -> list[dict]:
    """Return the rows of all sizes that have been measured."""
    files = (folder / f"{size.replace(' ', '')}.json" for size in SIZES)
    return [row for file in files if file.exists() for row in json.loads(file.read_text())]


# The law


def predicted(law: np.ndarray, parameters: np.ndarray | float, tokens: np.ndarray | float) -> np.ndarray:
    """Return E + A / N^a + B / D^b (Hoffmann et al., arXiv:2203.15556, Eq. 2) for law = log A, log B, log E, a, b."""
    log_a, log_b, log_e, a, b = law
    return np.exp(log_e) + np.exp(log_a - a * np.log(parameters)) + np.exp(log_b - b * np.log(tokens))


def fit_law(rows: list[dict], start: np.ndarray | None = None) -> np.ndarray:
    """Fit the law to the logarithms of held-out losses by Huber's loss, from a grid of starts or from one."""
    parameters, tokens = (np.array([row[name] for row in rows], float) for name in ("parameters", "clips"))
    tokens *= TOKENS
    measured = np.log([row["loss"] for row in rows])
    starts = (
        [start]
        if start is not None
        else [
            (np.log(k) + a * np.log(6e6), np.log(k) + b * np.log(5e7), np.log(e), a, b)
            for k in (0.05, 0.3)
            for e in (0.1, 0.4)
            for a in (0.15, 0.35, 0.6)
            for b in (0.15, 0.35, 0.6)
        ]
    )

    def off(law: np.ndarray) -> np.ndarray:
        return np.log(predicted(law, parameters, tokens)) - measured

    bounds = ([-20, -20, -8, 0.02, 0.02], [60, 60, 1, 2, 2])
    found = [least_squares(off, each, bounds=bounds, loss="huber", f_scale=0.01) for each in starts]
    return min(found, key=lambda each: each.cost).x


def best_split(law: np.ndarray, compute: float) -> tuple[float, float]:
    """Return parameters and tokens of the least loss for 6 N D = compute (there, Eq. 4)."""
    log_a, log_b, _, a, b = law
    log_g = (np.log(a) + log_a - np.log(b) - log_b) / (a + b)
    log_n = log_g + b / (a + b) * np.log(compute / 6)
    return float(np.exp(log_n)), float(compute / 6 / np.exp(log_n))


def tokens_for(law: np.ndarray, parameters: float) -> float:
    """Return the tokens at which a model of that size is the best use of its compute."""
    _, _, _, a, b = law
    found, _ = best_split(law, 6.0)  # the size for one unit of compute, from which it grows as a power
    return parameters ** (a / b) / found ** ((a + b) / b)


def learnt(rows: list[dict]) -> list[dict]:
    """Return the rows past the beginning, where the law holds."""
    return [row for row in rows if row["steps"] >= LEARNT]


def describe_law(rows: list[dict], orbit_s: dict) -> None:
    """Print the law, how well it fits, and what it says of larger models with the spread over resampled rows: of the
    three sizes alone, and with the model that ships as one more row."""
    for name, used in (("three sizes", learnt(rows)), ("three sizes and orbit-s", [*learnt(rows), orbit_s])):
        law, rng = fit_law(used), np.random.default_rng(0)
        parameters, tokens = (np.array([row[key] for row in used], float) for key in ("parameters", "clips"))
        off = np.log(predicted(law, parameters, tokens * TOKENS) / [row["loss"] for row in used])
        print(
            f"{name}: E {np.exp(law[2]):.3f}, A {np.exp(law[0]):.3g}, B {np.exp(law[1]):.3g}, a {law[3]:.3f}, "
            f"b {law[4]:.3f}; {len(used)} rows, rms {off.std():.4f}"
        )
        there = float(predicted(law, orbit_s["parameters"], orbit_s["clips"] * TOKENS))
        print(f"  orbit-s: loss {orbit_s['loss']:.3f}, by the law {there:.3f}")
        resampled = [[used[i] for i in rng.integers(len(used), size=len(used))] for _ in range(100)]
        laws = [fit_law(each, law) for each in resampled if len({row["parameters"] for row in each}) > 2]
        for size in (2e6, 2e7, 1e8, 1e9):
            best = tokens_for(law, size)
            spread = np.percentile([tokens_for(each, size) for each in laws], [10, 90])
            losses = np.percentile([predicted(each, size, best) for each in laws], [10, 90])
            print(
                f"  {size:.0e} parameters: {best:.2e} tokens ({spread[0]:.1e} to {spread[1]:.1e}), "
                f"{6 * size * best:.1e} operations, loss {float(predicted(law, size, best)):.3f} "
                f"({losses[0]:.3f} to {losses[1]:.3f})"
            )


def plot(rows: list[dict], orbit_s: dict, path: Path) -> None:
    """Draw loss and match against compute, a line a size, and the law."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    law = fit_law([*learnt(rows), orbit_s])
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), dpi=110)
    for color, size in zip(("#4c78a8", "#f58518", "#54a24b"), SIZES):
        own = [row for row in rows if row["size"] == size]
        compute = np.array([row["flops"] for row in own])
        left.loglog(compute, [row["loss"] for row in own], "o", color=color, ms=4, label=f"{size} parameters")
        tokens = np.array([row["clips"] * TOKENS for row in own])
        left.loglog(compute, predicted(law, own[0]["parameters"], tokens), color=color, lw=1)
        matched = [row for row in own if "match" in row]
        right.semilogx([r["flops"] for r in matched], [r["match"] for r in matched], "o-", color=color, lw=1, ms=4)
    left.loglog(orbit_s["flops"], orbit_s["loss"], "k*", ms=9, label="orbit-s, which saw 128 px too")
    right.semilogx(orbit_s["flops"], orbit_s["match"], "k*", ms=9)
    span = np.geomspace(min(row["flops"] for row in rows), 10 * orbit_s["flops"], 50)
    best = [float(predicted(law, *best_split(law, c))) for c in span]
    left.loglog(span, best, "--", color="grey", lw=1, label="best split, by the law")
    left.set_ylabel("held-out loss")
    right.set_ylabel("match with held-out captions")
    for axes in (left, right):
        axes.set_xlabel("floating-point operations of training")
        axes.grid(alpha=0.25, which="both", lw=0.5)
    for ticks in (left.yaxis.set_major_formatter, left.yaxis.set_minor_formatter):
        ticks("{x:.1f}")
    left.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--corpus", default="checkpoints/corpus.npz")
    parser.add_argument("--clips", type=int, default=9216)
    parser.add_argument(
        "--minutes", type=float, default=30, help="of training, for each size; of the processor without a GPU"
    )
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES, help="those to train")
    parser.add_argument("--plot", type=Path, help="draw the results that are there")
    options = parser.parse_args()
    if options.plot is None:
        vae, clips = data(options.folder, options.corpus, options.clips)
        exam = Exam(vae, Corpus.load(Path(options.corpus)), load_text_encoder().to(DEVICE))
        if not (options.folder / SHIPPED).exists():
            measure_shipped(options.folder / SHIPPED, exam)
        measure(options.folder, clips, exam, options.minutes, options.sizes)
    rows = results(options.folder)
    if {row["size"] for row in rows} == set(SIZES):
        orbit_s = json.loads((options.folder / SHIPPED).read_text())
        describe_law(rows, orbit_s)
        if options.plot is not None:
            plot(rows, orbit_s, options.plot)


if __name__ == "__main__":
    main()
