"""Training: losses by hand, phases from data to card in seconds, and going on after an interruption."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from generator import device_clips
from generator.condition import orbit_condition
from generator.config import PhaseConfig, TrainConfig
from generator.data import NUM_CAPTIONS, SHARD_SIZE, Recipe, draw_shard, encode_depth, read_samples, write_shard
from generator.dit import OrbitDiT
from generator.mesh_tracer import trace_mesh
from generator.optimizers import Clock, make_optimizers
from generator.precompile import noise_batch
from generator.ranks import Ranks
from generator.shard_clips import ShardClips
from generator.text import load_text_encoder
from generator.tracer import trace_clip
from generator.train import Trainer, _add_line, train
from generator.train_dit import (
    LatentClips,
    Mixture,
    describe,
    dit_loss,
    draw_batches,
    ema_weight,
    encode_clips,
    encode_picture,
    update_ema,
)
from generator.train_vae import channel_weights, halve, reconstruction_loss, to_model, vae_loss, vae_scores
from generator.vae import VideoAutoencoder
from generator.weights import card, load_model, save_model
from generator.workers import Workers
from generator_parts import DIT, VAE, awake, tiny_dit, tiny_vae

FRAMES, SIZE = 4, 16
CPU = torch.device("cpu")
RECIPE = Recipe(edit_pairs_share=0.5)
REFERRING = replace(DIT, has_reference=True)


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("training") / "clips"
    folder.mkdir()
    write_shard(folder, 0, RECIPE, FRAMES, SIZE)
    return folder / "0000.npy"


@pytest.fixture(scope="module")
def clips(shard) -> torch.Tensor:
    return to_model(torch.from_numpy(np.load(shard)[:16]), CPU)


def tiny(folder: Path, **changes) -> TrainConfig:
    phase = PhaseConfig(minutes=0.04, batch=4, warmup=5)
    config = TrainConfig(
        name="tiny",
        folder=str(folder),
        num_frames=FRAMES,
        size=SIZE,
        num_clips=SHARD_SIZE,
        workers=1,
        edit_pairs_share=0.5,
        vae=VAE,
        dit=DIT,
        vae_phase=phase,
        dit_phase=phase,
        judge_clips=8,
        judge_epochs=1,
        judged_clips=2,
        device="cpu",
        bf16=False,
        checkpoint_minutes=0.01,
    )
    return replace(config, **changes)


# The autoencoder's losses


def test_clips_come_in_as_channels(clips, shard):
    assert clips.shape == (16, FRAMES, 5, SIZE, SIZE)
    assert torch.equal((clips[3, 1, 4] * 255).round().byte(), torch.from_numpy(np.load(shard)[3, 1, ..., 4]))


def test_depth_counts_on_the_subject_alone(clips):
    weights, alpha = channel_weights(clips), clips[:, :, 3]
    assert not weights[:, :, 4][alpha == 0].any()
    assert (weights[:, :, 0][alpha == 1] == 4 * weights[:, :, 0][alpha == 0].mean()).all()
    wrong = clips.clone()
    wrong[:, :, 4][alpha == 0] += 0.5
    assert reconstruction_loss(wrong, clips) < 0.03  # only through gradients across the silhouette
    wrong[:, :, 4][alpha > 0] += 0.5
    assert reconstruction_loss(wrong, clips) > 0.1


def test_reconstruction_loss_is_zero_for_the_same_and_by_hand_for_a_constant(clips):
    assert reconstruction_loss(clips, clips) == 0
    mean_weight = channel_weights(clips).mean().item()
    expected = mean_weight * (0.1 + 0 + 2 * 0.01 + 0.1)  # L1, no gradient, MSE, half size
    assert reconstruction_loss(clips + 0.1, clips).item() == pytest.approx(expected, rel=1e-4)


def test_autoencoder_loss_falls(clips):
    torch.manual_seed(0)
    vae, generator = VideoAutoencoder(VAE), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(vae.parameters(), 5e-3)
    losses = []
    for step in range(40):
        loss = vae_loss(vae, clips[step % 4 :: 4], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:4])


@torch.no_grad()
def test_scores_are_those_of_the_round_trip(clips):
    vae = tiny_vae()
    y = vae.decode(vae.encode(clips)).clamp(0, 1)
    scores = vae_scores(vae, clips)
    assert scores["rgb_psnr"] == pytest.approx(-10 * np.log10((y - clips)[:, :, :3].square().mean().item()), abs=1e-3)
    subject = clips[:, :, 3] > 0.5
    assert scores["depth_psnr"] == pytest.approx(
        -10 * np.log10((y - clips)[:, :, 4][subject].square().mean().item()), abs=1e-3
    )
    covered = y[:, :, 3] > 0.5
    assert scores["alpha_iou"] == pytest.approx((subject & covered).sum().item() / (subject | covered).sum().item())


# The transformer's losses and batches


@pytest.fixture(scope="module")
def samples(shard):
    return read_samples(shard)


@pytest.fixture(scope="module")
def latents(shard, samples) -> LatentClips:
    z, still = encode_clips(tiny_vae(), to_model(torch.from_numpy(np.load(shard)), CPU))
    return LatentClips(z, still, *describe(samples, load_text_encoder()))


def draw(latents: LatentClips, size: int = 6, seed: int = 0, **shares):
    generator = torch.Generator().manual_seed(seed)
    return draw_batches(latents, load_text_encoder(), 2, size, Mixture(**shares), DIT.patch, CPU, generator)[1]


def row(latents: LatentClips, z: torch.Tensor) -> int:
    """The clip that a latent of a batch is of."""
    return int((latents.z.float() == z).flatten(1).all(1).nonzero()[0])


def test_clips_are_encoded_whole_and_by_their_first_frame(latents, clips):
    vae = tiny_vae()
    assert latents.z.shape == (SHARD_SIZE, FRAMES // 2, VAE.latent_channels, 2, 2)
    still = clips.clone()
    still[:, 1:] = still[:, :1]
    still[:, :, 4] = 0.5  # a picture says nothing of depth
    with torch.no_grad():
        torch.testing.assert_close(latents.z[:16].float(), vae.encode(clips), rtol=2e-3, atol=2e-3)
        picture = encode_picture(vae, clips[:, 0, :4])
        torch.testing.assert_close(picture, vae.encode(still[:, :2])[:, 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(latents.still[:16].float(), picture, rtol=2e-3, atol=2e-3)


def test_samples_are_described_by_numbers(latents, samples):
    encoder = load_text_encoder()
    assert latents.tokens.shape[:2] == (SHARD_SIZE, NUM_CAPTIONS)
    assert torch.equal(latents.tokens[7, 2].long(), encoder.tokenize([samples[7].captions[2]])[0])
    edits = [i for i, sample in enumerate(samples) if sample.edit]
    assert latents.edits.tolist() == edits
    assert len(edits) > 30
    assert torch.equal(latents.edit[edits[0]].long(), encoder.tokenize([samples[edits[0]].edit])[0])
    orbit = samples[9].orbit
    assert latents.camera[9].tolist() == pytest.approx([*asdict(orbit).values()])


def test_shards_join(latents):
    joined = LatentClips.concatenate([latents, latents])
    assert len(joined.z) == 2 * SHARD_SIZE
    assert torch.equal(joined.tokens[SHARD_SIZE:], latents.tokens)
    assert len(joined.edits) == 2 * len(latents.edits)


def test_a_batch_is_clips_with_their_own_rays_and_words(latents, samples):
    batch, encoder = draw(latents, caption_drop=0.0), load_text_encoder()
    assert len({row(latents, z) for z in batch.z}) > 3
    for z, rays, angles, text, mask in zip(batch.z, batch.rays, batch.angles, batch.text, batch.text_mask):
        index = row(latents, z)
        expected = orbit_condition(latents.camera[index : index + 1], FRAMES, SIZE, SIZE, DIT.patch)
        assert torch.allclose(rays, expected[0][0])
        assert torch.allclose(angles, expected[1][0])
        states = encoder(list(samples[index].captions))[0]
        errors = [(text - state[: len(text)])[mask].abs().max() for state in states]
        assert min(errors) < 1e-4
    assert batch.reference is None


def test_dropped_captions_are_empty(latents):
    assert draw(latents, 5, caption_drop=1.0).text_mask.sum(1).tolist() == [2] * 5  # start and end


def test_pictures_are_given_as_the_first_frame(latents):
    batch = draw(latents, 40, picture_share=0.5)
    given = batch.given
    assert 10 <= given[:, 0].sum() <= 30
    assert not given[:, 1:].any()
    i = int(given[:, 0].nonzero()[0])
    assert torch.equal(batch.reference[i, 0], latents.still[row(latents, batch.z[i])].float())


def test_edits_are_given_what_they_are_made_from(latents):
    batch = draw(latents, 8, caption_drop=0.0, edit_share=0.5)
    assert batch.given.all(1).tolist() == [False] * 4 + [True] * 4
    for z, reference, text, mask in zip(batch.z[4:], batch.reference[4:], batch.text[4:], batch.text_mask[4:]):
        index = row(latents, z)
        assert index in latents.edits
        assert torch.equal(reference, latents.z[index - 1].float())
        told = load_text_encoder().encode(latents.edit[index : index + 1].long())[0][0]
        assert (text - told)[mask].abs().max() < 1e-4


def test_an_edit_keeps_the_shape():
    drawn = draw_shard(replace(RECIPE, edit_pairs_share=1.0), 0)
    for (before, scene), (after, edited) in zip(drawn[::2], drawn[1::2]):
        assert after.edit
        assert not before.edit
        assert before.orbit == after.orbit
        assert np.array_equal(scene[:, :20], edited[:, :20])  # all but the looks
        assert before.attributes != after.attributes


def test_the_loss_of_a_silent_model_is_the_size_of_the_velocity(latents):
    batch = draw(latents)
    generator = torch.Generator().manual_seed(0)
    loss = dit_loss(OrbitDiT(DIT), batch, generator, 1.0)
    generator.manual_seed(0)
    torch.randn(6, generator=generator)  # the times
    eps = torch.randn(batch.z.shape, generator=generator)
    assert loss.item() == pytest.approx((eps - batch.z).square().mean().item(), rel=1e-5)


def test_transformer_loss_falls(latents):
    torch.manual_seed(0)
    dit, generator = awake(OrbitDiT(REFERRING)), torch.Generator().manual_seed(0)
    batch = draw(latents, 32, picture_share=0.2, edit_share=0.2)
    optimizer = torch.optim.AdamW(dit.parameters(), 5e-3)
    losses = []
    for _ in range(60):
        loss = dit_loss(dit, batch, generator, 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_the_average_forgets_the_start_and_then_goes_slowly():
    ema, dit = tiny_dit(0), tiny_dit(1)
    start = [p.clone() for p in ema.parameters()]
    update_ema(ema, dit, ema_weight(0, 0.999))
    for old, new, now in zip(start, dit.parameters(), ema.parameters()):
        torch.testing.assert_close(now, 0.1 * old + 0.9 * new)
    before = [p.clone() for p in ema.parameters()]
    update_ema(ema, tiny_dit(2), ema_weight(10**6, 0.999))
    for old, new, now in zip(before, tiny_dit(2).parameters(), ema.parameters()):
        torch.testing.assert_close(now, 0.999 * old + 0.001 * new)


# Clock, pool, optimizers


def test_the_learning_rate_warms_up_stays_and_falls():
    clock = Clock(PhaseConfig(minutes=10, lr=2.0, warmup=4, decay_share=0.5))
    rates = []
    for clock.step, clock.minutes in enumerate(np.linspace(0, 10, 101)):
        rates.append(clock.learning_rate())
    assert rates[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert rates[4:51] == pytest.approx([2.0] * 47)
    assert np.diff(rates[50:]) == pytest.approx([-0.04] * 50)
    assert rates[-1] == 0
    assert clock.is_over
    clock.minutes, clock.resumed_at = 2.0, clock.step
    assert clock.learning_rate() == pytest.approx(0.5)  # a resumed run warms up again


def test_a_clock_takes_up_minutes_steps_and_optimizers():
    def optimizer() -> torch.optim.AdamW:
        return torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.1)

    old = optimizer()
    old.param_groups[0]["params"][0].sum().backward()
    old.step()
    clock, new = Clock(PhaseConfig(minutes=10, lr=2.0, warmup=4)), optimizer()
    clock.resume({"minutes": 3.0, "step": 50, "optimizers": [old.state_dict()]}, [new])
    assert (clock.minutes, clock.step) == (3.0, 50)
    assert clock.learning_rate() == pytest.approx(0.5)  # the first of four warm steps
    assert new.state_dict()["state"][0]["step"] == 1


def test_clips_are_drawn_from_every_shard_also_from_later_ones(tmp_path):
    pool, generator = ShardClips(tmp_path, RECIPE, 2, 2, 4, Workers()), torch.Generator().manual_seed(0)
    for index in range(2):
        np.save(tmp_path / f"{index:04d}.npy", np.full((3, 2, 4, 4, 5), 255 * index, np.uint8))
        drawn = pool.draw(40, generator)
        assert drawn.shape == (40, 2, 5, 4, 4)
        assert set(drawn.unique().tolist()) == set(map(float, range(index + 1)))


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_every_weight_has_one_optimizer(name):
    dit = tiny_dit()
    optimizers = make_optimizers(dit, PhaseConfig(optimizer=name))
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    held = [p for group in groups for p in group["params"]]
    assert len(held) == len({id(p) for p in held}) == len(list(dit.parameters()))
    assert all(p.ndim >= 2 for group in groups if group["weight_decay"] > 0 for p in group["params"])
    if name == "muon":
        inner = {id(p) for p in optimizers[1].param_groups[0]["params"]}
        assert inner == {id(p) for n, p in dit.blocks.named_parameters() if n.endswith("weight") and p.ndim == 2}


# The whole walk


def test_a_line_goes_behind_half_a_line_and_not_into_it(tmp_path):
    path = tmp_path / "log.jsonl"
    for line in ('{"step": 1}', '{"step": 2}'):
        _add_line(path, line)
    path.write_bytes(path.read_bytes() + b'{"st')  # a full disk's last words
    _add_line(path, '{"step": 3}')
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n{"st\n{"step": 3}\n'


@pytest.fixture(scope="module")
def trained(shard, tmp_path_factory) -> tuple[TrainConfig, list[dict], list[dict], Path]:
    """A run that is interrupted at its first checkpoint, and the run that goes on; the records of both."""
    folder = shard.parent.parent
    first: list[dict] = []
    second: list[dict] = []

    def interrupt(line: str) -> None:
        if line.startswith("{"):
            first.append(json.loads(line))
            if "rgb_psnr" in line:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny(folder), log=interrupt)
    weights = train(tiny(folder), log=lambda line: second.append(json.loads(line)) if line.startswith("{") else None)
    return tiny(folder), first, second, weights


def test_a_run_goes_on_where_it_was_interrupted(trained):
    config, first, second, _ = trained
    stopped = first[-1]
    assert 0 < stopped["minutes"] < config.vae_phase.minutes
    resumed = [record for record in second if record["phase"] == "vae"]
    assert resumed[0]["step"] > stopped["step"] > 0
    assert resumed[0]["minutes"] >= stopped["minutes"]
    steps = [record["step"] for record in resumed]
    assert steps == sorted(steps)
    assert torch.load(Path(config.folder) / "vae.pt", weights_only=True)["step"] == steps[-1]


def test_a_run_ends_when_it_was_told_to(trained):
    config, *_ = trained
    for phase, told in (("vae", config.vae_phase), ("dit", config.dit_phase)):
        state = torch.load(Path(config.folder) / f"{phase}.pt", weights_only=True)
        used = state["minutes"] if phase == "vae" else state["minutes"][0]
        assert told.minutes <= used < told.minutes + 0.2  # the last step may be a slow one


def test_a_run_leaves_weights_sheet_log_and_card(trained):
    config, first, second, weights = trained
    folder = Path(config.folder)
    vae, dit, settings = load_model(weights)
    assert (vae.config, dit.config) == (VAE, DIT)
    assert settings["steps"] == sum(torch.load(folder / "dit.pt", weights_only=True)["step"])
    assert (folder / "sheets" / f"{settings['steps']:06d}.png").is_file()
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert records == first + second
    known = card(str(weights))
    assert {"seen", "held_out", "seen_ceiling", "held_out_ceiling", "autoencoder"} == set(known["scores"])
    assert known["compute"]["transformer_steps"] == settings["steps"]
    assert not torch.equal(vae.latent_std, torch.ones(VAE.latent_channels))  # measured


def test_training_again_changes_nothing(trained):
    config, _, _, weights = trained
    before = load_file(weights)
    trainer = Trainer(config, lambda line: None)
    trainer.render()
    vae = trainer.train_vae()
    assert trainer.train_dit(vae, trainer.encode(vae)) == weights
    after = load_file(weights)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_run_can_start_from_weights(shard, tmp_path):
    start = tmp_path / "start.safetensors"
    save_model(start, tiny_vae(3), tiny_dit(3), {"num_frames": FRAMES, "size": SIZE, "steps": 9})
    (tmp_path / "run" / "clips").mkdir(parents=True)
    for path in (shard, shard.with_suffix(".json")):
        (tmp_path / "run" / "clips" / path.name).write_bytes(path.read_bytes())
    config = tiny(
        tmp_path / "run", resume_from=str(start), vae_phase=PhaseConfig(minutes=0), dit_phase=PhaseConfig(minutes=0)
    )
    trainer = Trainer(config, lambda line: None)
    trainer.render()
    vae = trainer.train_vae()
    read = load_model(trainer.train_dit(vae, trainer.encode(vae)))
    for known, value in zip(load_model(start)[:2], read[:2]):
        assert all(torch.equal(a, b) for a, b in zip(known.state_dict().values(), value.state_dict().values()))


def test_the_transformer_begins_at_half_the_size_and_ends_with_the_time(tmp_path):
    phase, told = PhaseConfig(minutes=0.04, batch=4, warmup=5), []
    config = tiny(
        tmp_path,
        size=32,
        half_phase=phase,
        dit=REFERRING,
        picture_share=0.3,
        edit_share=0.3,
        judge_clips=0,
        total_minutes=1e-3,
    )
    trainer = Trainer(config, lambda line: told.append(json.loads(line)) if line.startswith("{") else None)
    trainer.render()
    vae = trainer.train_vae()
    clips = trainer.encode(vae)
    assert [latent.z.shape[-1] for latent in clips] == [2, 4]
    whole = to_model(next(trainer.source.shards())[1](), CPU)
    with torch.no_grad():
        assert torch.allclose(clips[0].z[:8].float(), vae.encode(halve(whole[:8])), atol=2e-2)
    weights = trainer.train_dit(vae, clips)
    state = torch.load(tmp_path / "dit.pt", weights_only=True)
    assert state["minutes"][0] >= 0.04
    assert state["minutes"][1] >= 0.1  # no less than that, or the weights would not have seen the full size
    assert load_model(weights)[2]["steps"] == sum(state["step"])
    trainer.judge(weights)
    assert not weights.with_suffix(".json").exists()


def test_a_step_is_compiled_on_batches_of_the_trainers_kind(latents):
    config = tiny(Path("unused"), dit=REFERRING, picture_share=0.3, edit_share=0.3)
    known, noise = draw(latents, 4, picture_share=0.3, edit_share=0.3), noise_batch(config, SIZE, 4, CPU)
    for name, value in vars(known).items():
        other = getattr(noise, name)
        assert (value.shape, value.dtype) == (other.shape, other.dtype), name
    plain = noise_batch(replace(config, picture_share=0.0, edit_share=0.0), SIZE, 4, CPU)
    assert plain.reference is None


def test_clips_of_a_device_are_those_of_the_files(shard, monkeypatch):
    """The same draws, rendered when wanted: with the CPU's tracers in the place of the kernels."""

    def traced(subjects, c2w, K, height, width):
        tracers = [trace_clip if isinstance(subject, np.ndarray) else trace_mesh for subject in subjects]
        return [t(s, c.numpy(), k.numpy(), height, width) for t, s, c, k in zip(tracers, subjects, c2w, K)]

    def encoded(traces, radius):
        clips = []
        for trace, distance in zip(traces, radius):
            depth = encode_depth(trace.depth, trace.alpha, float(distance))
            clips.append(np.concatenate([trace.rgb, 255 * trace.alpha[..., None], 255 * depth[..., None]], axis=-1))
        return torch.from_numpy(np.stack(clips).round().astype(np.uint8))

    for name, stand_in in {"trace_clips": traced, "trace_meshes": traced, "encode_clips": encoded}.items():
        monkeypatch.setattr(device_clips, name, stand_in)
    source = device_clips.DeviceClips(RECIPE, 1, FRAMES, SIZE, Workers(), Ranks())
    source.start()
    ((name, clips, samples),) = source.shards()
    assert (name, samples) == ("0000", read_samples(shard))
    off = clips().numpy().astype(int) - np.load(shard)
    assert (np.abs(off).max(axis=-1) > 1).mean() < 0.01  # cameras are float32 here
    drawn = source.draw(5, torch.Generator().manual_seed(0))
    assert drawn.shape == (5, FRAMES, 5, SIZE, SIZE)


def test_each_rank_draws_and_renders_its_own_shards_on_a_device():
    sources = [
        device_clips.DeviceClips(RECIPE, 5, FRAMES, SIZE, Workers(), Ranks(rank=rank, count=2)) for rank in (0, 1)
    ]
    assert [list(source.own) for source in sources] == [[0, 2, 4], [1, 3]]


def test_missing_files_are_named_before_any_work(tmp_path):
    for change, words in (
        ({"corpus": "models.npz"}, "no corpus models.npz: pack it"),
        ({"resume_from": "a.safetensors"}, "a.safe"),
    ):
        with pytest.raises(FileNotFoundError, match=words):
            train(tiny(tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()
