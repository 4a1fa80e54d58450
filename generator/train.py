"""Data, autoencoder, transformer: one trainer for every size of the model.

Phases have wall-clock budgets, so a run ends when it was told to; the learning rate warms up, stays, and falls over the
last share of the budget (warm-up, stable, decay: arXiv:2404.06395). Everything lies in one folder and goes on from it:
    clips/      shards of rendered clips          latents/   the same, encoded
    vae.pt      the autoencoder's state           dit.pt     the transformer's state
    log.jsonl   losses and scores                 sheets/    what the model makes, at each checkpoint

Started by `accelerate launch`, several processes train one model: each draws batches of its own and they step by the
mean of their gradients, so that one step sees their number times as many clips. All go by the first one's clock; it
alone writes (latents apart, of which each has its share).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from . import precompile
from .config import PhaseConfig, TrainConfig
from .data import SHARD_SIZE, Recipe, Sample, Subject, draw_scene, sample_orbit
from .formats import Format, batch_of, formats_of, least_side
from .grammar import CATEGORIES, sample_attributes
from .judge import load_judge, save_judge, train_judge
from .judged import render_examples, score
from .optimizers import Clock, make_optimizers
from .precompile import compile_blocks
from .ranks import join
from .shard_clips import ShardClips
from .sheet import write_sheet
from .stepper import Stepper, autocast
from .text import TextEncoder, load_text_encoder
from .train_dit import (
    Batch,
    Feed,
    LatentClips,
    Mixture,
    Rota,
    count_known,
    describe,
    dit_loss,
    draw_batches,
    ema_weight,
    encode_clips,
    update_ema,
)
from .train_state import DitRun, add_line, minutes_of, save_state
from .train_vae import halve, measure_latents, to_model, vae_loss, vae_scores
from .vae import SPACE, VideoAutoencoder
from .weights import load_model, model_path, save_model, write_card
from .workers import Workers

ENCODED_AT_ONCE = 64  # clips
STEPS_READ = 16  # steps whose captions are read at once on a GPU, which is then never kept waiting for words


def train(config: TrainConfig, *, log: Callable[[str], None] = print) -> Path:
    """Train a model and return the file of its weights. Call it again to go on after an interruption.

    Raises FileNotFoundError where the corpus or the weights to start from are missing, ImportError where several
    processes or Ray are asked for and their package is not installed. Of several processes the first one writes.
    """
    check(config)
    trainer = Trainer(config, log)
    trainer.render()
    vae = trainer.train_vae()
    clips = trainer.encode(vae)
    weights = trainer.train_dit(vae, clips)
    if trainer.ranks.is_first:
        trainer.judge(weights)
        log(f"weights: {weights}")
    return weights


def check(config: TrainConfig) -> None:
    """Raise FileNotFoundError or ImportError, with the cure, where the settings name what is not there."""
    _workers(config).check()
    if config.corpus and not Path(config.corpus).is_file():
        cure = f"pack it (python -m generator.corpus FOLDER {config.corpus}) or train without it (corpus: '')"
        raise FileNotFoundError(f"There is no corpus {config.corpus}: {cure}.")
    if config.resume_from:
        model_path(config.resume_from)
    if config.teacher:
        model_path(config.teacher)
        if config.vae_phase.minutes > 0 or not config.resume_from:
            raise ValueError("A teacher needs its own autoencoder: set resume_from and vae_phase.minutes 0.")
        if not config.focus:
            raise ValueError("A teacher knows all kinds but those of focus: name there the ones to learn.")
        if not 0 < config.teacher_share < 1 - config.edit_share:
            raise ValueError("teacher_share must lie between 0 and what edit_share leaves of a batch.")
    formats_of(config)
    if config.fine_share > 0 and not config.sees_halves:
        raise ValueError("fine_share is for a model that begins clips at half the size: set half_share, too.")
    if not (0 <= config.fine_share <= 1 and 0 < config.fine_until <= 1):
        raise ValueError("fine_share lies between 0 and 1, fine_until above 0 and up to 1.")
    unknown = [name for name in config.focus if name not in CATEGORIES]
    if unknown or (config.focus_share > 0 and not config.focus):
        wrong = f"There is no category {unknown[0]!r}" if unknown else "focus_share is set, but focus names no category"
        raise ValueError(f"{wrong}; there are: {', '.join(CATEGORIES)}.")


class Trainer:
    """The phases of `train`, one method each."""

    def __init__(self, config: TrainConfig, log: Callable[[str], None]):
        self.config = config
        self.started = time.monotonic()
        self.num_shards = -(-config.num_clips // SHARD_SIZE)
        self.ranks = join(config.device)
        if self.num_shards < self.ranks.count:
            raise ValueError(
                f"{self.ranks.count} processes need a shard of {SHARD_SIZE} clips each: "
                f"num_clips must be {(self.ranks.count - 1) * SHARD_SIZE + 1} or more, not {config.num_clips}."
            )
        self.device = self.ranks.device
        self.log = log if self.ranks.is_first else lambda line: None
        self.folder = Path(config.folder)
        self.latents = self.folder / "latents"
        self.formats = formats_of(config)
        self.num_sizes = len(self.formats) - len(config.formats)
        self.teacher_share = config.teacher_share if config.teacher else 0.0
        self.weights = self.folder / f"{config.name}.safetensors"
        if self.ranks.is_first:
            (self.folder / "sheets").mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        seed = self.ranks.first(time.time_ns() % 2**31) + self.ranks.rank  # resumed runs must not repeat batches
        self.generator = torch.Generator().manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True

    def render(self) -> None:
        """Start making clips in the background and wait for the first shard."""
        c = self.config
        recipe = Recipe(c.seed, c.corpus, c.corpus_share, c.edit_pairs_share, tuple(c.focus), c.focus_share)
        if self.device.type == "cuda":
            from .device_clips import DeviceClips

            if c.compile and self.ranks.local_rank == 0:
                precompile.start(c)
            self.source = DeviceClips(recipe, self.num_shards, c.num_frames, c.size, _workers(c), self.ranks)
        else:
            how = (recipe, self.num_shards, c.num_frames, c.size, _workers(c), self.ranks)
            self.source = ShardClips(self.folder / "clips", *how)
        drawn_by = f"{c.workers} processes" if c.engine == "pool" else "Ray's workers"
        self.log(f"{self.num_shards} shards of {SHARD_SIZE} clips, drawn by {drawn_by}; {self.ranks.count} training")
        self.source.start()

    def train_vae(self) -> VideoAutoencoder:
        """Train the autoencoder on the shards that are there, for its minutes."""
        c = self.config
        vae = VideoAutoencoder(c.vae).to(self.device)
        optimizers, clock = make_optimizers(vae, c.vae_phase), Clock(c.vae_phase)
        path = self.folder / "vae.pt"
        state = self._saved(path)
        if state is not None:
            vae.load_state_dict(state["vae"])
            clock.resume(state, optimizers)
        elif c.resume_from:
            vae.load_state_dict(load_model(model_path(c.resume_from))[0].state_dict())
        self.ranks.align(vae)
        if clock.is_over:
            return vae.eval()
        held_out = self._held_out_clips(32) if self.ranks.is_first else torch.empty(0)

        def save() -> None:
            state = {"vae": vae.state_dict(), "optimizers": [o.state_dict() for o in optimizers]}
            save_state(path, {**state, "minutes": clock.minutes, "step": clock.step})
            with self._autocast():
                self._record("vae", clock, vae_scores(vae.eval(), held_out))
            vae.train()

        def draw() -> dict[str, Tensor]:
            x = self.source.draw(c.vae_phase.batch, self.generator).to(self.device)
            return {"x": halve(x) if c.sees_halves and clock.step % 4 == 3 else x}

        def loss(x: Tensor) -> Tensor:
            return vae_loss(vae, x, self.generator)

        stepper = Stepper(loss, vae, optimizers, self._graphs(c.vae_phase), ranks=self.ranks)
        self._run("vae", clock, stepper, draw, save)
        vae.eval()
        batches = [self.source.draw(32, self.generator).to(self.device) for _ in range(8)]
        with self._autocast():
            measure_latents(vae, batches)
        self.ranks.align(vae)
        self._first(save)
        return vae.eval()

    def encode(self, vae: VideoAutoencoder) -> list[LatentClips]:
        """Encode this rank's shards: at half the size, where the transformer begins with it, at the full size, and in
        each other format."""
        parts: list[list[LatentClips]] = [[] for _ in self.formats]
        encoder = load_text_encoder()
        with ThreadPoolExecutor(1) as reader:
            for name, clips, samples in self.source.shards():
                described = reader.submit(describe, samples, encoder)  # while the device renders and encodes
                known = self._known(samples)
                for form, into in zip(self.formats, parts):
                    path = self.latents / f"{name}-{str(form).replace(' ', '-')}.safetensors"
                    if path.exists():
                        into.append(LatentClips(**load_file(path), known=known))
                        continue
                    encoded = self._encode(vae, form, clips(), *described.result(), known, seed=int(name))
                    if self.source.keeps:
                        path.parent.mkdir(exist_ok=True)
                        partial = path.with_suffix(".partial")
                        tensors = {field: value.cpu().contiguous() for field, value in encoded.tensors().items()}
                        del tensors["known"]  # which another teacher would not
                        save_file(tensors, partial)
                        partial.replace(path)
                    into.append(encoded)
        store = self.device if self.device.type == "cuda" else torch.device("cpu")
        joined = [LatentClips.concatenate(part) for part in parts]
        if self.teacher_share and not all(len(some) for some in joined[0].by_teacher):
            raise ValueError("All clips show kinds of focus, or none does: a teacher needs both; change focus_share.")
        return [LatentClips(*(value.to(store) for value in clips.tensors().values())) for clips in joined]

    def _encode(
        self,
        vae: VideoAutoencoder,
        form: Format,
        clips: Tensor,
        tokens: Tensor,
        edit: Tensor,
        orbits: Tensor,
        known: Tensor,
        seed: int,
    ) -> LatentClips:
        """Cut the clips of a shard to a format and encode them."""
        generator, pieces = torch.Generator().manual_seed(seed), []
        with torch.no_grad(), self._autocast():
            for piece, seen_from in zip(clips.split(ENCODED_AT_ONCE), orbits.split(ENCODED_AT_ONCE)):
                cut, seen_from = form.cut(to_model(piece, self.device), seen_from.to(self.device), generator)
                pieces.append((*encode_clips(vae, cut, not form.is_part), seen_from))
        z, still, camera = (torch.cat(part) for part in zip(*pieces))
        return LatentClips(z, still, tokens, edit, camera.cpu(), known)

    def _known(self, samples: list[Sample]) -> Tensor:
        """Tell which clips show nothing that the teacher does not know."""
        if not self.config.teacher:
            return torch.zeros(len(samples), dtype=torch.bool)
        shown = ([a.category, a.other_category] if (a := sample.attributes) else [] for sample in samples)
        return torch.tensor([set(self.config.focus).isdisjoint(kinds) for kinds in shown])

    def train_dit(self, vae: VideoAutoencoder, clips: list[LatentClips]) -> Path:
        """Train the transformer for its minutes; the average of its weights is what ships."""
        run = DitRun.start(self.config, self.device, self._saved(self.folder / "dit.pt"))
        for model in (run.dit, run.ema):
            self.ranks.align(model)
        encoder = load_text_encoder().to(self.device)
        if self.config.compile:
            for network in (run.dit, run.teacher):
                if network is not None:
                    compile_blocks(network)
        names = ("half", "dit")[-len(run.clocks) :]
        for number, (name, clock, rota) in enumerate(zip(names, run.clocks, self._rotas(clips))):
            is_last = number == len(names) - 1
            if clock.is_over and not is_last:
                continue
            optimizers = make_optimizers(run.dit, clock.phase)
            if run.saved is not None and run.saved["phase"] == number:
                clock.resume({**run.saved, "minutes": clock.minutes, "step": clock.step}, optimizers)
            if is_last and not clock.is_over:
                self._meet_deadline(clock)
            stepper, draw = self._dit_steps(run, clock, rota, optimizers, encoder)

            def save(number=number, rota=rota, optimizers=optimizers) -> None:
                save_state(self.folder / "dit.pt", run.state(number, optimizers))
                settings = self._settings(run)
                save_model(self.weights, vae, run.ema, settings)
                size = rota.full.clips.z.shape[-1] * SPACE
                sheet = self.folder / "sheets" / f"{run.steps:06d}.png"
                write_sheet(sheet, vae, run.ema, encoder, self.config.num_frames, size, least_side(settings))

            self._run(name, clock, stepper, draw, save)
            self._first(save)
        return self.weights

    def _rotas(self, clips: list[LatentClips]) -> list[Rota]:
        """Return which clips each phase sees; the last one all formats."""
        c = self.config
        full = Rota(Feed(clips[self.num_sizes - 1], c.dit_phase.batch))
        full.half, full.half_share = Feed(clips[0], c.half_phase.batch), c.half_share
        cuts = zip(self.formats[self.num_sizes :], clips[self.num_sizes :])
        full.others, full.other_share = [Feed(cut, batch_of(c, form)) for form, cut in cuts], c.format_share
        return [Rota(Feed(clips[0], c.half_phase.batch)), full] if c.half_phase.minutes > 0 else [full]

    def _dit_steps(
        self, run: DitRun, clock: Clock, rota: Rota, optimizers: list[torch.optim.Optimizer], encoder: TextEncoder
    ) -> tuple[Stepper, Callable[[], dict[str, Tensor]]]:
        """Return what takes a phase's steps, and what draws the tensors of each."""
        c = self.config
        mixture = Mixture(c.caption_drop, c.picture_share, c.edit_share, self.teacher_share)
        num_cells = self.formats[self.num_sizes - 1].num_cells  # of a clip of the full size
        sizes = {form.latent_shape for form in self.formats[: self.num_sizes]}  # a teacher is not asked for others
        weight = torch.zeros((), device=self.device)

        @torch.no_grad()
        def read(clips: LatentClips, batch: int) -> list[Batch]:
            steps = STEPS_READ if self.device.type == "cuda" else 1
            with self._autocast():
                return draw_batches(clips, encoder, steps, batch, mixture, c.dit.patch, self.device, self.generator)

        def draw() -> dict[str, Tensor]:
            weight.fill_(ema_weight(run.steps, c.ema))
            return rota.feed(clock.step).draw(read).tensors()

        def loss(**tensors: Tensor) -> Tensor:
            batch = Batch(**tensors)
            frames, _, height, width = batch.z.shape[1:]
            shift = c.time_shift * math.sqrt(frames * height * width / num_cells)
            known = count_known(len(batch.z), self.teacher_share) if (frames, height, width) in sizes else 0
            fine = c.fine_share if height * SPACE == c.size else 0.0
            return dit_loss(run.dit, batch, self.generator, shift, run.teacher, known, fine, c.fine_until)

        def after_step() -> None:
            update_ema(run.ema, run.dit, weight)

        return Stepper(loss, run.dit, optimizers, self._graphs(clock.phase), after_step, self.ranks), draw

    def _meet_deadline(self, clock: Clock) -> None:
        """Give the last phase what the others have left of the minutes in all, where these are set."""
        if self.config.total_minutes > 0:
            left = self.config.total_minutes - self.ranks.first_number((time.monotonic() - self.started) / 60)
            clock.phase = replace(clock.phase, minutes=max(clock.minutes + left, 0.1))

    def _settings(self, run: DitRun) -> dict[str, Any]:
        """Return what the header of the weights says about them."""
        c = self.config
        learnt = self.formats[:1] if c.half_share > 0 else []  # what half_phase saw is forgotten
        learnt = learnt + (self.formats[self.num_sizes :] if c.format_share > 0 else [])
        known = {"num_frames": c.num_frames, "size": c.size, "steps": run.steps, "formats": list(map(str, learnt))}
        return {**known, "categories": len(CATEGORIES)}

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
            shape = (c.num_frames, c.size, least_side(settings))
            scores = score(judge, vae, dit, encoder, c.judged_clips, *shape, workers=c.workers)
            scores["autoencoder"] = vae_scores(vae, self._held_out_clips(64))
        compute = {
            "machine": f"{torch.get_num_threads()} threads" if self.device.type == "cpu" else self.device.type,
            "processes": self.ranks.count,
            "autoencoder_minutes": minutes_of(self.folder / "vae.pt"),
            "transformer_minutes": minutes_of(self.folder / "dit.pt"),
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
                known = self.ranks.mean(float(average) / weight)  # waits for the device
                if not math.isfinite(known):
                    raise RuntimeError(
                        f"The loss of {name} is {known} after {clock.step} steps: lower lr, or turn off bf16 or "
                        "compile; training goes on from the last checkpoint."
                    )
                self._record(name, clock, {"loss": known})
            now = time.monotonic()
            clock.minutes += self.ranks.first_number((now - last) / 60)  # one clock, so that all stop at one step
            last = now
            if clock.minutes - saved_at >= self.config.checkpoint_minutes:
                self._first(save)
                saved_at = clock.minutes

    def _first(self, save: Callable[[], None]) -> None:
        """Let the first rank save, the others wait for it."""
        if self.ranks.is_first:
            save()
        self.ranks.wait()

    def _saved(self, path: Path) -> dict | None:
        """Return the state that the first rank has saved, to all; None where there is none."""
        found = self.ranks.is_first and path.exists()
        return self.ranks.first(torch.load(path, map_location="cpu", weights_only=True) if found else None)

    def _graphs(self, phase: PhaseConfig) -> bool:
        """Tell whether steps are recorded; Muon's reads its learning rate on the host."""
        return self.device.type == "cuda" and self.config.compile and phase.optimizer == "adamw"

    def _autocast(self) -> AbstractContextManager:
        return autocast(self.device, self.config.bf16)

    def _record(self, phase: str, clock: Clock, values: dict[str, float]) -> None:
        line = {"phase": phase, "step": clock.step, "minutes": round(clock.minutes, 2)}
        line |= {name: round(value, 4) for name, value in values.items()}
        if not self.ranks.is_first:
            return
        add_line(self.folder / "log.jsonl", json.dumps(line))
        self.log(json.dumps(line))

    def _held_out_clips(self, num: int) -> Tensor:
        rng = np.random.default_rng((self.config.seed, 2**32 - 1))
        drawn: list[tuple[Sample, Subject]] = [
            draw_scene(sample_attributes(rng, held_out=True), sample_orbit(rng), rng, rng) for _ in range(num)
        ]
        return to_model(self.source.render(drawn), self.device)


def _workers(config: TrainConfig) -> Workers:
    return Workers(config.workers, config.engine, config.ray_address)
