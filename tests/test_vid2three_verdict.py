"""The stage of the verdict: what stands in asset.json, which views the fit gets, and that it is not done twice."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recon.views import Views
from subjects import mug, orbit_views
from vid2three.capture import save_views
from vid2three.run import Run, no_progress, open_run
from vid2three.stages import GENERATED_WORLD
from vid2three.verdict import DEPTH_OFF, agreeing_views, verdict


def run_of(views: Views, folder: Path) -> Run:
    """Start a run folder that holds these views."""
    run = open_run(folder, {"command": "reconstruct", "seed": 0}, {"name": "mug"})
    run.stage("views", {}, [], lambda files: save_views(files, views, GENERATED_WORLD))
    return run


@pytest.fixture(scope="module")
def swapped(tmp_path_factory) -> Run:
    """A clip in which frame 2 shows what frame 7 should, and the other way round."""
    views = orbit_views(mug(), num=16, size=(44, 48))
    order = np.arange(16)
    order[[2, 7]] = order[[7, 2]]
    shown = Views(views.images[order], views.alphas[order], None, views.cameras)
    run = run_of(shown, tmp_path_factory.mktemp("swapped"))
    verdict(run, no_progress)
    return run


def test_the_frames_at_fault_are_named_and_the_fit_does_without_them(swapped):
    told = json.loads(swapped.path("asset.json").read_text())["verdict"]
    assert told["decision"] == "repaired"
    assert told["dropped_frames"] == [2, 7]
    assert "2 and 7" in told["reasons"][-1]
    left = agreeing_views(swapped)
    assert len(left) == 14
    assert left.alphas is not None


def test_every_figure_of_every_frame_is_kept(swapped):
    figures = json.loads(swapped.path("verdict.json").read_text())["figures"]
    assert {"held_out_db", "shift", "worst", "unexplained", "denied"} <= set(figures)
    assert {len(curve) for name, curve in figures.items() if name != "closure"} == {16}


def test_a_verdict_that_was_reached_is_not_reached_again(swapped):
    before = swapped.path("verdict.json").stat().st_mtime_ns
    swapped.manifest.pop("verdict")  # as when a walk is taken up again
    verdict(swapped, no_progress)
    assert swapped.path("verdict.json").stat().st_mtime_ns == before
    assert swapped.manifest["verdict"]["dropped_frames"] == [2, 7]


def test_photos_with_their_background_are_not_judged(tmp_path):
    views = orbit_views(mug(), num=8, size=(24, 32))
    run = run_of(Views(views.images, None, None, views.cameras), tmp_path / "scene")
    verdict(run, no_progress)
    assert "verdict" not in run.manifest
    assert not run.path("verdict.json").exists()
    assert len(agreeing_views(run)) == 8


def test_depths_that_the_neighbours_see_through_are_not_used(tmp_path):
    views = orbit_views(mug(), num=16, size=(44, 48))
    depths = views.depths.clone()
    rows = depths[5, 20:22]
    depths[5, 20:22] = torch.where(rows > 0, rows - 0.6, 0.0)  # a stripe that floats before the subject
    run = run_of(Views(views.images, views.alphas, depths, views.cameras), tmp_path / "run")
    verdict(run, no_progress)
    used = agreeing_views(run).depths
    assert used is not None
    facts = json.loads(run.path("verdict.json").read_text())
    off = facts["figures"]["depth_off"]
    assert facts["dropped_frames"] == []
    assert off[5] > DEPTH_OFF > off[12]
    assert not used[5].any()
    assert used[12].any()
