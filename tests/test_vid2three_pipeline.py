"""Pictures to asset, from end to end and small: the shape and colours that went in, resumed, redone and exported."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from generator.rays import intrinsics, orbit_c2w
from recon.camera import Cameras, invert_rigid
from recon.config import NerfConfig
from recon.mesh_render import render_mesh
from recon.poses.compare import compare
from recon.unwrap import welded
from recon.views import Views
from vid2three.capture import load_views, save_views
from vid2three.config import ReconstructConfig, overlay
from vid2three.convert import export
from vid2three.formats.ply import load_splats
from vid2three.pipeline import reconstruct
from vid2three.run import StageFiles, load_run, sha256
from vid2three.stages import default_folder, slug
from vid2three.video import load_video

SMALL = overlay(
    ReconstructConfig(),
    {
        "fit": {"num_splats": 1500, "iterations": 200, "sh_degree": 0},
        "mesh": {"num_faces": 1200, "resolution": 56, "extra_views": 8},
        "export": {"turntable_frames": 6, "turntable_size": 256},
    },
)


def statue() -> trimesh.Trimesh:
    """A grey plinth 1.2 high with a red front (-y) and a green arm to the right (+x)."""
    parts = []
    for center, size, color in [
        ((0, 0, 0), (0.8, 0.6, 1.2), (150, 150, 150)),
        ((0, -0.35, 0), (0.7, 0.1, 1.0), (210, 40, 30)),
        ((0.6, 0, 0.3), (0.4, 0.3, 0.3), (30, 160, 60)),
    ]:
        part = trimesh.creation.box(size, trimesh.transformations.translation_matrix(center))
        part.visual = trimesh.visual.ColorVisuals(part, vertex_colors=np.tile((*color, 255), (len(part.vertices), 1)))
        parts.append(part)
    return trimesh.util.concatenate(parts)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Sixteen RGBA pictures of the statue, 64 x 64, with their cameras: from above, and a few from below."""
    c2w = torch.from_numpy(np.concatenate([orbit_c2w(12, 20, 3.2), orbit_c2w(4, -35, 3.2, start_deg=45)])).float()
    K = torch.from_numpy(intrinsics(40, 64, 64)).float().repeat(16, 1, 1)
    cameras = Cameras(K, invert_rigid(c2w), 64, 64)
    drawn = render_mesh(statue(), cameras)
    straight = (drawn.rgb / drawn.alpha[..., None].clamp(min=0.01)).clamp(0, 1)
    folder = tmp_path_factory.mktemp("statue")
    save_views(StageFiles(folder, {}), Views(straight, drawn.alpha, None, cameras), "z up")
    return folder


