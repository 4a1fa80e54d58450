"""The benchmark of kill -9: a few kills of a real `make`, the same bytes after them, and canaries."""

import os
import random
import re
import subprocess
import sys

import pytest

SETTINGS = """
generate: {steps: 2}
fit: {num_splats: 300, iterations: 20}
nerf: {resolution: 24, iterations: 30}
mesh: {num_faces: 800, resolution: 32, extra_views: 4, texture_size: 128}
export: {turntable_frames: 4, turntable_size: 256}
"""


@pytest.fixture(scope="module")
def kills(root):
    sys.path.insert(0, str(root / "benchmarks"))
    import kills

    return kills


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a process group is killed, which Windows has not")
def test_a_killed_make_comes_to_the_same_bytes(root, tmp_path):
    (tmp_path / "tiny.yaml").write_text(SETTINGS)
    options = ["--kills", "3", "--seed", "4", "--config", str(tmp_path / "tiny.yaml"), "--work", str(tmp_path / "runs")]
    command = [sys.executable, str(root / "benchmarks" / "kills.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^3 kills in (\d) runs, \1 came to the same bytes; \d+ minutes$", done.stdout, re.MULTILINE)
    assert re.search(r'"files": [5-9]\d, "differ": \[\]', done.stdout)


def test_moments_are_spread_over_the_whole_run_and_in_order(kills):
    timeline, files = {"generate": 2.0, "fit": 6.0, "report": 9.5}, {"a.png": "generate", "b.ply": "fit"}
    drawn = kills.moments(4000, timeline, 10.0, files, random.Random(0))
    assert [moment.order for moment in drawn] == sorted(moment.order for moment in drawn)
    uniform = [moment for moment in drawn if not moment.file]
    share = {stage: sum(moment.stage == stage for moment in uniform) / len(uniform) for stage in ("start", *timeline)}
    assert share == pytest.approx({"start": 0.2, "generate": 0.4, "fit": 0.35, "report": 0.05}, abs=0.03)
    assert len(uniform) / len(drawn) == pytest.approx(1 - kills.AIMED_SHARE, abs=0.03)
    assert {moment.file for moment in drawn} == {"", "a.png", "b.ply"}


def test_canary_a_changed_or_left_file_is_seen_and_times_are_not(kills, tmp_path):
    folders = []
    for name, seconds in (("a", 1), ("b", 2)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mesh.glb").write_bytes(b"mesh")
        (folder / "asset.json").write_text(f'{{"timings": {{"fit": {seconds}}}, "seed": 1}}')
        folders.append(folder)
    first, second = (kills.contents(folder) for folder in folders)
    assert kills.differences(first, second) == []
    (tmp_path / "b" / ".partial-mesh.glb").write_bytes(b"me")
    (tmp_path / "b" / "mesh.glb").write_bytes(b"mess")
    assert kills.differences(first, kills.contents(tmp_path / "b")) == [".partial-mesh.glb", "mesh.glb"]
    (tmp_path / "b" / "asset.json").write_text('{"timings": {}, "seed": 2}')
    assert "asset.json" in kills.differences(first, kills.contents(tmp_path / "b"))
