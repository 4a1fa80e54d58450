"""The backend nerfstudio: what is refused and why, and how its processes are watched, ended and gone on with.

The environment here is a stand-in (nerfstudio_stand_in.py): it has the processes' manners and trains nothing. What the
real one does is tested in test_nerfstudio.py, where there is one.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from nerfstudio_stand_in import calls, make_stand_in, save_as_nerfstudio
from recon.mesh_depth import DepthMaps
from subjects import mug, orbit_views, surface_splats
from vid2three import cli, doctor
from vid2three.capture import load_views, save_views
from vid2three.config import ReconstructConfig, overlay
from vid2three.formats.depth_maps import load_depth_maps, save_depth_maps
from vid2three.formats.ply import load_splats
from vid2three.nerfstudio.environment import find_environment
from vid2three.nerfstudio.process import run as run_process
from vid2three.nerfstudio.training import Training, nerfacto_options, splatfacto_options, steps_done, train_arguments
from vid2three.pipeline import reconstruct
from vid2three.run import StageFiles, load_run

SMALL = overlay(
    ReconstructConfig(),
    {
        "backend": "nerfstudio",
        "fit": {"num_splats": 400},
        "nerfstudio": {"iterations": 60, "arguments": "--pipeline.model.ssim-lambda 0.1"},
        "mesh": {"num_faces": 600, "resolution": 40, "extra_views": 4, "texture_size": 0},
        "export": {"turntable_frames": 2, "turntable_size": 256},
    },
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Eight pictures of a mug with their cameras."""
    folder = tmp_path_factory.mktemp("mug")
    save_views(StageFiles(folder, {}), orbit_views(mug(), 8), "z up")
    return folder


@pytest.fixture
def stand_in(tmp_path) -> Path:
    """An environment whose ns-export gives out a mug of splats."""
    folder = make_stand_in(tmp_path / "env")
    save_as_nerfstudio(folder / "splat.ply", surface_splats(mug(), 800))
    return folder


def behave(folder: Path, **behaviour) -> None:
    path = folder / "behaviour.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **behaviour}))


