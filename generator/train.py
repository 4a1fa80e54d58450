"""Data, autoencoder, transformer: one trainer for every size of the model.

Phases have wall-clock budgets, so a run ends when it was told to; the learning rate warms up, stays, and falls over the
last share of the budget (warm-up, stable, decay: arXiv:2404.06395). Everything lies in one folder and goes on from it:
    clips/      shards of rendered clips          latents/   the same, encoded
    vae.pt      the autoencoder's state           dit.pt     the transformer's state
    log.jsonl   losses and scores                 sheets/    what the model makes, at each checkpoint
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from einops import reduce
from jaxtyping import Float, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from . import precompile
from .config import PhaseConfig, TrainConfig
from .data import (
    SHARD_SIZE,
    Recipe,
    Sample,
    Subject,
    draw_scene,
    make_clip,
    read_samples,
    sample_orbit,
    shard_paths,
    start_rendering,
)
from .dit import OrbitDiT
from .grammar import sample_attributes
from .judge import load_judge, render_examples, save_judge, score, train_judge
from .precompile import compile_blocks
from .sheet import write_sheet
from .stepper import Stepper, autocast
from .text import load_text_encoder
from .train_dit import (
    Batch,
    LatentClips,
    Mixture,
    describe,
    dit_loss,
    draw_batches,
    ema_weight,
    encode_clips,
    update_ema,
)
from .train_vae import measure_latents, to_model, vae_loss, vae_scores
from .vae import SPACE, VideoAutoencoder
from .weights import load_model, model_path, save_model, write_card

ENCODED_AT_ONCE = 64  # clips
STEPS_READ = 16  # steps whose captions are read at once on a GPU, which is then never kept waiting for words


@dataclass
class Clock:
    """Minutes and steps that a phase has used, over all its resumptions."""

    phase: PhaseConfig
    minutes: float = 0.0
    step: int = 0
    resumed_at: int = 0

    def learning_rate(self) -> float:
        left = 1 - self.minutes / self.phase.minutes
        decay = min(1.0, left / self.phase.decay_share) if self.phase.decay_share > 0 else 1.0
        warm = min(1.0, (self.step - self.resumed_at + 1) / self.phase.warmup)
        return self.phase.lr * warm * max(decay, 0.0)

    @property
    def is_over(self) -> bool:
        return self.minutes >= self.phase.minutes

    def resume(self, state: dict, optimizers: list[torch.optim.Optimizer]) -> None:
        """Take up the minutes and steps of a saved state and, where there is more to do, its optimizers'."""
        self.minutes, self.step = state["minutes"], state["step"]
        self.resumed_at = self.step
        if not self.is_over:
            for optimizer, known in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(known)


def train(config: TrainConfig, *, log: Callable[[str], None] = print) -> Path:
    """Train a model and return the file of its weights. Call it again to go on after an interruption.

    Raises FileNotFoundError where the corpus or the weights to start from are missing.
    """
    check(config)
    trainer = Trainer(config, log)
    trainer.render()
    vae = trainer.train_vae()
    clips = trainer.encode(vae)
    weights = trainer.train_dit(vae, clips)
    trainer.judge(weights)
    return weights


def check(config: TrainConfig) -> None:
    """Raise FileNotFoundError, with the cure, where the settings name a file that is not there."""
    if config.corpus and not Path(config.corpus).is_file():
        cure = f"pack it (python -m generator.corpus FOLDER {config.corpus}) or train without it (corpus: '')"
        raise FileNotFoundError(f"There is no corpus {config.corpus}: {cure}.")
    if config.resume_from:
        model_path(config.resume_from)