@pytest.fixture(scope="module")
def finished(pictures, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "statue"
    reconstruct(pictures, folder, SMALL)
    return folder


@pytest.fixture
def run_folder(finished, tmp_path) -> Path:
    """A copy of the finished run, to be spoilt."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def events(folder: Path, pictures: Path, config=SMALL, **options) -> list[str]:
    """Walk again and return the stages that were not skipped."""
    done = []

    def progress(stage, step, total, info):
        if "seconds" in info:
            done.append(stage)

    reconstruct(pictures, folder, config, progress=progress, **options)
    return done


def test_the_folder_holds_every_file_and_the_manifest_knows_it(finished):
    manifest = json.loads((finished / "asset.json").read_text())
    on_disk = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    assert on_disk == {*manifest["files"], "asset.json"}
    assert {
        "transforms.json",
        "splats.ply",
        "mesh.glb",
        "preview.png",
        "turntable.mp4",
        "viewer.html",
        "report.html",
    } <= on_disk
    assert all(sha256(finished / name) == record["sha256"] for name, record in manifest["files"].items())
    assert set(manifest["timings"]) == {
        "views",
        "verdict",
        "fit",
        "mesh",
        "show",
        "viewer",
        "report",
        "total",
        "peak_memory_mb",
    }
    assert manifest["config"]["mesh"]["resolution"] == 56
    assert manifest["provenance"]["ai_generated"] is False


def test_the_mesh_is_closed_and_fills_the_statues_box(finished):
    mesh = trimesh.load(finished / "mesh.glb", force="mesh", process=False)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)  # cut at the seams of the texture
    assert mesh.is_watertight
    matrix = np.array(load_run(finished).manifest["files"]["mesh.glb"]["world_from_file"])
    mesh.apply_transform(matrix)
    pixel = 2 * 3.2 * np.tan(np.radians(20)) / 64  # at the statue; the fit's floats differ between processors
    np.testing.assert_allclose(mesh.bounds[:, :2], statue().bounds[:, :2], atol=2.5 * pixel)
    np.testing.assert_allclose(mesh.bounds[:, 2], statue().bounds[:, 2], atol=6 * pixel)  # the ground is seen least


def test_splats_and_mesh_match_the_silhouettes(finished):
    scores = load_run(finished).manifest["scores"]
    assert scores["psnr_db"] > 24
    assert scores["silhouette_iou_splats"] > 0.93
    assert scores["silhouette_iou_mesh"] > 0.82


def test_the_front_is_red_and_the_arm_on_the_right_is_green(finished, tmp_path):
    mesh = trimesh.load(export(finished, tmp_path / "a.ply"), process=False)
    front = mesh.visual.vertex_colors[mesh.vertices[:, 1] < -0.33][:, :3].astype(float)
    arm = mesh.visual.vertex_colors[mesh.vertices[:, 0] > 0.6][:, :3].astype(float)
    assert np.median(front[:, 0] - front[:, 1:].max(1)) > 80
    assert np.median(arm[:, 1] - arm[:, [0, 2]].max(1)) > 50


def test_turntable_turns_once_and_shows_the_statue_on_white(finished):
    frames, _ = load_video(finished / "turntable.mp4")
    assert frames.shape == (6, 256, 256, 3)
    assert frames[:, :8, :8].min() > 245
    reds = ((frames[..., 0].astype(int) - frames[..., 1:].max(-1)) > 60).sum(axis=(1, 2))
    assert reds[0] > 3000  # the front, from the first camera
    assert reds[3] < 300  # half a turn later


def test_preview_shows_three_rows_of_pictures(finished):
    picture = np.asarray(Image.open(finished / "preview.png")).astype(int)
    assert picture.shape[1] == 1600
    reds = ((picture[..., 0] - picture[..., 1:].max(-1)) > 60).sum(axis=1)
    rows = np.diff(np.flatnonzero(np.diff((reds > 10).astype(int), prepend=0, append=0)))[::2]
    assert len(rows[rows > 40]) == 3


def test_splats_and_mesh_hold_no_times_so_a_second_walk_gives_the_same_bytes(finished, pictures, tmp_path):
    reconstruct(pictures, tmp_path / "again", SMALL)
    first, second = load_run(finished).manifest, load_run(tmp_path / "again").manifest
    assert {name: record["sha256"] for name, record in first["files"].items()} == {
        name: record["sha256"] for name, record in second["files"].items()
    }


def test_the_same_arguments_do_nothing_again(run_folder, pictures):
    before = (run_folder / "mesh.glb").stat().st_mtime_ns
    assert events(run_folder, pictures) == []
    assert (run_folder / "mesh.glb").stat().st_mtime_ns == before


def test_a_lost_file_is_made_again_and_nothing_that_it_would_not_change(run_folder, pictures):
    (run_folder / "mesh.glb").unlink()
    assert events(run_folder, pictures) == ["mesh"]


def test_a_new_mesh_setting_redoes_mesh_and_pictures_but_not_the_fit(run_folder, pictures):
    coarse = replace(SMALL, mesh=replace(SMALL.mesh, num_faces=300))
    with pytest.raises(ValueError, match=r"config\.mesh\.num_faces is 1200 there, 300 here"):
        reconstruct(pictures, run_folder, coarse)
    assert events(run_folder, pictures, coarse, overwrite=True) == ["mesh", "show", "viewer", "report"]
    assert load_run(run_folder).manifest["files"]["mesh.glb"]["num_faces"] < 1200


def test_a_surface_instead_of_splats_gives_a_closed_mesh_of_the_same_statue(run_folder, pictures):
    surface = NerfConfig(resolution=28, iterations=100, num_rays=512)
    config = replace(SMALL, method="nerf", nerf=surface)
    assert events(run_folder, pictures, config, overwrite=True) == ["surface", "mesh", "show", "viewer", "report"]
    run = load_run(run_folder)
    facts = run.manifest["files"]["mesh.glb"]
    assert facts["is_watertight"]
    mesh = trimesh.load(run_folder / "mesh.glb", force="mesh", process=False)
    mesh.apply_transform(np.array(facts["world_from_file"]))
    np.testing.assert_allclose(mesh.bounds, statue().bounds, atol=0.12)
    assert run.manifest["scores"]["silhouette_iou_mesh"] > 0.9
    assert events(run_folder, pictures, overwrite=True) == ["mesh", "show", "viewer", "report"]
    assert not (run_folder / "surface.npz").exists()
    assert "surface" not in load_run(run_folder).manifest["stages"]


def test_flat_splats_are_fitted_meshed_and_drawn_as_such(run_folder, pictures):
    config = replace(SMALL, fit=replace(SMALL.fit, primitive="2dgs"))
    assert events(run_folder, pictures, config, overwrite=True) == ["fit", "mesh", "show", "viewer", "report"]
    assert b"comment SplatRenderMode: 2dgs\n" in (run_folder / "splats.ply").read_bytes()[:400]
    run = load_run(run_folder)
    assert run.manifest["files"]["mesh.glb"]["is_watertight"]
    assert run.manifest["scores"]["psnr_db"] > 23
    assert run.manifest["scores"]["silhouette_iou_splats"] > 0.93
    assert run.manifest["scores"]["silhouette_iou_mesh"] > 0.82


def test_a_mesh_can_have_flat_splats_of_its_own(run_folder, pictures):
    splats, mesh = ((run_folder / name).read_bytes() for name in ("splats.ply", "mesh.glb"))
    config = replace(SMALL, mesh=replace(SMALL.mesh, disc_steps=60))
    assert events(run_folder, pictures, config, overwrite=True) == ["discs", "mesh", "show", "viewer", "report"]
    assert (run_folder / "splats.ply").read_bytes() == splats
    assert (run_folder / "mesh.glb").read_bytes() != mesh
    run = load_run(run_folder)
    assert run.manifest["files"]["mesh.glb"]["is_watertight"]
    assert run.manifest["scores"]["silhouette_iou_mesh"] > 0.8
    assert events(run_folder, pictures, overwrite=True) == ["mesh", "show", "viewer", "report"]
    assert not (run_folder / "discs.ply").exists()
    with pytest.raises(ValueError, match="disc_steps"):
        reconstruct(pictures, run_folder / "no", replace(SMALL, mesh=replace(SMALL.mesh, disc_steps=-1)))


def test_a_surface_of_pictures_without_a_subject_is_refused_before_the_fit(pictures, tmp_path):
    plain = tmp_path / "plain"
    shutil.copytree(pictures, plain)
    for path in plain.glob("views/*.png"):
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    config = replace(SMALL, method="nerf")
    with pytest.raises(ValueError, match="--method splats"):
        reconstruct(plain, tmp_path / "run", config)
    assert not (tmp_path / "run" / "splats.ply").exists()


def test_photos_that_keep_their_background_get_depths_and_a_closed_mesh(shared_data, tmp_path):
    """Six phone photos of one place: a short walk, so that only what is there is tested, and not how good it is."""
    fox = json.loads((shared_data / "captures" / "fox" / "transforms.json").read_text())
    fox["frames"] = fox["frames"][:12:2]
    for frame in fox["frames"]:
        frame["file_path"] = str(shared_data / "captures" / "fox" / frame["file_path"])
    (tmp_path / "transforms.json").write_text(json.dumps(fox))
    config = replace(SMALL, mesh=replace(SMALL.mesh, texture_size=256))
    run = reconstruct(tmp_path / "transforms.json", tmp_path / "run", config)
    depths = load_views(run.folder).depths
    assert depths is not None
    assert (depths > 0).double().mean() > 0.4
    mesh = trimesh.load(run.path("mesh.glb"), force="mesh", process=False)
    assert welded(mesh)[0].is_watertight


def test_given_cameras_come_nearer_the_truth_where_they_are_refined(pictures, tmp_path):
    views = load_views(pictures)
    w2c = views.cameras.w2c.clone()
    generator = torch.Generator().manual_seed(0)
    w2c[:, :3, 3] += 0.06 * torch.randn(len(w2c), 3, generator=generator)  # about a pixel and a half
    shaken = Cameras(views.cameras.K, w2c, 64, 64)
    save_views(StageFiles(tmp_path, {}), replace(views, cameras=shaken), "z up")
    refined = load_views(
        reconstruct(tmp_path, tmp_path / "run", overlay(SMALL, {"input": {"refine_cameras": True}})).folder
    )
    wrong, left = compare(shaken, views.cameras), compare(refined.cameras, views.cameras)
    assert left.ate < 0.7 * wrong.ate
    assert not torch.equal(refined.cameras.w2c, w2c)


def test_export_scales_to_metres_and_stands_on_the_pivot(finished, tmp_path):
    path = export(finished, tmp_path / "a.obj", height_m=0.3, pivot="base")
    mesh = trimesh.load(path, process=False)
    low, high = mesh.bounds
    assert high[1] - low[1] == pytest.approx(0.3, rel=1e-4)
    assert low[1] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose((low + high)[[0, 2]], 0, atol=1e-5)


def test_export_of_splats_is_a_copy_in_the_same_world(finished, tmp_path):
    copy = load_splats(export(finished, tmp_path / "a.ply", what="splats"))
    original = load_splats(finished / "splats.ply")
    assert torch.equal(copy.means, original.means)


def test_prompts_become_folder_names():
    assert slug("A red mug, with a “blue” handle!") == "a-red-mug-with-a-blue-handle"
    assert slug("Größe 7") == "größe-7"
    assert slug("word " * 40) == "-".join(["word"] * 12)
    assert slug("…") == "asset"
    assert default_folder("a mug", 0) == Path("a-mug")
    assert default_folder("a mug", 3) == Path("a-mug-seed-3")
