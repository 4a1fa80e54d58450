"""The verdict: faults that a person sees are caught, a clip without one passes, a few bad frames are left out."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from planted_faults import FAULTS, Truth

from recon.consistency.measure import Consistency, measure
from recon.consistency.verdict import LIMITS, limits, repair, verdict
from recon.consistency.witness import witness
from recon.mesh_render import render_mesh
from recon.poses.types import Matches, PoseEstimate
from recon.views import Views
from subjects import colored, mug, orbit_views


def toy() -> trimesh.Trimesh:
    """A mug with a blue block beside it and a yellow ball on top: it looks different from all sides."""
    block = trimesh.creation.box((0.4, 0.5, 0.6)).subdivide().subdivide()
    block.apply_translation((-0.6, -0.2, -0.2))
    ball = trimesh.creation.icosphere(2, 0.28)
    ball.apply_translation((0.05, -0.2, 0.75))
    block.visual.vertex_colors = colored(block, (40, 60, 220))
    ball.visual.vertex_colors = colored(ball, (230, 200, 40))
    return trimesh.util.concatenate([mug(), block, ball])


@pytest.fixture(scope="module")
def truth() -> Truth:
    mesh = toy()
    views = orbit_views(mesh, num=16, size=(44, 48))

    def draw(cameras):
        drawn = render_mesh(mesh, cameras)
        straight = drawn.rgb / drawn.alpha.clamp(min=0.25)[..., None]
        return Views(straight.clamp(0, 1), drawn.alpha, drawn.depth, cameras)

    return Truth("toy", views, draw)


def measured(views: Views) -> Consistency:
    return measure(views.images, views.alphas, views.cameras, depths=views.depths)


@pytest.fixture(scope="module")
def clean(truth) -> Consistency:
    return measured(truth.views)


def test_a_clip_without_fault_is_accepted(clean):
    judged = verdict(clean, poses_confidence=0.9)
    assert judged.decision == "accept"
    assert judged.reasons == ()
    assert judged.weights.min() == 1
    assert judged.trouble.max() < 1


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_that_a_person_sees_is_caught(truth, name):
    fault = FAULTS[name]
    planted = fault.plant(truth, fault.visible[-1], np.random.default_rng(0))
    judged = verdict(measured(planted))
    assert judged.decision == "refused"
    assert judged.reasons


def test_two_frames_that_changed_places_are_left_out_and_the_rest_agrees(truth):
    order = np.arange(16)
    order[[3, 11]] = order[[11, 3]]
    images, alphas = truth.views.images[order], truth.views.alphas[order]
    first = measure(images, alphas, truth.views.cameras)
    assert verdict(first).decision == "refused"
    judged = repair(images, alphas, truth.views.cameras, first)
    assert judged.decision == "repaired"
    assert judged.dropped == (3, 11)
    assert np.flatnonzero(judged.weights == 0).tolist() == [3, 11]
    assert "Without frames 3 and 11" in judged.reasons[-1]


def test_a_repair_that_would_leave_a_wide_gap_is_a_refusal(truth):
    order = np.arange(16)
    order[4:7] = order[[12, 13, 14]]  # three in a row: 90 degrees without them
    images, alphas = truth.views.images[order], truth.views.alphas[order]
    assert (
        repair(images, alphas, truth.views.cameras, measure(images, alphas, truth.views.cameras)).decision == "refused"
    )


def test_cameras_that_are_not_believed_are_a_refusal_with_that_reason(truth, clean):
    judged = verdict(clean, poses_confidence=0.1)
    assert judged.decision == "refused"
    assert "confidence 0.10" in judged.reasons[0]
    views = truth.views
    assert repair(views.images, views.alphas, views.cameras, clean, poses_confidence=0.1).decision == "refused"


def test_reasons_name_the_figure_and_the_frames_worst_first(clean):
    shift, tint = 0 * clean.shift, 0 * clean.tint
    shift[[2, 3, 4, 9]] = 3 * LIMITS["shift"]
    tint[7] = 2 * LIMITS["tint"]
    judged = verdict(replace(clean, shift=shift, tint=tint, spacing_deg=10, pixel=1))
    assert judged.reasons[0].startswith("Frames 2 to 4 and 9: must be bent by")
    assert judged.reasons[1].startswith("Frame 7: colours are shifted by")
    assert judged.weights[2] == pytest.approx(1 / 9)
    assert judged.weights[0] == 1


def test_the_same_seed_measures_the_same(truth):
    views = truth.views[torch.arange(0, 16, 2)]
    once, again = measured(views).curves(), measured(views).curves()
    assert all(np.array_equal(once[name], again[name], equal_nan=True) for name in once)


def test_photos_without_masks_and_few_frames_are_measured(truth):
    views = truth.views[torch.arange(0, 16, 2)]
    found = measure(views.images, None, views.cameras)
    assert np.isnan(found.unexplained).all()
    assert np.isfinite(found.shift).all()
    with pytest.raises(ValueError, match="at least 6"):
        measure(views.images[:5], None, views.cameras[:5])


def test_matches_beside_their_epipolar_lines_are_counted_by_frame(truth):
    points = torch.randn(30, 3, generator=torch.Generator().manual_seed(0)) * 0.3
    from recon.camera import project

    uv = project(points, truth.views.cameras)[0].double().numpy()
    first, second = np.repeat(np.arange(15), 30), np.repeat(np.arange(1, 16), 30)
    matches = Matches(first, second, uv[:15].reshape(-1, 2), uv[1:].reshape(-1, 2))
    wrong = replace(matches, xy_second=np.where((second == 6)[:, None], matches.xy_second + [0, 9], matches.xy_second))
    for given, expected in ((matches, 0.0), (wrong, 0.5)):
        found = measure(truth.views.images, None, truth.views.cameras, matches=given)
        assert found.off_epipolar[6] == pytest.approx(expected, abs=0.05)
        assert np.delete(found.off_epipolar, [5, 6]).max() < 0.05


def test_a_witness_who_saw_the_same_cameras_agrees(truth):
    cameras, known = truth.views.cameras, torch.ones(16, dtype=torch.bool)
    told = witness(cameras, PoseEstimate(cameras, known, None, "orbit", 0.8, (), {}))
    assert told["registered"] == "16/16"
    assert told["auc_5"] == pytest.approx(100, abs=0.1)
    assert told["elevation_difference_deg"] == pytest.approx(0, abs=1e-3)
    assert told["focal_ratio"] == pytest.approx(1)
    assert told["is_mirrored"] is False


def test_estimated_masks_may_err_along_the_outline(clean):
    strict = limits(clean, LIMITS, of_frame=True)
    loose = limits(replace(clean, has_estimated_masks=True), LIMITS, of_frame=True)
    assert {name for name in LIMITS if loose[name] > strict[name]} == {"worst", "unexplained", "denied"}
    assert loose["worst"] == pytest.approx(1.5 * strict["worst"])
