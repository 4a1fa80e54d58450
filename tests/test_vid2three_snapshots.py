"""Half-fitted splats for `view --live`: only while somebody looks, whole, gone at the end, and of no effect."""

import contextlib
import io
import json
import os
import shutil
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recon.config import FitConfig
from recon.splats import Splats
from subjects import mug, orbit_views, surface_splats
from test_vid2three_viewer_serve import serving
from vid2three.capture import save_views
from vid2three.formats.ply import load_splats
from vid2three.run import PARTIAL, Run, held_run, open_run
from vid2three.snapshots import PLACE, ask, load_snapshot, snapshots
from vid2three.stages import splats
from vid2three.viewer.serve import address

CONFIG = FitConfig(num_splats=400, iterations=200, sh_degree=1)
STEPS = [20, 40, 60, 80, 100, 120, 140, 160, 180, 200]


def started(folder: Path) -> Run:
    """A run that has its views and nothing more."""
    config = {"fit": asdict(CONFIG)}
    arguments = {"command": "reconstruct", "input": {"name": "mug", "sha256": "ab"}, "seed": 3, "config": config}
    origin = {"provenance": {"ai_generated": False, "statement": ""}, "world": "z up"}
    run = open_run(folder, arguments, {"name": "mug", "versions": {"vid2three": "0.1.0"}, **origin})
    run.stage("views", {}, [], lambda files: save_views(files, orbit_views(mug(), 6), "z up"))
    return run


def one(more: float = 0.0) -> Splats:
    made = surface_splats(mug(), 50)
    return replace(made, sh=made.sh + more)


def test_a_fit_that_nobody_looks_at_writes_nothing(tmp_path):
    with snapshots(tmp_path, CONFIG) as take:
        take(lambda: pytest.fail("nobody asked"))
        assert load_snapshot(tmp_path) is None
    assert os.listdir(tmp_path) == []


def test_who_looks_gets_splats_and_the_next_only_for_the_next_look(tmp_path, monkeypatch):
    monkeypatch.setattr("vid2three.snapshots.EVERY_S", 0.0)
    with snapshots(tmp_path, CONFIG) as take:
        ask(tmp_path)
        take(one)
        torch.testing.assert_close(load_snapshot(tmp_path).means, one().means)
        take(lambda: pytest.fail("nobody asked again"))
        time.sleep(0.02)  # a disk's clock has steps
        ask(tmp_path)
        take(lambda: one(0.25))
        torch.testing.assert_close(load_snapshot(tmp_path).sh, one().sh + 0.25)
        assert sorted(os.listdir(tmp_path / PLACE)) == ["asked", "splats.ply"]
    assert os.listdir(tmp_path) == []


def test_looking_after_the_fit_leaves_nothing_behind(tmp_path):
    with snapshots(tmp_path, CONFIG):
        pass
    ask(tmp_path)
    assert load_snapshot(tmp_path) is None
    assert os.listdir(tmp_path) == []


def test_no_more_than_one_snapshot_every_few_seconds(tmp_path):
    taken = []
    with snapshots(tmp_path, CONFIG) as take:
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            ask(tmp_path)
            take(lambda: taken.append(1) or one())
    assert len(taken) == 1


@pytest.mark.parametrize("harm", ["gone", "a file in the way", "not finite"])
def test_a_disk_or_splats_that_allow_no_snapshot_do_not_stop_the_fit(tmp_path, harm):
    if harm == "a file in the way":
        (tmp_path / PLACE).write_text("")
    with snapshots(tmp_path, CONFIG) as take:
        ask(tmp_path)
        if harm == "gone":
            shutil.rmtree(tmp_path / PLACE)
        take(lambda: one(float("nan")) if harm == "not finite" else one())
    assert load_snapshot(tmp_path) is None


