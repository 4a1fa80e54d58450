"""`batch` from its list to its gallery: the files of `make`, resumed, redone where a row changed, failures kept."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vid2three
from batch_parts import CLIP, TINY, bytes_of, command, one_thread, save_tiny
from vid2three.batches.pool import Pool
from vid2three.batches.table import Mistakes
from vid2three.batches.walk import default_workers
from vid2three.lock import locked

psutil = pytest.importorskip("psutil", reason="no psutil: ray brings it")


def task(prompt: str = "a red mug", **generate) -> dict:
    config = {**TINY, "generate": {**CLIP, **generate}}
    return {"command": "make", "what": prompt, "seed": 0, "config": config, "extra": {}}


def events_of(pool: Pool, seen=lambda event: None) -> list:
    found = []
    while not pool.is_idle:
        event = pool.next_event(timeout=1.0)
        if event is not None:
            found.append(event)
            seen(event)
    return found


@pytest.mark.slow
def test_a_killed_process_costs_the_time_of_its_job_alone(tmp_path):
    killed = []

    def kill(event):
        if event.kind == "step" and event.job == "a" and not killed:
            process = pool._processes[event.worker].process
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)

    with Pool(2, threads=1) as pool:
        for name in ("a", "b"):
            pool.submit(name, task(), tmp_path / name)
        told = events_of(pool, kill)
    assert killed
    ends = {event.job: (event.facts["state"], event.attempts) for event in told if event.kind == "end"}
    assert ends == {"a": ("done", 2), "b": ("done", 1)}
    assert [event.job for event in told if event.kind == "lost"] == ["a"]
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert len(bytes_of(tmp_path / "a")) > 10


def test_a_process_that_is_lost_again_and_again_fails_its_job_with_the_reason(tmp_path):
    def kill(event):
        if event.kind == "start":
            os.kill(pool._processes[event.worker].process.pid, signal.SIGKILL)

    with Pool(1, threads=1, retries=1) as pool:
        pool.submit("a", task(), tmp_path / "a")
        told = events_of(pool, kill)
    assert [event.kind for event in told] == ["start", "lost", "start", "end"]
    assert told[-1].facts["reason"].startswith("The process that makes it was killed 2 times")


def test_a_mistake_and_a_stop_leave_the_process_warm_and_a_bug_brings_a_new_one(tmp_path):
    with Pool(1, threads=1) as pool:
        pool.submit("mistake", task(steps=0), tmp_path / "a")
        pool.submit("stopped", task(steps=90), tmp_path / "b")
        pool.submit("queued", task(), tmp_path / "c")
        pool.submit("bug", {**task(), "extra": {"no_such": 1}}, tmp_path / "d")
        pool.submit("after", task(steps=0), tmp_path / "e")
        pids = {}

        def stop(event):
            if event.kind == "start" and pool._processes[event.worker] is not None:
                pids[event.job] = pool._processes[event.worker].process.pid
            if event.kind == "step" and event.job == "stopped":
                pool.cancel("queued")
                pool.cancel("stopped")

        told = {event.job: event for event in events_of(pool, stop) if event.kind == "end"}
    for name in ("mistake", "after"):
        assert told[name].facts["reason"].startswith("The sampler needs at least one step")
        assert "traceback" not in told[name].facts
    assert told["bug"].facts["reason"].startswith("TypeError: ")
    assert "no_such" in told["bug"].facts["traceback"]
    assert told["stopped"].facts["state"] == told["queued"].facts["state"] == "stopped"
    assert pids["mistake"] == pids["stopped"] != pids["after"]
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
def test_a_stop_while_libraries_are_loaded_spoils_no_later_job(tmp_path):
    with Pool(1, threads=1) as pool:
        for number in range(6):
            pool.submit(f"stopped-{number}", task(), tmp_path / f"stopped-{number}")
        pool.submit("last", task(), tmp_path / "last")

        def stop(event):
            if event.kind == "start" and event.job != "last":
                time.sleep(0.3 * int(event.job[-1]))  # each a little later
                pool.cancel(event.job)

        told = {event.job: event.facts["state"] for event in events_of(pool, stop) if event.kind == "end"}
    assert told.pop("last") == "done"
    assert set(told.values()) <= {"stopped", "done"}


def start(arguments: list[str]) -> subprocess.Popen:
    root = Path(__file__).parents[1]
    code = (
        f"import sys, signal; signal.signal(signal.SIGINT, signal.default_int_handler); sys.path[0] = {str(root)!r}; "
    )
    code += "from vid2three.cli import main; main()"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=one_thread(), **pipes)


def broken_capture(folder: Path) -> Path:
    """A transforms.json whose one picture ends in the middle, which only its reading finds."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "0.png")
    (folder / "0.png").write_bytes((folder / "0.png").read_bytes()[:2000])
    frame = {"file_path": "0.png", "transform_matrix": np.eye(4).tolist()}
    (folder / "transforms.json").write_text(
        json.dumps({"fl_x": 50, "fl_y": 50, "cx": 24, "cy": 32, "w": 48, "h": 64, "frames": [frame]})
    )
    return folder


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_a_batch_is_stopped_resumed_and_changed_and_has_the_bytes_of_make(tmp_path):
    broken_capture(tmp_path / "broken")
    tiny, rows = save_tiny(tmp_path), ["a red mug,,,0", "a blue chair,,chair,3", ",broken,,"]
    table, folder = tmp_path / "list.csv", tmp_path / "out"
    table.write_text("\n".join(["prompt,input,name,seed", *rows]))
    call = ["batch", str(table), "-o", str(folder), "--config", str(tiny), "--workers", "2", "--progress", "json"]

    process = start(call)
    for line in process.stdout:
        if json.loads(line)["stage"] == "fit":
            processes = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "the same command goes on" in json.loads(out.splitlines()[-1])["error"]
    assert len(processes) == 2
    assert not any(psutil.pid_exists(child.pid) for child in processes)

    went_on = command(*call)
    assert went_on.returncode == 1, went_on.stderr  # one failed
    last = json.loads(went_on.stdout.splitlines()[-1])
    assert list(last["failed"]) == ["broken"]
    lines = [json.loads(line) for line in (folder / "batch.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines] == ["a-red-mug", "chair", "broken"]
    assert [line["state"] for line in lines] == ["done", "done", "failed"]
    assert "0.png" in lines[2]["reason"]
    assert "traceback" not in lines[2]
    skipped = [json.loads(line) for line in went_on.stdout.splitlines()]
    assert any(told.get("skipped") and told["stage"] == "generate" for told in skipped)

    alone = tmp_path / "alone"
    made = command("make", "a blue chair", "--seed", "3", "-o", str(alone), "--config", str(tiny), "--threads", "1")
    assert made.returncode == 0, made.stderr
    assert bytes_of(folder / "chair") == bytes_of(alone)
    manifests = [json.loads((place / "asset.json").read_text()) for place in (folder / "chair", alone)]
    for manifest in manifests:
        del manifest["timings"]
    assert manifests[0] == manifests[1]

    before = {path: path.stat().st_mtime_ns for path in (folder / "a-red-mug").rglob("*")}
    table.write_text("\n".join(["prompt,input,name,seed", rows[0], "a blue chair,,chair,4"]))
    shutil.rmtree(tmp_path / "broken")
    again = command(*call)
    assert again.returncode == 0, again.stderr
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "a-red-mug").rglob("*")}
    assert json.loads((folder / "chair" / "asset.json").read_text())["seed"] == 4
    assert [json.loads(line)["seed"] for line in (folder / "batch.jsonl").read_text().splitlines()] == [0, 4]
    page = (folder / "index.html").read_text()
    assert page.count("<article") == page.count("poster='data:image/jpeg;base64,") == 2
    assert str(tmp_path) not in page


