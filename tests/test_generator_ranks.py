"""Several processes train one model: what they compute is what one would, and one of them writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from generator.ranks import ALONE, Ranks, join

SCRIPT = Path(__file__).with_name("ranks_script.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
ACCELERATE += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]


def launch(command: list[str], root: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run from the checkout, with a thread for each process."""
    pytest.importorskip("accelerate")
    path = os.pathsep.join([str(root), str(SCRIPT.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def found(root, tmp_path_factory) -> dict[str, dict]:
    """What one process and each of two found."""
    folder = tmp_path_factory.mktemp("ranks")
    work = [str(SCRIPT), str(folder), "talk", "one_step", "many_steps"]
    for command in ([sys.executable, *work], [*TORCHRUN, *work]):
        result = launch(command, root)
        assert result.returncode == 0, result.stderr
    return {path.stem: torch.load(path, weights_only=False) for path in folder.glob("*.pt")}


def test_ranks_tell_each_other_numbers_and_states(found):
    assert set(found) == {"0-of-1", "0-of-2", "1-of-2"}
    alone, first, second = (found[name]["talk"] for name in sorted(found, key=lambda n: (n[-1], n[0])))
    assert [told["mean"] for told in (alone, first, second)] == [0, 0.5, 0.5]
    assert [told["number"] for told in (alone, first, second)] == [0.1] * 3
    assert second["first"]["rank"] == 0
    assert second["first"]["tensor"].tolist() == [0, 0]
    assert [list(told["share"]) for told in (alone, first, second)] == [[0, 1, 2, 3, 4], [0, 2, 4], [1, 3]]
    assert [told["is_first"] for told in (alone, first, second)] == [True, True, False]


@pytest.mark.parametrize("model", ["vae", "dit"])
def test_two_halves_of_a_batch_step_as_the_whole_does(found, model):
    whole, half = (found[name]["one_step"][model] for name in ("0-of-1", "0-of-2"))
    assert half["loss"] == pytest.approx(whole["loss"], rel=1e-5)
    from generator_parts import tiny_dit, tiny_vae

    start = torch.cat([p.detach().flatten() for p in {"vae": tiny_vae, "dit": tiny_dit}[model]().parameters()])
    moved = whole["weights"] - start
    assert moved.norm() == pytest.approx(0.1, rel=1e-2)  # the rate times a gradient clipped to 1: a step was taken
    assert (half["weights"] - whole["weights"]).norm() < 1e-4 * moved.norm()


def test_two_processes_reach_the_loss_of_one_with_twice_the_batch(found):
    one, two = (torch.tensor(found[name]["many_steps"]["losses"]) for name in ("0-of-1", "0-of-2"))
    for losses in (one, two):
        assert losses[-50:].mean() < 0.8 * losses[:10].mean()
    spread = (one[-50:].var() / 50 + two[-50:].var() / 50).sqrt()
    assert abs(one[-50:].mean() - two[-50:].mean()) < 3 * spread


def test_all_ranks_hold_the_same_weights(found):
    first, second = (found[name]["many_steps"] for name in ("0-of-2", "1-of-2"))
    assert torch.equal(first["start"], second["start"])
    assert torch.equal(first["weights"], second["weights"])
    assert not torch.equal(first["start"], first["weights"])


def test_a_rank_that_fails_ends_all(root, tmp_path):
    result = launch([*TORCHRUN, str(SCRIPT), str(tmp_path), "fail"], root, timeout=120)
    assert result.returncode != 0
    assert "this rank has had enough" in result.stderr


def test_one_process_is_alone_and_needs_no_accelerate(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert join("cpu") == ALONE == Ranks()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ImportError, match=r"pip install 'vid2three\[train\]'"):
        join("cpu")


# The whole walk, by the command line

SETTINGS = """
name: tiny
folder: {folder}
num_frames: 4
size: 16
num_clips: 512
workers: 1
vae: {{widths: [8, 8, 16], latent_channels: 4}}
dit: {{latent_channels: 4, width: 64, depth: 2, heads: 2, mlp_hidden: 48}}
vae_phase: {{minutes: {minutes}, batch: 4, warmup: 5}}
dit_phase: {{minutes: {minutes}, batch: 4, warmup: 5}}
judge_clips: 8
judge_epochs: 1
judged_clips: 2
device: cpu
bf16: false
checkpoint_minutes: 0.03
"""


def train(launcher: list[str], folder: Path, minutes: float, root: Path) -> list[str]:
    """Train by `launcher` and return the lines it told."""
    config = folder / "tiny.yaml"
    config.write_text(SETTINGS.format(folder=folder / "run", minutes=minutes))
    result = launch([*launcher, "-m", "vid2three.cli", "train", str(config)], root)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.slow
def test_a_run_of_two_processes_is_written_once_and_goes_on_with_one(root, tmp_path):
    run, log = tmp_path / "run", tmp_path / "run" / "log.jsonl"
    told = train(ACCELERATE, tmp_path, 0.05, root)
    assert [line for line in told if "training" in line] == ["2 shards of 256 clips, drawn by 1 processes; 2 training"]
    assert told.count(f"weights: {run / 'tiny.safetensors'}") == 1
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [json.loads(line) for line in told if line.startswith("{")] == records
    vae, dit = (torch.load(run / name, weights_only=True) for name in ("vae.pt", "dit.pt"))
    assert len({tuple(record.items()) for record in records}) == len(records) > 0
    files = {name: sorted(path.name for path in (run / name).iterdir()) for name in ("clips", "latents")}
    assert files["latents"] == ["0000-4x16x16.safetensors", "0001-4x16x16.safetensors"]
    assert files["clips"] == ["0000.json", "0000.npy", "0001.json", "0001.npy"]
    assert json.loads((run / "tiny.json").read_text())["compute"]["processes"] == 2

    train([sys.executable], tmp_path, 0.08, root)
    longer = torch.load(run / "dit.pt", weights_only=True)
    assert longer["step"][0] > dit["step"][0]
    assert longer["minutes"][0] >= 0.08 > dit["minutes"][0]
    assert torch.load(run / "vae.pt", weights_only=True)["step"] > vae["step"]
    train(ACCELERATE, tmp_path, 0.1, root)
    assert torch.load(run / "dit.pt", weights_only=True)["step"][0] > longer["step"][0]
    assert not list(run.rglob("*.partial"))