def test_what_a_killed_fit_left_is_cleared_away(tmp_path):
    assert PLACE.startswith(PARTIAL)
    (tmp_path / "run" / PLACE).mkdir(parents=True)
    (tmp_path / "run" / PLACE / "splats.ply").write_bytes(b"half")
    with held_run(tmp_path / "run", {"command": "make"}, {}):
        pass
    assert os.listdir(tmp_path / "run") == ["asset.json"]


def test_a_watched_fit_shows_its_splats_and_comes_to_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("vid2three.snapshots.EVERY_S", 0.0)
    alone, watched = started(tmp_path / "alone"), started(tmp_path / "watched")
    splats(alone, CONFIG, lambda *_: None)
    states, shown = [], []
    with serving(watched.folder, live=True) as (look, _):

        def watch(stage: str, step: int, total: int, info: dict) -> None:
            if step in STEPS and total == CONFIG.iterations:
                states.append(json.loads(look("/state.json")[1]))
                shown.append(json.loads(look("/asset-now.json")[1]).get("splats"))

        splats(watched, CONFIG, watch)
        after = json.loads(look("/state.json")[1])
    assert shown[0] is None  # nothing had been taken when it was first looked at
    assert all(entry["count"] > 0 for entry in shown[1:])
    assert len({json.dumps(entry) for entry in shown}) == len(STEPS)  # they go on
    assert len({state["version"] for state in states}) == len(STEPS)
    assert "The splats are shown while they are fitted." in states[-1]["status"]
    assert "while they are fitted" not in after["status"]
    one_of, other = ((run.folder / "splats.ply").read_bytes() for run in (alone, watched))
    assert one_of == other
    assert sorted(os.listdir(watched.folder)) == sorted(os.listdir(alone.folder))


def test_the_splats_come_nearer_to_the_pictures_as_they_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr("vid2three.snapshots.EVERY_S", 0.0)
    run, early = started(tmp_path / "run"), []

    def watch(stage: str, step: int, total: int, info: dict) -> None:
        if (snapshot := load_snapshot(run.folder)) is not None:
            early.append(snapshot)
        ask(run.folder)

    splats(run, CONFIG, watch)
    final = load_splats(run.path("splats.ply"))
    same = [snapshot for snapshot in early if len(snapshot) == len(final)]
    distance = [float((snapshot.means - final.means).norm(dim=1).mean()) for snapshot in same]
    assert len(distance) >= 3
    assert distance[-1] < 0.7 * distance[0]


@pytest.mark.slow
def test_a_browser_shows_the_thing_while_it_is_fitted(browser, tmp_path):
    run = started(tmp_path / "run")
    is_seen, faults = threading.Event(), []

    def wait(stage: str, step: int, total: int, info: dict) -> None:
        if total == CONFIG.iterations and step >= 40 and not is_seen.is_set():
            time.sleep(3.0)  # so long that the page can keep up

    def work() -> None:
        try:
            splats(run, CONFIG, wait)
        except BaseException as error:
            faults.append(error)

    with serving(run.folder, live=True) as (_, server), contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(address(server))
        fit = threading.Thread(target=work)
        fit.start()
        page.locator("#notice", has_text="while they are fitted").wait_for(timeout=60_000)
        picture = seen(page)
        deadline = time.monotonic() + 40
        while coverage(picture) < 0.01 and fit.is_alive() and time.monotonic() < deadline:
            page.wait_for_timeout(500)
            picture = seen(page)
        box = page.locator("#notice").bounding_box()
        going_on = fit.is_alive()
        is_seen.set()
        fit.join()
    assert faults == []
    assert going_on
    assert coverage(picture) > 0.01
    assert box["y"] + box["height"] < 100  # above the thing, not on it
    if folder := os.environ.get("V2T_PICTURES"):
        Image.fromarray(picture).save(Path(folder) / "live.png")


def seen(page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


def coverage(picture: np.ndarray) -> float:
    """Return the share of a picture that is as coloured as the mug, which nothing else of the page is."""
    values = picture.astype(int)
    return float((values.max(axis=2) - values.min(axis=2) > 70).mean())
