"""Training: losses by hand, phases from data to card in seconds, and going on after an interruption."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from generator import device_clips
from generator import train as trainer_module
from generator.config import PhaseConfig, TrainConfig
from generator.data import encode_depth, read_samples
from generator.grammar import CATEGORIES
from generator.mesh_tracer import trace_mesh
from generator.optimizers import Clock, make_optimizers
from generator.ranks import Ranks
from generator.shard_clips import ShardClips
from generator.tracer import trace_clip
from generator.train import Trainer, train
from generator.train_dit import dit_loss
from generator.train_state import add_line
from generator.train_vae import halve, to_model
from generator.weights import card, load_model, save_model, trained_for
from generator.workers import Workers
from generator_parts import DIT, FRAMES, RECIPE, REFERRING, SIZE, VAE, tiny, tiny_dit, tiny_vae, training_shard

CPU = torch.device("cpu")
BY_TEACHER = {"teacher": "orbit-s", "resume_from": "orbit-s", "vae_phase": PhaseConfig(minutes=0)}


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> Path:
    return training_shard(tmp_path_factory.mktemp("training") / "clips")


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
        add_line(path, line)
    path.write_bytes(path.read_bytes() + b'{"st')  # a full disk's last words
    add_line(path, '{"step": 3}')
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
    assert settings["categories"] == len(CATEGORIES)
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


@pytest.fixture
def start(shard, tmp_path):
    """Weights to start a run from, in a folder that holds its clips."""
    path = tmp_path / "start.safetensors"
    save_model(path, tiny_vae(3), tiny_dit(3), {"num_frames": FRAMES, "size": SIZE, "steps": 9})
    (tmp_path / "run" / "clips").mkdir(parents=True)
    for clips in (shard, shard.with_suffix(".json")):
        (tmp_path / "run" / "clips" / clips.name).write_bytes(clips.read_bytes())
    return path


def test_a_run_can_start_from_weights(start, tmp_path):
    config = tiny(
        tmp_path / "run", resume_from=str(start), vae_phase=PhaseConfig(minutes=0), dit_phase=PhaseConfig(minutes=0)
    )
    trainer = Trainer(config, lambda line: None)
    trainer.render()
    vae = trainer.train_vae()
    read = load_model(trainer.train_dit(vae, trainer.encode(vae)))
    for known, value in zip(load_model(start)[:2], read[:2]):
        assert all(torch.equal(a, b) for a, b in zip(known.state_dict().values(), value.state_dict().values()))


def test_a_run_can_hold_on_to_what_a_teacher_knows(tmp_path, monkeypatch):
    teacher = tmp_path / "teacher.safetensors"
    save_model(teacher, tiny_vae(3), tiny_dit(3), {"num_frames": FRAMES, "size": SIZE, "steps": 9})
    config = tiny(
        tmp_path / "run",
        resume_from=str(teacher),
        teacher=str(teacher),
        teacher_share=0.25,
        focus=tuple(CATEGORIES)[40:],
        formats=("part 2x16x16",),
        format_share=0.5,
        vae_phase=PhaseConfig(minutes=0),
        dit_phase=PhaseConfig(minutes=0.02, batch=4, warmup=5),
        judge_clips=0,
    )
    trainer = Trainer(config, lambda line: None)
    trainer.render()
    vae = trainer.train_vae()
    clips = trainer.encode(vae)
    (samples,) = (samples for _, _, samples in trainer.source.shards())
    shown = [{sample.attributes.category, sample.attributes.other_category} for sample in samples]
    assert clips[0].known.tolist() == [not kinds & set(config.focus) for kinds in shown]
    assert 0 < clips[0].known.sum() < len(shown)
    assert torch.equal(trainer.encode(vae)[0].known, clips[0].known)  # read again
    seen = []

    def loss(model, batch, generator, shift, teacher, num_known, *fine):
        seen.append((batch.z.shape[1], num_known))
        if len(seen) == 1:  # it starts as its teacher
            held = dit_loss(model, batch, generator, shift, teacher, len(batch.z))
            assert held.item() < 1e-8
        return dit_loss(model, batch, generator, shift, teacher, num_known, *fine)

    monkeypatch.setattr(trainer_module, "dit_loss", loss)
    trainer.train_dit(vae, clips)
    assert seen[:3] == [(1, 0), (2, 1), (1, 0)][: len(seen)]  # of a part of a turn the teacher knows nothing


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


def test_some_steps_see_half_the_size(tmp_path, monkeypatch):
    half = PhaseConfig(minutes=0, batch=3)
    dit = PhaseConfig(minutes=0.02, batch=2, warmup=5)
    fine = {"fine_share": 0.7, "fine_until": 0.8, "judge_clips": 0}
    config = tiny(tmp_path, size=32, half_phase=half, half_share=0.6, dit_phase=dit, time_shift=3.0, **fine)
    trainer = Trainer(config, lambda line: None)
    trainer.render()
    vae = trainer.train_vae()
    clips = trainer.encode(vae)
    assert [latent.z.shape[-1] for latent in clips] == [2, 4]
    seen = []

    def loss(model, batch, generator, shift, teacher, num_known, fine_share, fine_until):
        seen.append((len(batch.z), batch.z.shape[-1], shift, fine_share))
        assert fine_until == 0.8
        return dit_loss(model, batch, generator, shift, teacher, num_known, fine_share, fine_until)

    monkeypatch.setattr(trainer_module, "dit_loss", loss)
    weights = trainer.train_dit(vae, clips)
    assert trained_for(weights)["formats"] == ["4x16x16"]
    assert set(seen) == {(3, 2, 1.5, 0.0), (2, 4, 3.0, 0.7)}
    sizes = [size for _, size, *_ in seen[:5]]  # a slow machine comes to fewer
    assert sizes == [2, 4, 2, 4, 2][: len(sizes)]  # three of five


def test_some_steps_see_other_formats(tmp_path, monkeypatch):
    dit = PhaseConfig(minutes=0.02, batch=2, warmup=5)
    config = tiny(
        tmp_path,
        size=32,
        vae_phase=PhaseConfig(minutes=0),
        dit_phase=dit,
        formats=("part 2x32x32", "4x16x32"),
        format_share=0.5,
        time_shift=2.0,
        judge_clips=0,
    )
    trainer = Trainer(config, lambda line: None)
    trainer.render()
    vae = trainer.train_vae()
    clips = trainer.encode(vae)
    assert [tuple(latent.z.shape[1::2]) for latent in clips] == [(2, 4), (1, 4), (2, 2)]  # latent frames, rows
    assert [set(latent.camera[:, 3].tolist()) for latent in clips] == [{360.0}, {90.0}, {360.0}]
    whole = to_model(next(trainer.source.shards())[1](), CPU)
    generator = torch.Generator().manual_seed(0)
    cut, orbits = trainer.formats[1].cut(whole[:64], clips[0].camera[:64], generator)
    with torch.no_grad():
        assert torch.allclose(clips[1].z[:64].float(), vae.encode(cut, is_closed=False), atol=2e-2)
    assert torch.equal(clips[1].camera[:64], orbits)
    seen = []

    def loss(model, batch, generator, shift, *teacher):
        seen.append((len(batch.z), tuple(batch.z.shape[1::2]), round(shift, 3)))
        return dit_loss(model, batch, generator, shift, *teacher)

    monkeypatch.setattr(trainer_module, "dit_loss", loss)
    weights = trainer.train_dit(vae, clips)
    assert trained_for(weights)["formats"] == ["part 2x32x32", "4x16x32"]
    part, full, wide = (4, (1, 4), 1.414), (2, (2, 4), 2.0), (4, (2, 2), 1.414)  # clips a step, shape, shift
    assert seen[:5] == [part, full, wide, full, part][: len(seen)]  # a slow machine comes to fewer


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
        ({"teacher": "a.safetensors"}, "a.safe"),
    ):
        with pytest.raises(FileNotFoundError, match=words):
            train(tiny(tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"focus": ("fox", "unicorn"), "focus_share": 0.5}, "There is no category 'unicorn'; there are: chair"),
        ({"focus_share": 0.5}, "focus_share is set, but focus names no category"),
        ({"fine_share": 0.5}, "fine_share is for a model that begins clips at half the size"),
        ({"fine_share": 1.5, "half_share": 0.5}, "fine_share lies between 0 and 1"),
        ({"formats": ("5x16x16",)}, "frames must be even"),
        ({"teacher": "orbit-s"}, "set resume_from and vae_phase.minutes 0"),
        (BY_TEACHER, "all kinds but those of focus: name there the ones to learn"),
        ({**BY_TEACHER, "focus": ("fox",), "teacher_share": 1.0}, "teacher_share must lie between 0"),
    ],
)
def test_settings_that_cannot_be_drawn_are_named_before_anything_is_made(tmp_path, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        train(tiny(tmp_path / "run", **changes), log=lambda line: None)
    assert not (tmp_path / "run").exists()
