"""Evaluation: a run that is the truth scores as such, what is wrong with a run shows, and views fall into groups."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from recon.hull import projection_matrices
from recon.metrics import psnr
from recon.sdf_field import BAND, SdfField, field_around
from recon.splats import Splats
from recon.tsdf import closed, fuse_masks, grid_around
from recon.views import Views, composited
from subjects import mug, orbit_views, surface_splats
from vid2three.capture import load_views, save_views
from vid2three.evaluate import evaluate, table
from vid2three.formats.field import save_field
from vid2three.formats.glb import save_mesh
from vid2three.formats.ply import save_splats
from vid2three.place import Y_UP_FROM_Z_UP
from vid2three.run import StageFiles, open_run

ELEVATION, OTHER = 15.0, 40.0


def save_split(folder: Path, split: str, views: Views) -> None:
    save_views(StageFiles(folder, {}), views, "z up")
    (folder / "views").rename(folder / split)
    text = (folder / "transforms.json").read_text().replace('"views/', f'"{split}/').replace('"depth/', f'"{split}-z/')
    (folder / "depth").rename(folder / f"{split}-z")
    (folder / f"transforms_{split}.json").write_text(text)
    (folder / "transforms.json").unlink()


@pytest.fixture(scope="module", autouse=True)
def few_samples():
    """Surfaces of 5,000 points: a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vid2three.evaluate.NUM_SAMPLES", 5_000)
        yield


@pytest.fixture(scope="module")
def truth(tmp_path_factory) -> Path:
    """A mug from 6 sides at the training elevation; held out are 2 views there and 3 from above."""
    folder = tmp_path_factory.mktemp("truth")
    low, high = orbit_views(mug(), 2, elevation_deg=ELEVATION), orbit_views(mug(), 3, elevation_deg=OTHER)
    both = {name: torch.cat([getattr(low, name), getattr(high, name)]) for name in ("images", "alphas", "depths")}
    cameras = replace(
        low.cameras, **{name: torch.cat([getattr(v.cameras, name) for v in (low, high)]) for name in ("K", "w2c")}
    )
    save_split(folder, "train", orbit_views(mug(), 6, elevation_deg=ELEVATION))
    save_split(folder, "test", Views(**both, cameras=cameras))
    mug().export(folder / "mesh.ply")
    return folder


def hull_field(views: Views) -> SdfField:
    """The visual hull, white."""
    grid = grid_around(np.full(3, -1.0), np.full(3, 1.0), 48, 6)
    matrices = projection_matrices(views.cameras)
    values = closed(fuse_masks(views.alphas.numpy(), matrices, grid, BAND * grid.voxel), BAND * grid.voxel)
    return field_around(values, np.ones((*grid.shape, 3)), grid, 10.0 / grid.voxel, "cpu")


def save_run(
    folder: Path,
    splats: Splats,
    mesh: trimesh.Trimesh,
    antialiased: bool = False,
    field: SdfField | None = None,
    primitive: str = "3dgs",
) -> Path:
    """Write what `evaluate` reads of a run: the mesh in a world twice as large, and how it lies there."""
    matrix = np.diag([2.0, 2.0, 2.0, 1.0])
    facts = {"world_from_file": np.linalg.inv(Y_UP_FROM_Z_UP @ matrix).tolist()}
    fitted = {"antialiased": antialiased, "primitive": primitive}
    run = open_run(folder, {"command": "reconstruct", "config": {"fit": fitted}}, {})

    def work(files: StageFiles) -> None:
        with files.file("splats.ply") as path:
            save_splats(path, splats)
        with files.file("mesh.glb", **facts) as path:
            save_mesh(path, mesh.copy().apply_transform(matrix))
        if field is not None:
            with files.file("surface.npz") as path:
                save_field(path, field)

    run.stage("fit", {}, [], work)
    return folder


@pytest.fixture(scope="module")
def perfect(truth, tmp_path_factory) -> dict:
    return evaluate(save_run(tmp_path_factory.mktemp("run"), surface_splats(mug(), 4000), mug()), truth)


def test_the_truth_itself_scores_as_such(perfect):
    surface = perfect["surface"]["unaligned"]
    assert surface["f_score_0.05"] > 0.99
    assert surface["chamfer"] < 0.02  # the spacing of the samples
    views = perfect["views"]["all"]
    assert views["mesh_iou"] > 0.95  # half-covered pixels fall to either side
    assert views["mesh_psnr_masked"] > 40
    assert views["iou"] > 0.8  # splats reach beyond the surface
    assert perfect["mesh"]["num_faces"] == len(mug().faces)