class Trainer:
    """The phases of `train`, one method each."""

    def __init__(self, config: TrainConfig, log: Callable[[str], None]):
        self.config = config
        self.log = log
        self.started = time.monotonic()
        self.folder = Path(config.folder)
        self.latents = self.folder / "latents"
        device = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        self.generator = torch.Generator().manual_seed(time.time_ns() % 2**31)  # resumed runs must not repeat batches
        for folder in (self.folder, self.folder / "sheets"):
            folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True

    def render(self) -> None:
        """Start making clips in the background and wait for the first shard."""
        c = self.config
        num_shards = -(-c.num_clips // SHARD_SIZE)
        recipe = Recipe(c.seed, c.corpus, c.corpus_share, c.edit_pairs_share)
        if self.device.type == "cuda":
            from .device_clips import DeviceClips

            if c.compile:
                precompile.start(c)
            self.source = DeviceClips(recipe, num_shards, c.num_frames, c.size, c.workers, self.device)
        else:
            self.source = ShardClips(self.folder / "clips", recipe, num_shards, c.num_frames, c.size, c.workers)
        self.log(f"{num_shards} shards of {SHARD_SIZE} clips, drawn by {c.workers} processes")
        self.source.start()

    def train_vae(self) -> VideoAutoencoder:
        """Train the autoencoder on the shards that are there, for its minutes."""
        c = self.config
        vae = VideoAutoencoder(c.vae).to(self.device)
        optimizers, clock = make_optimizers(vae, c.vae_phase), Clock(c.vae_phase)
        path = self.folder / "vae.pt"
        if path.exists():
            state = torch.load(path, map_location=self.device, weights_only=True)
            vae.load_state_dict(state["vae"])
            clock.resume(state, optimizers)
        elif c.resume_from:
            vae.load_state_dict(load_model(model_path(c.resume_from))[0].state_dict())
        if clock.is_over:
            return vae.eval()
        held_out = self._held_out_clips(32)

        def save() -> None:
            state = {"vae": vae.state_dict(), "optimizers": [o.state_dict() for o in optimizers]}
            _save_state(path, {**state, "minutes": clock.minutes, "step": clock.step})
            with self._autocast():
                self._record("vae", clock, vae_scores(vae.eval(), held_out))
            vae.train()

        def draw() -> dict[str, Tensor]:
            x = self.source.draw(c.vae_phase.batch, self.generator).to(self.device)
            return {"x": halve(x) if c.half_phase.minutes > 0 and clock.step % 4 == 3 else x}

        def loss(x: Tensor) -> Tensor:
            return vae_loss(vae, x, self.generator)

        self._run("vae", clock, Stepper(loss, vae, optimizers, self._graphs(c.vae_phase)), draw, save)
        vae.eval()
        batches = [self.source.draw(32, self.generator).to(self.device) for _ in range(8)]
        with self._autocast():
            measure_latents(vae, batches)
        save()
        return vae.eval()

    def encode(self, vae: VideoAutoencoder) -> list[LatentClips]:
        """Encode every shard: at half the size, where the transformer begins with it, and at the full size."""
        c = self.config
        sizes = [c.size // 2, c.size] if c.half_phase.minutes > 0 else [c.size]
        parts: list[list[LatentClips]] = [[] for _ in sizes]
        encoder = load_text_encoder()
        with ThreadPoolExecutor(1) as reader:
            for name, clips, samples in self.source.shards():
                described = reader.submit(describe, samples, encoder)  # while the device renders and encodes
                for size, into in zip(sizes, parts):
                    path = self.latents / f"{name}-{size}.safetensors"
                    if path.exists():
                        into.append(LatentClips(**load_file(path)))
                        continue
                    with torch.no_grad(), self._autocast():
                        pieces = []
                        for piece in clips().split(ENCODED_AT_ONCE):
                            x = to_model(piece, self.device)
                            pieces.append(encode_clips(vae, x if size == c.size else halve(x)))
                    z, still = (torch.cat(part) for part in zip(*pieces))
                    encoded = LatentClips(z, still, *described.result())
                    if self.source.keeps:
                        path.parent.mkdir(exist_ok=True)
                        save_file({field: value.cpu().contiguous() for field, value in encoded.tensors().items()}, path)
                    into.append(encoded)
        store = self.device if self.device.type == "cuda" else torch.device("cpu")
        joined = [LatentClips.concatenate(part) for part in parts]
        return [LatentClips(*(value.to(store) for value in clips.tensors().values())) for clips in joined]

    def train_dit(self, vae: VideoAutoencoder, clips: list[LatentClips]) -> Path:
        """Train the transformer for its minutes; the average of its weights is what ships."""
        c = self.config
        dit, ema = OrbitDiT(c.dit).to(self.device), OrbitDiT(c.dit).to(self.device).eval().requires_grad_(False)
        ema.load_state_dict(dit.state_dict())
        path, weights = self.folder / "dit.pt", self.folder / f"{c.name}.safetensors"
        phases = [c.half_phase, c.dit_phase] if c.half_phase.minutes > 0 else [c.dit_phase]
        clocks = [Clock(phase) for phase in phases]
        state = None
        if path.exists():
            state = torch.load(path, map_location=self.device, weights_only=True)
            dit.load_state_dict(state["dit"])
            ema.load_state_dict(state["ema"])
            for clock, minutes, step in zip(clocks, state["minutes"], state["step"]):
                clock.minutes, clock.step = minutes, step
        elif c.resume_from:
            known = load_model(model_path(c.resume_from))[1].state_dict()
            dit.load_state_dict(known)
            ema.load_state_dict(known)
        encoder = load_text_encoder().to(self.device)
        mixture = Mixture(c.caption_drop, c.picture_share, c.edit_share)
        if c.compile:
            compile_blocks(dit)
        for number, (name, clock, data) in enumerate(zip(["half", "dit"][-len(phases) :], clocks, clips)):
            is_last = number == len(phases) - 1
            if clock.is_over and not is_last:
                continue
            optimizers = make_optimizers(dit, clock.phase)
            if state is not None and state["phase"] == number:
                clock.resume({**state, "minutes": clock.minutes, "step": clock.step}, optimizers)
            size = data.z.shape[-1] * SPACE

            def save(number=number, optimizers=optimizers, size=size) -> None:
                kept = {"dit": dit.state_dict(), "ema": ema.state_dict(), "phase": number}
                kept["optimizers"] = [o.state_dict() for o in optimizers]
                kept["minutes"] = [clock.minutes for clock in clocks]
                kept["step"] = [clock.step for clock in clocks]
                _save_state(path, kept)
                steps = sum(clock.step for clock in clocks)
                save_model(weights, vae, ema, {"num_frames": c.num_frames, "size": c.size, "steps": steps})
                write_sheet(self.folder / "sheets" / f"{steps:06d}.png", vae, ema, encoder, c.num_frames, size)

            waiting: list[Batch] = []
            weight = torch.zeros((), device=self.device)
            shift = c.time_shift * size / c.size

            def draw(clock=clock, data=data, waiting=waiting, weight=weight) -> dict[str, Tensor]:
                if not waiting:
                    sizes = (STEPS_READ if self.device.type == "cuda" else 1, clock.phase.batch)
                    with torch.no_grad(), self._autocast():
                        waiting += draw_batches(
                            data, encoder, *sizes, mixture, c.dit.patch, self.device, self.generator
                        )
                weight.fill_(ema_weight(sum(clock.step for clock in clocks), c.ema))
                return waiting.pop().tensors()

            def loss(shift=shift, **tensors: Tensor) -> Tensor:
                return dit_loss(dit, Batch(**tensors), self.generator, shift)

            def after_step(weight=weight) -> None:
                update_ema(ema, dit, weight)

            if c.total_minutes > 0 and is_last and not clock.is_over:
                left = c.total_minutes - (time.monotonic() - self.started) / 60
                clock.phase = replace(clock.phase, minutes=max(clock.minutes + left, 0.1))
            stepper = Stepper(loss, dit, optimizers, self._graphs(clock.phase), after_step)
            self._run(name, clock, stepper, draw, save)
            save()
        return weights

    def judge(self, weights: Path) -> None:
        """Train the judge, unless it is there, score the model, and write its card beside the weights."""
        c = self.config
        if c.judge_clips == 0:
            return
        path = self.folder / "judge.safetensors"
        if not path.exists():
            self.log(f"rendering {c.judge_clips} clips for the judge")
            views, attributes = render_examples(c.judge_clips, c.seed, None, self.device, c.workers)
            save_judge(path, train_judge(views, attributes, c.judge_epochs, c.seed, bf16=c.bf16, log=self.log))
        vae, dit, settings = load_model(weights)
        vae, dit, encoder = vae.to(self.device), dit.to(self.device), load_text_encoder().to(self.device)
        judge = load_judge(path).to(self.device)
        with self._autocast() if self.device.type == "cuda" else nullcontext():
            scores = score(judge, vae, dit, encoder, c.judged_clips, c.num_frames, c.size, workers=c.workers)
            scores["autoencoder"] = vae_scores(vae, self._held_out_clips(64))
        compute = {
            "machine": f"{torch.get_num_threads()} threads" if self.device.type == "cpu" else self.device.type,
            "autoencoder_minutes": _minutes(self.folder / "vae.pt"),
            "transformer_minutes": _minutes(self.folder / "dit.pt"),
            "transformer_steps": settings["steps"],
        }
        data = f"{c.num_clips} traced clips of the grammar" + (" and of CC0 models" if c.corpus else "")
        write_card(weights, scores, compute, data)

    def _run(
        self,
        name: str,
        clock: Clock,
        stepper: Stepper,
        draw: Callable[[], dict[str, Tensor]],
        save: Callable[[], None],
    ) -> None:
        """Step until the phase's minutes are used; save in between."""
        saved_at, average = clock.minutes, torch.zeros((), device=self.device)
        weight = 0.0
        last = time.monotonic()
        while not clock.is_over:
            value = stepper.step(draw(), clock.learning_rate(), self._autocast())
            clock.step += 1
            average.lerp_(value.detach().float(), 0.02)
            weight += 0.02 * (1 - weight)
            if clock.step % 50 == 0:
                known = float(average) / weight  # waits for the device
                if not math.isfinite(known):
                    raise RuntimeError(
                        f"The loss of {name} is {known} after {clock.step} steps: lower lr, or turn off bf16 or "
                        "compile; training goes on from the last checkpoint."
                    )
                self._record(name, clock, {"loss": known})
            now = time.monotonic()
            clock.minutes += (now - last) / 60
            last = now
            if clock.minutes - saved_at >= self.config.checkpoint_minutes:
                save()
                saved_at = clock.minutes

    def _graphs(self, phase: PhaseConfig) -> bool:
        """Tell whether steps are recorded; Muon's reads its learning rate on the host."""
        return self.device.type == "cuda" and self.config.compile and phase.optimizer == "adamw"

    def _autocast(self) -> AbstractContextManager:
        return autocast(self.device, self.config.bf16)

    def _record(self, phase: str, clock: Clock, values: dict[str, float]) -> None:
        line = {"phase": phase, "step": clock.step, "minutes": round(clock.minutes, 2)}
        line |= {name: round(value, 4) for name, value in values.items()}
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.log(json.dumps(line))

    def _held_out_clips(self, num: int) -> Tensor:
        rng = np.random.default_rng((self.config.seed, 2**32 - 1))
        drawn: list[tuple[Sample, Subject]] = [
            draw_scene(sample_attributes(rng, held_out=True), sample_orbit(rng), rng, rng) for _ in range(num)
        ]
        return to_model(self.source.render(drawn), self.device)


def _save_state(path: Path, state: dict) -> None:
    """Write beside and rename, so that a crash leaves the last state whole."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _minutes(path: Path) -> float:
    minutes = torch.load(path, map_location="cpu", weights_only=True)["minutes"] if path.exists() else 0.0
    return round(sum(minutes) if isinstance(minutes, list) else minutes, 1)


def halve(x: Tensor) -> Tensor:
    """Return clips [b,f,c,h,w] at half the height and width."""
    return reduce(x, "b f c (h p) (w q) -> b f c h w", "mean", p=2, q=2)


class ShardClips:
    """Clips in the shards of a folder, rendered by processes in the background."""

    keeps = True  # shards stay, so what is computed from them may stay too

    def __init__(self, folder: Path, recipe: Recipe, num_shards: int, num_frames: int, size: int, workers: int):
        self.folder, self.recipe, self.num_shards = folder, recipe, num_shards
        self.num_frames, self.size, self.workers = num_frames, size, workers
        self.known: dict[Path, np.ndarray] = {}

    def start(self) -> None:
        """Start what is missing, and wait for the first shard."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.renderers = []
        if len(shard_paths(self.folder)) < self.num_shards:
            how = (self.num_frames, self.size, self.workers)
            self.renderers = start_rendering(self.folder, self.num_shards, self.recipe, *how)
        self._wait_for(1)

    def _wait_for(self, num: int) -> None:
        while len(shard_paths(self.folder)) < num:
            is_over = not any(process.is_alive() for process in self.renderers)
            if is_over and len(shard_paths(self.folder)) < num:
                raise RuntimeError("The renderers ended before all clips were made; their error stands above.")
            time.sleep(1)

    def draw(self, num: int, generator: torch.Generator) -> Float[Tensor, "b f 5 h w"]:
        """Draw clips in [0,1] at random; shards that appear later are taken in."""
        for path in shard_paths(self.folder):
            if path not in self.known:
                self.known[path] = np.load(path, mmap_mode="r")
        shards = list(self.known.values())
        which = torch.randint(len(shards), (num,), generator=generator).tolist()
        clip = torch.randint(SHARD_SIZE, (num,), generator=generator).tolist()
        picked = np.stack([shards[i][j % len(shards[i])] for i, j in zip(which, clip)])
        return to_model(torch.from_numpy(picked), torch.device("cpu"))

    def shards(self) -> Iterator[tuple[str, Callable[[], Tensor], list[Sample]]]:
        """Yield name, clips uint8 [n,F,H,W,5] and what they show, of every shard, in order."""
        for index in range(self.num_shards):
            self._wait_for(index + 1)
            path = shard_paths(self.folder)[index]
            yield path.stem, lambda path=path: torch.from_numpy(np.load(path)), read_samples(path)

    def render(self, drawn: list[tuple[Sample, Subject]]) -> UInt8[Tensor, "n f h w 5"]:
        """Render what was drawn elsewhere."""
        made = [make_clip(subject, sample.orbit, self.num_frames, self.size, self.size)[0] for sample, subject in drawn]
        return torch.from_numpy(np.stack(made))


def make_optimizers(model: nn.Module, phase: PhaseConfig) -> list[torch.optim.Optimizer]:
    """AdamW without weight decay on vectors; where the phase asks for it, Muon for the matrices of the blocks.

    Muon: Jordan et al. 2024, with the learning rate scaled to AdamW's step size as in arXiv:2502.16982.
    """
    inner = set()
    if phase.optimizer == "muon":
        inner = {
            p for name, p in model.named_parameters() if "blocks." in name and name.endswith("weight") and p.ndim == 2
        }
    others = [p for p in model.parameters() if p not in inner]
    groups = [
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": 0.01},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=phase.lr, betas=(0.9, 0.97), fused=others[0].is_cuda)
    ]
    if inner:
        matrices = [p for p in model.parameters() if p in inner]
        muon = torch.optim.Muon(matrices, lr=phase.lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
        optimizers.append(muon)
    return optimizers
