"""Data, autoencoder, transformer: one trainer for every size of the model.

Phases have wall-clock budgets, so a run ends when it was told to; the learning rate warms up, stays, and falls over the
last share of the budget (warm-up, stable, decay: arXiv:2404.06395). Everything lies in one folder and goes on from it:
    clips/      shards of rendered clips          latents/   the same, encoded
    vae.pt      the autoencoder's state           dit.pt     the transformer's state
    log.jsonl   losses and scores                 sheets/    what the model makes, at each checkpoint
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .config import PhaseConfig, TrainConfig
from .data import SHARD_SIZE, make_clip, sample_attributes, sample_orbit, shard_paths, start_rendering
from .data import Sample as ClipSample
from .dit import OrbitDiT
from .judge import load_judge, render_examples, save_judge, score, train_judge
from .sheet import write_sheet
from .text import load_text_encoder
from .train_dit import dit_loss, draw_batch, encode_shard, load_latents, update_ema
from .train_vae import measure_latents, to_model, vae_loss, vae_scores
from .vae import VideoAutoencoder
from .weights import load_model, save_model, write_card


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
    """Train a model and return the file of its weights. Call it again to go on after an interruption."""
    trainer = Trainer(config, log)
    trainer.render()
    vae = trainer.train_vae()
    trainer.encode(vae)
    weights = trainer.train_dit(vae)
    trainer.judge(weights)
    return weights


class Trainer:
    """The phases of `train`, one method each."""

    def __init__(self, config: TrainConfig, log: Callable[[str], None]):
        self.config = config
        self.log = log
        self.folder = Path(config.folder)
        self.clips = self.folder / "clips"
        self.latents = self.folder / "latents"
        self.num_shards = -(-config.num_clips // SHARD_SIZE)
        device = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        self.rng = np.random.default_rng(time.time_ns())  # a resumed run must not see the same batches again
        self.generator = torch.Generator().manual_seed(int(self.rng.integers(2**31)))
        for folder in (self.clips, self.latents, self.folder / "sheets"):
            folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)

    def render(self) -> None:
        """Start making clips in the background and wait for the first shard."""
        c = self.config
        if len(shard_paths(self.clips)) < self.num_shards:
            self.log(f"rendering {self.num_shards} shards of {SHARD_SIZE} clips with {c.workers} processes")
            self.renderers = start_rendering(self.clips, self.num_shards, c.seed, c.num_frames, c.size, c.workers)
            self._wait_for_shards(1)

    def _wait_for_shards(self, num: int) -> None:
        while len(shard_paths(self.clips)) < num:
            is_over = not any(process.is_alive() for process in self.renderers)
            if is_over and len(shard_paths(self.clips)) < num:
                raise RuntimeError("The renderers ended before all clips were made; their error stands above.")
            time.sleep(5)

    def train_vae(self) -> VideoAutoencoder:
        """Train the autoencoder on the shards that are there, for its minutes."""
        vae = VideoAutoencoder(self.config.vae).to(self.device)
        optimizers, clock = make_optimizers(vae, self.config.vae_phase), Clock(self.config.vae_phase)
        path = self.folder / "vae.pt"
        if path.exists():
            state = torch.load(path, map_location=self.device, weights_only=True)
            vae.load_state_dict(state["vae"])
            clock.resume(state, optimizers)
        elif self.config.resume_from:
            vae = load_model(Path(self.config.resume_from))[0].to(self.device)
            _save_state(path, {"vae": vae.state_dict(), "optimizers": [], "minutes": 1e9, "step": 0})
            return vae.eval()
        if clock.is_over:
            return vae.eval()
        held_out = self._held_out_clips(32)
        pool = ClipPool(self.clips)

        def save() -> None:
            state = {"vae": vae.state_dict(), "optimizers": [o.state_dict() for o in optimizers]}
            _save_state(path, {**state, "minutes": clock.minutes, "step": clock.step})
            self._record("vae", clock, vae_scores(vae.eval(), held_out))
            vae.train()

        def loss() -> Tensor:
            return vae_loss(
                vae, to_model(pool.draw(self.config.vae_phase.batch, self.rng), self.device), self.generator
            )

        self._run("vae", clock, optimizers, vae, loss, save)
        vae.eval()
        measure_latents(vae, [to_model(pool.draw(32, self.rng), self.device) for _ in range(8)])
        save()
        return vae.eval()

    def encode(self, vae: VideoAutoencoder) -> None:
        """Encode every shard."""
        self._wait_for_shards(self.num_shards)
        for path in shard_paths(self.clips)[: self.num_shards]:
            with self._autocast():
                encode_shard(vae, path, self.latents / path.name, 32, self.device)

    def train_dit(self, vae: VideoAutoencoder) -> Path:
        """Train the transformer for its minutes; the average of its weights is what ships."""
        c = self.config
        dit, ema = OrbitDiT(c.dit).to(self.device), OrbitDiT(c.dit).to(self.device).eval().requires_grad_(False)
        ema.load_state_dict(dit.state_dict())
        optimizers, clock = make_optimizers(dit, c.dit_phase), Clock(c.dit_phase)
        path, weights = self.folder / "dit.pt", self.folder / f"{c.name}.safetensors"
        if path.exists():
            state = torch.load(path, map_location=self.device, weights_only=True)
            dit.load_state_dict(state["dit"])
            ema.load_state_dict(state["ema"])
            clock.resume(state, optimizers)
        elif c.resume_from:
            known = load_model(Path(c.resume_from))[1].state_dict()
            dit.load_state_dict(known)
            ema.load_state_dict(known)
        shards = shard_paths(self.clips)[: self.num_shards]
        clips = load_latents([self.latents / shard.name for shard in shards], shards, c.num_frames, c.size)
        encoder = load_text_encoder().to(self.device)
        forward = torch.compile(dit) if c.compile else dit

        def save() -> None:
            state = {
                "dit": dit.state_dict(),
                "ema": ema.state_dict(),
                "optimizers": [o.state_dict() for o in optimizers],
            }
            _save_state(path, {**state, "minutes": clock.minutes, "step": clock.step})
            save_model(weights, vae, ema, {"num_frames": c.num_frames, "size": c.size, "steps": clock.step})
            write_sheet(self.folder / "sheets" / f"{clock.step:06d}.png", vae, ema, encoder, c.num_frames, c.size)

        def loss() -> Tensor:
            batch = draw_batch(clips, encoder, self.rng, c.dit_phase.batch, c.caption_drop, c.dit.patch, self.device)
            return dit_loss(forward, batch, self.generator, c.time_shift)

        def after_step() -> None:
            update_ema(ema, dit, clock.step, c.ema)

        self._run("dit", clock, optimizers, dit, loss, save, after_step)
        save()
        return weights

    def judge(self, weights: Path) -> None:
        """Train the judge, unless it is there, score the model, and write its card beside the weights."""
        c = self.config
        path = self.folder / "judge.safetensors"
        if not path.exists():
            self.log(f"rendering {c.judge_clips} clips for the judge")
            views, attributes = render_examples(c.judge_clips, c.seed, held_out=None)
            save_judge(path, train_judge(views, attributes, c.judge_epochs, c.seed, bf16=c.bf16, log=self.log))
        vae, dit, settings = load_model(weights)
        encoder = load_text_encoder().to("cpu")
        scores = score(load_judge(path), vae, dit, encoder, c.judged_clips, c.num_frames)
        scores["autoencoder"] = vae_scores(vae, self._held_out_clips(64).cpu())
        compute = {
            "machine": f"{torch.get_num_threads()} threads" if self.device.type == "cpu" else self.device.type,
            "autoencoder_minutes": _minutes(self.folder / "vae.pt"),
            "transformer_minutes": _minutes(self.folder / "dit.pt"),
            "transformer_samples": settings["steps"] * c.dit_phase.batch,
        }
        write_card(weights, scores, compute, f"{len(shard_paths(self.clips)) * SHARD_SIZE} traced clips of the grammar")

    def _run(
        self,
        name: str,
        clock: Clock,
        optimizers: list[torch.optim.Optimizer],
        model: nn.Module,
        loss: Callable[[], Tensor],
        save: Callable[[], None],
        after_step: Callable[[], None] = lambda: None,
    ) -> None:
        """Step until the phase's minutes are used; save in between."""
        saved_at, average = clock.minutes, None
        last = time.monotonic()
        while not clock.is_over:
            for group in (group for optimizer in optimizers for group in optimizer.param_groups):
                group["lr"] = clock.learning_rate()
            with self._autocast():
                value = loss()
            model.zero_grad()
            value.backward()
            shown = float(value.detach())
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            clock.step += 1
            after_step()
            now = time.monotonic()
            clock.minutes += (now - last) / 60
            last = now
            average = shown if average is None else 0.98 * average + 0.02 * shown
            if clock.step % 50 == 0:
                self._record(name, clock, {"loss": average})
            if clock.minutes - saved_at >= self.config.checkpoint_minutes:
                save()
                saved_at = clock.minutes

    def _autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16) if self.config.bf16 else nullcontext()

    def _record(self, phase: str, clock: Clock, values: dict[str, float]) -> None:
        line = {"phase": phase, "step": clock.step, "minutes": round(clock.minutes, 2)}
        line |= {name: round(value, 4) for name, value in values.items()}
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.log(json.dumps(line))

    def _held_out_clips(self, num: int) -> Tensor:
        rng = np.random.default_rng((self.config.seed, 2**32 - 1))
        c = self.config
        clips = []
        for _ in range(num):
            sample = ClipSample(sample_attributes(rng, held_out=True), sample_orbit(rng))
            clips.append(make_clip(sample, rng, c.num_frames, c.size, c.size)[0])
        return to_model(np.stack(clips), self.device)


def _save_state(path: Path, state: dict) -> None:
    """Write beside and rename, so that a crash leaves the last state whole."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _minutes(path: Path) -> float:
    return round(torch.load(path, map_location="cpu", weights_only=True)["minutes"], 1)


class ClipPool:
    """Clips of a folder's finished shards, drawn at random; shards that appear later are taken in."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.shards: dict[Path, np.ndarray] = {}

    def draw(self, num: int, rng: np.random.Generator) -> np.ndarray:
        """Return clips uint8 [num,F,H,W,5]."""
        for path in shard_paths(self.folder):
            if path not in self.shards:
                self.shards[path] = np.load(path, mmap_mode="r")
        shards = list(self.shards.values())
        picks = [shards[rng.integers(len(shards))] for _ in range(num)]
        return np.stack([shard[rng.integers(len(shard))] for shard in picks])


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
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=phase.lr, betas=(0.9, 0.97))]
    if inner:
        matrices = [p for p in model.parameters() if p in inner]
        muon = torch.optim.Muon(matrices, lr=phase.lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
        optimizers.append(muon)
    return optimizers
