"""Ctrl-C and SIGTERM: a real `make` is stopped in the middle, says how to go on, and comes to the same bytes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vid2three
from vid2three.cli import main
from vid2three.stop import stopped

SETTINGS = """
generate: {steps: 2}
fit: {num_splats: 300, iterations: 20}
nerf: {resolution: 24, iterations: 30}
mesh: {num_faces: 800, resolution: 32, extra_views: 4, texture_size: 128}
export: {turntable_frames: 4, turntable_size: 256}
"""


def command(folder: Path) -> list[str]:
    settings = folder.parent / "tiny.yaml"
    settings.write_text(SETTINGS)
    return ["make", "a red mug", "-o", str(folder), "--config", str(settings), "--progress", "json"]


@pytest.fixture(autouse=True)
def _listening():
    """Listen to Ctrl-C, which a shell's background jobs and their children ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(arguments: list[str]) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "vid2three.cli", *arguments], **pipes)


def finish(arguments: list[str]) -> list[dict]:
    process = start(arguments)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def stop_in(arguments: list[str], stage: str, step: int, sent: signal.Signals) -> tuple[int, list[dict], str]:
    """Stop a command as soon as it has told a step of a stage; return its exit code and what it said after that."""
    process = start(arguments)
    for line in process.stdout:
        told = json.loads(line)
        if (told["stage"], told["step"]) == (stage, step):
            process.send_signal(sent)
            break
    out, err = process.communicate(timeout=120)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
def test_a_stopped_run_says_how_to_go_on_and_comes_to_the_same_bytes(tmp_path):
    undisturbed, disturbed = tmp_path / "a" / "run", tmp_path / "b" / "run"
    for folder in (undisturbed, disturbed):
        folder.parent.mkdir()
    finish(command(undisturbed))
    stops = [("generate", 1, signal.SIGINT), ("surface", 20, signal.SIGTERM), ("mesh", 0, signal.SIGTERM)]
    for stage, step, sent in stops:
        code, told, err = stop_in(command(disturbed), stage, step, sent)
        assert code == 128 + sent
        assert told[-1]["error"].startswith("Stopped. What is finished is kept; the same command goes on")
        assert "vid2three make 'a red mug' -o " in told[-1]["error"]
        assert err.splitlines() == [told[-1]["error"]]
        assert not list(disturbed.rglob(".partial-*"))
    told = finish(command(disturbed))
    assert [entry["stage"] for entry in told if entry.get("skipped")] == ["generate", "verdict", "surface", "fit"]
    first, second = bytes_of(undisturbed), bytes_of(disturbed)
    manifests = [json.loads(files.pop("asset.json")) for files in (first, second)]
    for manifest in manifests:
        del manifest["timings"]  # the one thing that differs between two runs
    assert manifests[0] == manifests[1]
    assert {"mesh.glb", "splats.ply", "orbit.mp4", "report.html"} <= set(first)
    assert first == second


def test_a_command_that_keeps_nothing_just_stops(monkeypatch, capsys):
    def interrupted(*args, **options):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(vid2three, "export", interrupted, raising=False)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        main(["export", "run", "-o", "a.glb"])
    assert end.value.code == 130
    assert capsys.readouterr().err == "Stopped.\n"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_command_that_goes_on_is_one_to_paste():
    assert stopped(["make", "a mug's “lid”", "--seed", "3"]).endswith("""vid2three make 'a mug'"'"'s “lid”' --seed 3""")
    assert stopped([]) == "Stopped."