def test_nothing_is_started_where_a_row_would_be_refused(tmp_path):
    rows = ["a mug", {"prompt": "a mug", "steps": 3}, {"prompt": "a mug", "generate.steps": 0}, {"input": "no.mp4"}]
    with pytest.raises(Mistakes) as found:
        vid2three.batch(rows[:2], tmp_path / "out")
    assert found.value.lines == ["Row 2: 'steps' is no column or setting of make; did you mean 'generate.steps'?"]
    with pytest.raises(Mistakes) as found:
        vid2three.batch([rows[0], *rows[2:]], tmp_path / "out")
    assert [line.partition(":")[0] for line in found.value.lines] == ["Row 2", "Row 3"]
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_with_all_rows_is_told_once(tmp_path):
    for wrong, told in (
        ({"preset": "drafty"}, "no preset 'drafty'"),
        ({"seeds": 0}, "seeds must"),
        ({"threads": 0}, "thr"),
    ):
        with pytest.raises(ValueError, match=told) as found:
            vid2three.batch(["a mug", "a cup"], tmp_path / "out", **wrong)
        assert not isinstance(found.value, Mistakes)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and holds no batch"):
        vid2three.batch(["a mug"], tmp_path)
    (tmp_path / "batch.jsonl").write_text("{no json\n[]\n")
    (tmp_path / "a-mug").mkdir()
    (tmp_path / "a-mug" / "mine.txt").write_text("mine")
    with pytest.raises(Mistakes, match=r"Row 1: .*holds something else"):
        vid2three.batch(["a mug"], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "batch.jsonl", "a-mug"}


def test_two_batches_do_not_share_a_folder(tmp_path):
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(ValueError, match="has been working in"):
        vid2three.batch(["a mug"], tmp_path / "out")


def test_the_command_lists_mistakes_line_by_line(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,seed\na mug,x\na chair,\na cup,-1\n")
    told = command("batch", "a.csv", "-o", "out", cwd=tmp_path)
    assert told.returncode == 2
    lines = told.stderr.splitlines()
    assert [line[:7] for line in lines] == ["Line 2:", "Line 4:", "vid2thr"]
    assert lines[-1] == "vid2three: 2 to mend in a.csv; nothing was started."


def test_as_many_processes_are_taken_as_processors_and_memory_bear(monkeypatch):
    from vid2three.batches import walk

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    for gib, workers in ((64, 16), (8, 4), (1, 1)):
        monkeypatch.setattr(walk, "_memory", lambda gib=gib: gib * 2**30)
        assert default_workers() == workers
    monkeypatch.setattr(walk, "_memory", lambda: None)
    assert default_workers() == 16


def test_no_process_outlives_a_parent_that_was_killed(tmp_path):
    code = (
        "import sys, time; from vid2three.batches.pool import Pool\n"
        "pool = Pool(1, threads=1); pool.warm_up(); print(pool._processes[0].process.pid, flush=True); time.sleep(99)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)
