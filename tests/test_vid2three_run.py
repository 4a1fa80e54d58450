"""The run folder: whole files or none, stages skipped when nothing changed, redone when anything did."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from vid2three.lock import LOCK
from vid2three.run import MANIFEST, PARTIAL, held_run, load_run, open_run, sha256


def write(text, name="a.txt"):
    def work(files):
        with files.file(name) as path:
            path.write_text(text)

    return work


def never(files):
    raise AssertionError("a stage that is done was done again")


@pytest.fixture
def run(tmp_path):
    return open_run(tmp_path / "run", {"prompt": "mug", "config": {"fit": {"steps": 3}}}, {"name": "mug"})


def again(run, **options):
    arguments = {"prompt": run.manifest["prompt"], "config": run.manifest["config"]}
    return open_run(run.folder, {**arguments, **options.pop("arguments", {})}, {"name": "mug"}, **options)


def test_a_finished_stage_is_skipped_by_the_next_call(run):
    run.stage("one", {"x": 1}, [], write("hello"))
    seen = []
    again(run).stage("one", {"x": 1}, [], never, lambda *event: seen.append(event))
    assert seen == [("one", 1, 1, {"skipped": True})]


def test_changed_settings_redo_a_stage(run):
    run.stage("one", {"x": 1}, [], write("hello"))
    run.stage("one", {"x": 2}, [], write("world"))
    assert run.path("a.txt").read_text() == "world"


def test_a_changed_file_upstream_redoes_the_stage_that_reads_it(run):
    for text in ("first", "second"):
        run.stage("one", {"text": text}, [], write(text))
        run.stage("two", {}, ["a.txt"], write(f"copy of {text}", "b.txt"))
    assert run.path("b.txt").read_text() == "copy of second"


def test_an_upstream_stage_that_comes_out_the_same_spares_the_rest(run):
    run.stage("one", {"x": 1}, [], write("same"))
    run.stage("two", {}, ["a.txt"], write("copy", "b.txt"))
    run.stage("one", {"x": 2}, [], write("same"))
    run.stage("two", {}, ["a.txt"], never)


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_text("bitten")])
def test_a_lost_or_damaged_file_is_made_again(run, harm):
    run.stage("one", {}, [], write("hello"))
    harm(run.path("a.txt"))
    again(run).stage("one", {}, [], write("hello"))
    assert run.path("a.txt").read_text() == "hello"


def test_a_stage_that_fails_leaves_no_file_and_no_record(run):
    def work(files):
        with files.file("a.txt") as path:
            path.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        run.stage("one", {}, [], work)
    assert sorted(os.listdir(run.folder)) == [MANIFEST]
    assert load_run(run.folder).manifest["stages"] == {}


def test_files_that_a_stage_no_longer_writes_are_deleted(run):
    run.stage("one", {"x": 1}, [], write("hello", "views/000.png"))
    run.stage("one", {"x": 2}, [], write("hello", "views/001.png"))
    assert os.listdir(run.folder / "views") == ["001.png"]
    assert list(run.manifest["files"]) == ["views/001.png"]


def test_another_run_in_the_folder_is_refused_with_both_cures(run):
    with pytest.raises(ValueError, match=r"prompt is 'mug' there, 'cup' here\)\. Pass --overwrite .* -o"):
        again(run, arguments={"prompt": "cup"})
    with pytest.raises(ValueError, match=r"config\.fit\.steps is 3 there, 4 here"):
        again(run, arguments={"config": {"fit": {"steps": 4}}})
    assert load_run(run.folder).manifest["prompt"] == "mug"


def test_overwrite_keeps_the_stages_whose_inputs_did_not_change(run):
    run.stage("one", {"x": 1}, [], write("hello"))
    other = again(run, arguments={"config": {"fit": {"steps": 4}}}, overwrite=True)
    other.stage("one", {"x": 1}, [], never)
    assert load_run(run.folder).manifest["config"] == {"fit": {"steps": 4}}


def test_records_of_exports_stay_while_the_run_is_the_same_and_the_files_are_there(run):
    run.manifest["exports"] = {"there.stl": {"sha256": "0"}, "gone.stl": {"sha256": "1"}}
    run.save()
    (run.folder / "there.stl").touch()
    assert again(run).manifest["exports"] == {"there.stl": {"sha256": "0"}}
    other = again(run, arguments={"prompt": "vase"}, overwrite=True)
    assert "exports" not in other.manifest


def test_a_folder_with_other_files_is_refused_and_never_emptied(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="not empty and holds no run"):
        open_run(tmp_path, {}, {})
    run = open_run(tmp_path, {}, {}, overwrite=True)
    run.stage("one", {}, [], write("hello"))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_folder_that_a_killed_start_left_is_a_new_one(tmp_path):
    for name in (f"{PARTIAL}probe-17", f"{PARTIAL}asset.json", LOCK):
        (tmp_path / name).touch()
    with held_run(tmp_path, {"prompt": "mug"}, {}):
        pass
    assert os.listdir(tmp_path) == [MANIFEST]


def test_only_the_run_folder_itself_opens_runs_without_their_lock(root):
    users = [path.name for path in (root / "vid2three").rglob("*.py") if "open_run" in path.read_text("utf-8")]
    assert users == ["run.py"]


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        ValueError, match=r"Nothing can be written to .*\(Not a directory\); .* pass another folder with -o"
    ):
        open_run(tmp_path / "file" / "run", {}, {})


def test_manifest_tells_what_each_file_is(run):
    def work(files):
        with files.file("a.txt", frame="z up") as path:
            path.write_text("hello")
        return {"psnr_db": 31.5}

    run.stage("one", {}, [], work)
    manifest = json.loads((run.folder / MANIFEST).read_text())
    assert manifest["files"]["a.txt"] == {"sha256": sha256(run.path("a.txt")), "bytes": 5, "frame": "z up"}
    assert manifest["scores"] == {"psnr_db": 31.5}
    assert manifest["timings"]["total"] == manifest["timings"]["one"] >= 0
    assert manifest["name"] == "mug"


def test_a_folder_without_manifest_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no asset\.json"):
        load_run(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        load_run(tmp_path)
    (tmp_path / MANIFEST).write_text('{"schema": 99}')
    with pytest.raises(ValueError, match="not written by this version"):
        load_run(tmp_path)


SLOW_WRITER = """
import sys, time
from pathlib import Path
from vid2three.run import open_run
run = open_run(Path(sys.argv[1]), {"prompt": "mug"}, {})
def work(files):
    for index in range(1000):
        with files.file(f"views/{index:03d}.png") as path:
            with path.open("w") as file:
                for _ in range(10):
                    file.write("0123456789" * 1000)
                    file.flush()
                    time.sleep(0.001)
run.stage("one", {}, [], work)
"""


def test_a_killed_process_leaves_whole_files_and_a_folder_that_goes_on(root, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", SLOW_WRITER, str(tmp_path / "run")], cwd=root)
    views = tmp_path / "run" / "views"
    deadline = time.time() + 30
    while not (views / "003.png").exists() and time.time() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = list(views.glob("[0-9]*.png"))
    assert len(finished) >= 3
    assert {path.stat().st_size for path in finished} == {100_000}
    run = open_run(tmp_path / "run", {"prompt": "mug"}, {})
    assert run.manifest["stages"] == {}
    assert list((tmp_path / "run").rglob(".partial-*")) == []


def test_what_a_killed_export_left_is_cleared_away(tmp_path):
    arguments = {"command": "make", "seed": 1}
    open_run(tmp_path / "run", arguments, {})
    half = tmp_path / "run" / ".partial-7x"
    half.mkdir()
    (half / "mesh.usdz").write_bytes(b"half")
    (tmp_path / "run" / ".partial-mesh.glb").write_bytes(b"half")
    open_run(tmp_path / "run", arguments, {})
    assert list((tmp_path / "run").rglob(".partial-*")) == []