def test_flat_splats_are_drawn_as_such(truth, perfect, tmp_path):
    """As thick as wide, but it is the discs that lie on the surface: only drawn flat do they show it as well."""
    thin = surface_splats(mug(), 4000)
    thick = replace(thin, log_scales=torch.cat([thin.log_scales[:, :2], thin.log_scales[:, :1] + 1], dim=1))
    flat, fat = (
        evaluate(save_run(tmp_path / primitive, thick, mug(), primitive=primitive), truth)["views"]["all"]
        for primitive in ("2dgs", "3dgs")
    )
    assert flat["iou"] > fat["iou"] + 0.05
    assert flat["iou"] > perfect["views"]["all"]["iou"] - 0.01


def test_views_fall_into_groups_by_elevation(perfect):
    counts = {name: group["num_views"] for name, group in perfect["views"].items()}
    assert counts == {"all": 5, "training_elevation": 2, "other_elevations": 3}
    parts = [perfect["views"][name]["psnr_masked"] for name in ("training_elevation", "other_elevations")]
    assert perfect["views"]["all"]["psnr_masked"] == pytest.approx((2 * parts[0] + 3 * parts[1]) / 5)


def test_a_moved_mesh_shows_as_it_lies_and_not_aligned(truth, tmp_path):
    moved = mug().apply_scale(1.06).apply_translation((0.04, -0.02, 0.06))
    surface = evaluate(save_run(tmp_path / "run", surface_splats(moved, 500), moved), truth)["surface"]
    assert surface["unaligned"]["f_score_0.05"] < 0.8
    assert surface["aligned"]["f_score_0.05"] > 0.99
    assert np.allclose(np.array(surface["aligned_from_file"])[:3, :3], np.eye(3) / 1.06, atol=0.01)


def test_splats_are_drawn_as_they_were_fitted(truth, tmp_path):
    thin = surface_splats(mug(), 4000)
    thin = replace(thin, log_scales=thin.log_scales - 2)  # small enough for antialiasing to matter
    views = shutil.copytree(truth, tmp_path / "views", ignore=shutil.ignore_patterns("mesh.ply"))
    plain, weakened = (evaluate(save_run(tmp_path / str(flag), thin, mug(), flag), views) for flag in (False, True))
    assert "surface" not in plain
    assert weakened["views"]["all"]["iou"] < plain["views"]["all"]["iou"] - 0.05


def test_a_field_is_drawn_beside_the_splats_where_there_is_one(truth, perfect, tmp_path):
    test = load_views(truth / "transforms_test.json")
    run = save_run(tmp_path / "run", surface_splats(mug(), 4000), mug(), field=hull_field(test))
    figures = evaluate(run, truth)["views"]["all"]
    white = torch.ones_like(test.images)
    assert figures["field_iou"] > 0.93
    assert figures["field_psnr_masked"] == pytest.approx(psnr(white, composited(test), test.alphas), abs=1.0)
    assert not any(key.startswith("field") for key in perfect["views"]["all"])


def test_cost_is_what_the_run_took(perfect):
    assert set(perfect["cost"]["seconds"]) == {"fit", "total"}
    assert perfect["cost"]["peak_memory_mb"] > 50


def test_the_table_shows_every_group_and_the_cost(perfect):
    text = table(perfect)
    header = text.splitlines()[0]
    assert all(name in header for name in ("all", "training elevation", "other elevations"))
    assert "PSNR masked" in text
    assert "f score 0.01" in text
    assert "Cost: fit" in text


def test_a_folder_that_is_no_truth_is_named(tmp_path):
    run = save_run(tmp_path / "run", surface_splats(mug(), 100), mug())
    with pytest.raises(FileNotFoundError, match=r"transforms_test\.json"):
        evaluate(run, tmp_path)


def test_lpips_is_given_where_the_user_has_weights(truth, perfect, tmp_path):
    weights = {"0": (64, 3, 11), "3": (192, 64, 5), "6": (384, 192, 3), "8": (256, 384, 3), "10": (256, 256, 3)}
    torch.manual_seed(0)
    state = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, (c, _, _) in enumerate(weights.values())}
    for index, (width, before, kernel) in weights.items():
        state[f"features.{index}.weight"] = torch.randn(width, before, kernel, kernel) / kernel / before**0.5
        state[f"features.{index}.bias"] = torch.zeros(width)
    torch.save(state, tmp_path / "lpips.pth")
    figures = evaluate(save_run(tmp_path / "run", surface_splats(mug(), 200), mug()), truth, tmp_path / "lpips.pth")
    views = figures["views"]
    assert figures["lpips_net"] == "alex"
    assert views["all"]["mesh_lpips"] < 0.2 * views["all"]["lpips"]  # the true mesh against a few large splats
    parts = [views[name]["lpips"] for name in ("training_elevation", "other_elevations")]
    assert views["all"]["lpips"] == pytest.approx((2 * parts[0] + 3 * parts[1]) / 5)
    assert "mesh LPIPS" in table(figures)
    assert "LPIPS" not in table(perfect)