def words_after(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


# The whole walk.


def test_splats_come_from_the_environment_and_the_rest_is_ours(pictures, stand_in, tmp_path):
    told = []
    run = reconstruct(
        pictures, tmp_path / "run", SMALL, nerfstudio_env=stand_in, progress=lambda *event: told.append(event)
    )
    found, given = load_splats(run.path("splats.ply")), surface_splats(mug(), 800)
    torch.testing.assert_close(found.means, given.means, rtol=0, atol=1e-6)
    assert bool((found.log_scales > given.log_scales).all())  # gsplat widens them by more than we do
    assert {"mesh.glb", "preview.png", "turntable.mp4"} <= set(run.files())
    assert run.manifest["scores"]["silhouette_iou_mesh"] > 0.8

    (call,) = calls(stand_in)
    words = call["words"]
    assert words[0] == "splatfacto"
    assert words_after(words, "--max-num-iterations") == "60"
    assert words_after(words, "--pipeline.model.ssim-lambda") == "0.1"
    assert words.index("nerfstudio-data") > words.index("--pipeline.model.ssim-lambda")
    assert words_after(words, "--eval-mode") == "all"
    assert [event[1] for event in told if event[0] == "fit" and event[2] == 60] == [0, 1, 11, 21, 31, 41, 51]


def test_the_manifest_names_backend_version_device_and_commands(pictures, stand_in, tmp_path):
    reconstruct(pictures, tmp_path / "run", SMALL, nerfstudio_env=stand_in)
    manifest = load_run(tmp_path / "run").manifest
    versions = {"nerfstudio": "1.1.5", "torch": "2.1.2", "gsplat": "1.4.0"}
    assert manifest["backend"] == {"name": "nerfstudio", "versions": versions, "device": "a stand-in"}
    train, export = manifest["files"]["splats.ply"]["commands"]
    assert train.startswith("ns-train splatfacto --data nerfstudio/splatfacto/")
    assert export.startswith("ns-export gaussian-splat --load-config nerfstudio/splatfacto/")
    assert str(tmp_path) not in json.dumps(manifest)  # a run can be moved


def test_a_finished_training_is_not_done_again_and_other_settings_start_anew(pictures, stand_in, tmp_path):
    reconstruct(pictures, tmp_path / "run", SMALL, nerfstudio_env=stand_in)
    reconstruct(pictures, tmp_path / "run", SMALL, nerfstudio_env=stand_in)
    assert len(calls(stand_in)) == 1
    longer = overlay(SMALL, {"nerfstudio": {"iterations": 70}})
    reconstruct(pictures, tmp_path / "run", longer, nerfstudio_env=stand_in, overwrite=True)
    words = calls(stand_in)[1]["words"]
    assert "--load-dir" not in words
    assert words_after(words, "--max-num-iterations") == "70"
    assert len(list((tmp_path / "run" / "nerfstudio" / "splatfacto").iterdir())) == 1


def test_the_points_to_start_from_lie_on_the_subject(pictures, stand_in, tmp_path):
    run = reconstruct(pictures, tmp_path / "run", SMALL, nerfstudio_env=stand_in)
    data = run.folder / words_after(calls(stand_in)[0]["words"], "--data")
    frames = json.loads(data.read_text())["frames"]
    assert all((data.parent / frame["file_path"]).resolve().is_file() for frame in frames)
    header = (data.parent / "points.ply").read_bytes().split(b"end_header")[0].decode()
    assert "element vertex 400" in header
    assert "property uchar red" in header


# Interrupted, torn, failed.


def test_ctrl_c_ends_the_child_and_the_same_command_goes_on_from_its_checkpoint(pictures, stand_in, tmp_path, root):
    config = tmp_path / "small.yaml"
    config.write_text("nerfstudio: {iterations: 60}\nmesh: {num_faces: 600, resolution: 40, texture_size: 0}\n")
    behave(stand_in, step_s=0.6)
    run = tmp_path / "run"
    words = ["reconstruct", pictures, "-o", run, "--backend", "nerfstudio", "--nerfstudio-env", stand_in]
    command = [sys.executable, "-m", "vid2three.cli", *words, "--config", config, "--progress", "json"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        event = json.loads(line)
        if event.get("stage") == "fit" and event["step"] >= 11:
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command goes on from there: vid2three reconstruct" in said
    (call,) = calls(stand_in)
    assert not _is_alive(call["pid"])

    behave(stand_in, step_s=0)
    again = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=200)
    assert again.returncode == 0, again.stderr
    words = calls(stand_in)[1]["words"]
    left = int(words_after(words, "--max-num-iterations"))
    assert 0 < left < 60
    assert words_after(words, "--load-dir").endswith("nerfstudio_models")
    steps = [
        e["step"] for e in map(json.loads, again.stdout.splitlines()) if e.get("stage") == "fit" and e["total"] == 60
    ]
    assert steps[0] == 60 - left


def test_a_torn_checkpoint_is_not_gone_on_from(tmp_path):
    models = tmp_path / "nerfstudio_models"
    models.mkdir()
    assert steps_done(tmp_path) == 0
    for step in (100, 200):
        torch.save({"step": step, "pipeline": {"a": torch.zeros(100)}}, models / f"step-{step:09d}.ckpt")
    whole = (models / "step-000000200.ckpt").read_bytes()
    (models / "step-000000200.ckpt").write_bytes(whole[: len(whole) // 2])
    assert steps_done(tmp_path) == 101
    assert not (models / "step-000000200.ckpt").exists()


def test_what_ns_train_said_last_is_told(pictures, stand_in, tmp_path):
    behave(stand_in, fail_at=30)
    with pytest.raises(
        ValueError, match=r"ns-train stopped with exit code 1 \(RuntimeError: CUDA out of memory\)"
    ) as told:
        reconstruct(pictures, tmp_path / "run", SMALL, nerfstudio_env=stand_in)
    log = Path(re.search(r"its output is in (\S+)\.$", str(told.value))[1])
    assert log.read_text().splitlines()[0].startswith("$ ")
    behave(stand_in, fail_at=None)
    reconstruct(pictures, tmp_path / "run", SMALL, nerfstudio_env=stand_in)
    assert words_after(calls(stand_in)[1]["words"], "--max-num-iterations") == "32"  # it had saved step 27


def test_sigterm_ends_a_child_and_its_children(tmp_path):
    nest = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    program = (
        "import os, sys; from pathlib import Path; from vid2three.nerfstudio.process import run\n"
        f"command = [sys.executable, '-c', {nest!r}]\n"
        "run(command, Path('.'), dict(os.environ), Path(sys.argv[1]), lambda line: print(line, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    grandchild = int(process.stdout.readline())
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM
    assert not _is_alive(grandchild)


def test_output_is_passed_on_as_it_comes_and_kept(tmp_path):
    seen = []
    program = "import time, sys; print('one', flush=True); time.sleep(0.5); print('two')"
    log = tmp_path / "log"
    run_process(
        [sys.executable, "-c", program], tmp_path, dict(os.environ), log, lambda s: seen.append((s, time.time()))
    )
    assert [line for line, _ in seen] == ["one", "two"]
    assert seen[1][1] - seen[0][1] > 0.3
    assert log.read_text().splitlines()[1:] == ["one", "two"]


def _is_alive(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        if (
            Path(f"/proc/{pid}/stat").exists()
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        ):
            return False
        time.sleep(0.1)
    return True


# Refused, in one sentence, before anything is written.


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"version": None}, r"has no nerfstudio; install it there: \S+python -m pip install nerfstudio==1\.1\.5"),
        ({"version": "0.3.4"}, r"has nerfstudio 0\.3\.4, and 1\.1\.5 is what vid2three was tested with"),
        ({"version": "1.2.0"}, r"has nerfstudio 1\.2\.0"),
        ({"cuda": False}, r"splatfacto needs CUDA, .* sees no CUDA device; use --method nerf"),
    ],
)
def test_an_environment_that_will_not_do_is_refused_with_the_cure(environment, words, pictures, tmp_path):
    folder = make_stand_in(tmp_path / "env", **environment)
    with pytest.raises(ValueError, match=words):
        reconstruct(pictures, tmp_path / "run", SMALL, nerfstudio_env=folder)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_environment_is_named(pictures, tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match="is no Python environment: it holds no python"):
            reconstruct(pictures, tmp_path / "run", SMALL, nerfstudio_env=folder)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\necho 'ImportError: no encodings' >&2; exit 1\n")
    with pytest.raises(ValueError, match="does not run"):
        find_environment(tmp_path)
    (tmp_path / "bin" / "python").chmod(0o755)
    with pytest.raises(ValueError, match=r"does not run \(ImportError: no encodings\); make that environment anew"):
        find_environment(tmp_path)


def test_a_torch_that_does_not_import_and_a_missing_ns_train_are_named(tmp_path):
    folder = make_stand_in(tmp_path / "env")
    (folder / "bin" / "ns-train").unlink()
    with pytest.raises(ValueError, match="has nerfstudio but no ns-train beside its python"):
        find_environment(folder, "nerf")
    (folder / "site" / "torch" / "__init__.py").write_text("raise OSError('libcudart.so.11 is missing')")
    with pytest.raises(ValueError, match=r"does not import \(OSError: libcudart\.so\.11 is missing\)"):
        find_environment(folder, "nerf")


def test_nerfacto_does_without_cuda(tmp_path):
    folder = make_stand_in(tmp_path / "env", cuda=False)
    assert find_environment(folder, "nerf").cuda is None
    assert find_environment(folder, "nerf").facts["backend"]["device"] == "cpu"


def test_flags_that_do_not_belong_together_are_refused(pictures, tmp_path, stand_in):
    with pytest.raises(ValueError, match="--backend nerfstudio needs --nerfstudio-env PATH"):
        reconstruct(pictures, tmp_path / "run", SMALL)
    with pytest.raises(ValueError, match="add --backend nerfstudio"):
        reconstruct(pictures, tmp_path / "run", overlay(SMALL, {"backend": "own"}), nerfstudio_env=stand_in)
    for section, words in [
        ({"nerfstudio": {"iterations": 0}}, "nerfstudio.iterations must be 1 or more"),
        ({"nerfstudio": {"arguments": "--a 'b"}}, "cannot be split into words"),
        ({"fit": {"primitive": "2dgs"}}, "splatfacto fits ellipsoids"),
    ]:
        with pytest.raises(ValueError, match=words):
            reconstruct(pictures, tmp_path / "run", overlay(SMALL, section), nerfstudio_env=stand_in)


def test_the_command_line_and_the_presets_know_it():
    words = ["reconstruct", "folder", "--backend", "nerfstudio", "--nerfstudio-env", "env"]
    command = cli.parse(words)
    assert (command.settings.backend, command.nerfstudio_env) == ("nerfstudio", Path("env"))
    assert cli.parse(["make", "a mug", "--nerfstudio-env", "env"]).nerfstudio_env == Path("env")
    steps = [
        cli.parse([*words, "--preset", name]).settings.nerfstudio.iterations for name in ("draft", "standard", "high")
    ]
    assert steps == [2000, 7000, 30000]


def test_the_doctor_names_what_it_finds(tmp_path, monkeypatch):
    folder = make_stand_in(tmp_path / "env")
    found = doctor._nerfstudio(folder)
    assert found.state == "ok"
    assert found.what == "1.1.5 with torch 2.1.2 on a stand-in: splatfacto and nerfacto"
    assert found.cure == f"--backend nerfstudio --nerfstudio-env {folder}"
    monkeypatch.setenv(
        "PATH", f"{make_stand_in(tmp_path / 'other', cuda=False) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    )
    assert doctor._nerfstudio(None).what.endswith("on the CPU: nerfacto (--method nerf) alone")
    broken = doctor._nerfstudio(make_stand_in(tmp_path / "old", version="0.1.0"))
    assert (broken.state, broken.cure) == ("broken", str(broken.cure))
    assert "has nerfstudio 0.1.0" in broken.cure


# What ns-train is told.


def test_a_training_that_goes_on_is_told_the_steps_that_are_left():
    training = Training("nerfacto", "abc", 1000, ("--x", "1"), ("--eval-mode", "all"), seed=2**40 + 7)
    words = train_arguments(training, has_cuda=False, done=400)
    assert words_after(words, "--max-num-iterations") == "600"
    assert words_after(words, "--load-dir") == "nerfstudio/nerfacto/abc/nerfstudio_models"
    assert words_after(words, "--machine.device-type") == "cpu"
    assert words_after(words, "--machine.seed") == "7"
    assert words_after(words, "--steps-per-save") == "50"
    assert words[-4:] == ["1", "nerfstudio-data", "--eval-mode", "all"]
    assert "--machine.device-type" not in train_arguments(training, has_cuda=True, done=0)


def test_splatfactos_schedule_shrinks_with_its_steps():
    short = splatfacto_options(2000, 1, 64, antialiased=False)
    assert words_after(short, "--pipeline.model.num-downscales") == "0"
    assert words_after(short, "--pipeline.model.stop-split-at") == "1000"
    assert words_after(short, "--optimizers.means.scheduler.max-steps") == "2000"
    assert int(words_after(short, "--pipeline.model.sh-degree-interval")) * 3 < 2000
    long = splatfacto_options(30000, 3, 1080, antialiased=True)
    assert words_after(long, "--pipeline.model.num-downscales") == "2"
    assert words_after(long, "--pipeline.model.stop-split-at") == "15000"  # nerfstudio's own
    assert words_after(long, "--pipeline.model.resolution-schedule") == "3000"
    assert words_after(long, "--pipeline.model.rasterize-mode") == "antialiased"


def test_nerfacto_looks_at_the_subject_alone_where_there_are_masks():
    assert "--pipeline.model.near-plane" not in nerfacto_options(100, None)
    words = nerfacto_options(100, (0.5, 1.5))
    assert words_after(words, "--pipeline.model.near-plane") == "0.5"
    assert words_after(words, "--pipeline.model.background-color") == "random"


def test_depth_maps_come_back_from_their_file(pictures, tmp_path):
    views = load_views(pictures)
    maps = DepthMaps(views.depths.numpy(), views.alphas.numpy(), views.cameras, 5)
    save_depth_maps(tmp_path / "depth_maps.npz", maps)
    again = load_depth_maps(tmp_path / "depth_maps.npz")
    np.testing.assert_array_equal(again.depths, maps.depths)
    np.testing.assert_allclose(again.alphas, maps.alphas, atol=0.5 / 255 + 1e-6)
    torch.testing.assert_close(again.cameras.w2c, maps.cameras.w2c)
    assert again.num_own == 5
    (tmp_path / "no.npz").write_bytes(b"no")
    with pytest.raises(ValueError, match="holds no depth maps"):
        load_depth_maps(tmp_path / "no.npz")
