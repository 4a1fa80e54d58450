"""The extension in a real Blender: installed from its zip, it makes, imports, stops, undoes, and leaves nothing behind.

What Blender holds and renders is compared with the files of a run, read by our own code.
"""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recon.camera import project
from recon.sh import C0
from vid2three.blender.package import save_zip
from vid2three.config import MakeConfig, load_config
from vid2three.formats.glb import load_mesh, srgb_to_linear
from vid2three.formats.ply import load_splats
from vid2three.formats.transforms import load_transforms
from vid2three.pipeline import make
from vid2three.run import load_run
from vid2three.stages import world_from_mesh

pytestmark = pytest.mark.slow
FRAMES = (1, 8, 17)
POINTS = np.array([(0.1, -0.2, 0.3), (-0.4, 0.35, 0.6), (0.0, 0.0, 0.0)])  # as in blender_extension_script.py
TINY = """
generate: {steps: 2}
fit: {num_splats: 300, iterations: 20}
nerf: {resolution: 24, iterations: 30}
mesh: {num_faces: 800, resolution: 32, extra_views: 4, texture_size: 128}
export: {turntable_frames: 4, turntable_size: 256}
"""


def in_blender(python: str, script: str, folder: Path, *arguments: Path | str) -> dict:
    """Run a script with a Blender that has settings of its own, and return its report."""
    archive = save_zip(folder / "vid2three.zip")
    result = subprocess.run(
        [python, str(Path(__file__).with_name(script)), str(archive), *map(str, arguments), str(folder)],
        cwd=folder,
        env={**os.environ, "BLENDER_USER_RESOURCES": str(folder / "blender")},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A draft of a mug, made by the model that ships, 1 m high."""
    folder = tmp_path_factory.mktemp("made") / "mug"
    return make("a red mug with a blue handle", folder, load_config(MakeConfig(), "draft"))


@pytest.fixture(scope="module")
def seen(blender_python, run, tmp_path_factory) -> tuple[dict, Path]:
    folder = tmp_path_factory.mktemp("extension")
    return in_blender(blender_python, "blender_extension_script.py", folder, run.folder), folder


def test_blenders_own_validator_takes_the_zip(blender_python, tmp_path):
    where = "import bpy, pathlib; print(*pathlib.Path(bpy.utils.resource_path('LOCAL')).rglob('cli/blender_ext.py'))"
    found = subprocess.run([blender_python, "-c", where], capture_output=True, text=True, timeout=120).stdout.split()
    words = [blender_python, found[-1], "validate", str(save_zip(tmp_path / "vid2three.zip"))]
    result = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Success" in result.stdout


def test_the_mesh_stands_where_its_file_puts_it(run, seen):
    vertices = np.array(seen[0]["vertices"])
    ours = np.asarray(load_mesh(run.path("mesh.glb")).vertices)
    assert vertices[:, 2].min() == pytest.approx(0, abs=1e-5)
    assert np.ptp(vertices[:, 2]) == pytest.approx(1, abs=1e-5)
    distances = np.linalg.norm(vertices[:, None, :] - ours[None, ::7, :], axis=2)
    assert distances.min(axis=0).max() < 1e-5  # each of ours is there: front at -y, z up


def test_the_splats_are_those_of_the_ply(run, seen):
    told, splats = seen[0], load_splats(run.path("splats.ply"))
    np.testing.assert_array_equal(np.float32(told["points"]), splats.means.numpy())
    np.testing.assert_allclose(told["scale"], splats.log_scales.exp().numpy(), rtol=1e-5)
    np.testing.assert_allclose(told["opacity"], splats.opacity_logits.sigmoid()[:, None].numpy(), rtol=1e-5)
    quats = torch.nn.functional.normalize(splats.quats, dim=1).numpy()
    np.testing.assert_allclose(told["rotation"], quats, atol=1e-5)
    linear = srgb_to_linear((0.5 + C0 * splats.sh[:, 0]).clamp(min=0).numpy())
    np.testing.assert_allclose(np.array(told["color"])[:, :3], linear, rtol=1e-4, atol=1e-5)
    assert told["num_instances"] == len(splats)
    np.testing.assert_allclose(told["splats_from_world"], np.linalg.inv(world_from_mesh(run)), atol=1e-6)


def test_blender_projects_points_as_our_cameras_do(run, seen):
    told = seen[0]
    cameras = load_transforms(run.folder).cameras
    back = world_from_mesh(run)
    world = torch.from_numpy(POINTS @ back[:3, :3].T + back[:3, 3]).float()
    pixels, _ = project(world, cameras)
    scale = told["size"][0] / cameras.width
    for frame in FRAMES:
        off = np.abs(np.array(told["projected"][str(frame)]) / scale - pixels[frame - 1].numpy())
        assert off.max() < 0.01, frame  # pixels
    assert len(told["projected_single"]) == len(cameras)
    for name, points in told["projected_single"].items():
        off = np.abs(np.array(points) / scale - pixels[int(name[-3:])].numpy())
        assert off.max() < 0.01, name


def test_the_scene_is_set_up_as_the_clip(run, seen):
    told = seen[0]
    cameras = load_transforms(run.folder).cameras
    assert told["range"] == [1, len(cameras)]
    assert told["fps"] == pytest.approx(run.manifest["files"]["orbit.mp4"]["fps"])
    assert told["behind"] == ["SEQUENCE", len(cameras), -1]
    assert told["facts"]["prompt"] == run.manifest["prompt"]
    for lens, start, end in told["lens"].values():
        assert lens == pytest.approx(36 * float(cameras.K[0, 0, 0]) / cameras.width, rel=1e-5)
        assert 0 < start < 0.5
        assert end > 20


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(float)


def on_white(rgba: np.ndarray) -> np.ndarray:
    return rgba[..., :3] * rgba[..., 3:] / 255 + 255 - rgba[..., 3:]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a[..., 3] > 127, b[..., 3] > 127
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("frame", FRAMES)
def test_renders_through_the_imported_camera_cover_what_the_clip_covers(run, seen, frame):
    view = picture(run.path(f"views/{frame - 1:03d}.png"))
    for kind in ("mesh", "splats"):
        assert iou(picture(seen[1] / f"{kind}_{frame}.png"), view) > 0.94, kind
    other = picture(run.path(f"views/{(frame + 5) % 24:03d}.png"))
    assert iou(picture(seen[1] / f"mesh_{frame}.png"), other) < 0.9  # canary: another frame's does not


@pytest.mark.parametrize("frame", FRAMES)
def test_rendered_splats_have_the_colours_of_the_clip(run, seen, frame):
    view = on_white(picture(run.path(f"views/{frame - 1:03d}.png")))
    error = on_white(picture(seen[1] / f"splats_{frame}.png")) - view
    assert 10 * np.log10(255**2 / (error**2).mean()) > 24
    assert np.abs(error.mean(axis=(0, 1))).max() < 5  # no tint: the view transform is Standard


def test_splats_beside_the_mesh_stand_to_its_right_without_touching(seen):
    mesh, splats = (np.array(corners) for corners in seen[0]["beside"])
    assert splats[:, 0].min() > mesh[:, 0].max() + 0.1
    assert splats[:, 0].min() < mesh[:, 0].max() + 1


def test_an_import_is_undone_and_done_again_in_one_step(seen):
    before, after, undone, again = seen[0]["counts"]
    assert before == undone == 0
    assert after == again == 4  # root, mesh, splats, camera


def test_a_folder_that_is_no_run_is_told_in_a_sentence_and_leaves_nothing(seen):
    empty, spoilt = seen[0]["failing"]["told"]
    assert "is no run folder: it holds no asset.json" in empty
    assert "cannot be opened" in spoilt
    assert seen[0]["failing"]["is_clean"] is True


def test_the_panel_shows_what_goes_with_the_source_and_how_far_the_work_is(seen):
    drawn = seen[0]["drawn"]
    assert drawn["PROMPT"] == ["From", "Prompt", "Model", "Preset", "Seed", "Height", "Folder", "Make"]
    assert drawn["PICTURE"][:4] == ["From", "Prompt", "Picture", "Model"]
    assert drawn["VIDEO"][:2] == ["From", "Video"]
    assert drawn["PHOTOS"][:2] == ["From", "Photos"]
    assert drawn["busy"][7:10] == ["Waiting, 1 more to come", "Fitting the splats: 2 of 4", "Cancel"]
    assert " ".join(drawn["busy"][10:]).endswith("or choose a picture of it.")
    assert all(len(line) <= 46 for line in drawn["busy"][10:])
    assert drawn["import"][-1] == "Import a Run Folder"
    assert drawn["batch"] == ["Prompts", "Make All"]
    assert drawn["preferences"][:3] == ["Program", "Check", "vid2three answers"]


def test_a_disabled_extension_leaves_nothing_behind_and_comes_back(seen):
    assert seen[0]["left"] == []
    assert seen[0]["again"] == ["FINISHED"]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def program(root, tmp_path) -> Path:
    """The real vid2three, as a program with settings that take little time."""
    if os.name == "nt":
        pytest.skip("it is a shell script")
    (tmp_path / "tiny.yaml").write_text(TINY)
    program = tmp_path / "bin" / "vid2three"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || set -- "$@" --config "{tmp_path}/tiny.yaml"\n'
        f'PYTHONPATH="{root}" exec "{sys.executable}" -m vid2three.cli "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_the_panel_makes_cancels_goes_on_and_makes_a_row(blender_python, program, tmp_path):
    told = in_blender(blender_python, "blender_make_script.py", tmp_path, program)

    assert "not on the PATH" in told["no_program"] or "does not answer" in told["no_program"]
    assert told["finding"].startswith("vid2three ")
    assert told["finding"].endswith(" answers")
    assert "Say what to make" in told["no_prompt"]
    assert told["busy"] == [True, False]

    assert told["canceled"]["errors"] == []
    assert told["canceled"]["objects"] == 0
    assert told["canceled"]["stages"] == ["generate", "verdict"]  # kept; the surface was at work
    assert not is_alive(told["canceled"]["pid"])

    assert "Generating the orbit clip: done before" in told["shown"]
    assert any(line.startswith("Making the mesh") for line in told["shown"])
    assert told["made"]["errors"] == []
    assert told["made"]["folders"] == 1
    assert told["made"]["height"] == pytest.approx(0.2, rel=1e-4)
    assert told["made"]["floor"] == pytest.approx(0, abs=1e-5)
    assert told["made"]["timer"] is False
    (folder,) = (tmp_path / "runs").glob("a-red-mug-*")
    assert "report" in load_run(folder).manifest["stages"]

    assert "a red mug with a blue handle" in told["batch"]  # the sentence of the prompt that says nothing
    (left, right) = told["row"]
    assert left[1] < right[0]  # the other two stand side by side
    assert right[0] - left[1] == pytest.approx(0.25 * (left[1] - left[0]), rel=0.01)
    assert not is_alive(told["running"])
    assert told["left"] == [False, False]


def test_the_headless_script_goes_from_a_prompt_to_a_blend_file_and_a_picture(blender_python, program, root, tmp_path):
    archive = save_zip(tmp_path / "vid2three.zip")
    words = [blender_python, str(root / "docs" / "blender_headless.py"), "--", "a red mug", str(tmp_path / "mug.blend")]
    words += ["--extension", str(archive), "--program", str(program), "--size", "96", "--samples", "8"]
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "blender")}
    result = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert (tmp_path / "mug.blend").read_bytes()[:4] in (b"BLEN", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08\x00")
    seen = picture(tmp_path / "mug.png")
    assert seen.shape == (96, 96, 4)
    (view,) = (tmp_path / "vid2three").glob("a-red-mug-*/views/002.png")
    clip = np.asarray(Image.open(view).resize((96, 96), Image.Resampling.BOX)).astype(float)
    assert iou(seen, clip) > 0.85  # a tiny fit
    solid = seen[seen[..., 3] > 200]
    assert (solid[:, 0] - solid[:, 1:3].max(axis=1) > 40).mean() > 0.4  # red, as asked
