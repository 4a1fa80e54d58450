"""One process at a time in a run folder; a process that dies locks nobody out; readers are never locked out."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest

from generator.config import TrainConfig
from vid2three import lock
from vid2three.cli import main
from vid2three.lock import LOCK, locked
from vid2three.pipeline import train
from vid2three.run import held_run, load_run, open_run

HOLDER = """
import subprocess, sys, time
from pathlib import Path
from vid2three.lock import locked
with locked(Path(sys.argv[1])):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(60)
"""
COUNTER = """
import sys, time
from pathlib import Path
from vid2three.lock import locked
folder, wins = Path(sys.argv[1]), 0
number = folder / "number.txt"
while wins < 40:
    try:
        with locked(folder):
            seen = int(number.read_text())
            time.sleep(0.0005)
            number.write_text(str(seen + 1))
            wins += 1
    except ValueError as refusal:
        assert "is working in" in str(refusal) or "has been working in" in str(refusal), refusal
"""


@pytest.fixture
def holder(root, tmp_path):
    """A process that holds the lock of `tmp_path`, and one that it started."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=root)
    child = int(process.stdout.readline())
    yield process, child
    process.kill()
    process.wait()
    os.kill(child, signal.SIGTERM)


def test_a_second_run_is_refused_with_who_holds_the_folder_and_since_when(holder, tmp_path, capsys):
    before = set(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as end:
        main(["make", "a red mug", "-o", str(tmp_path), "--preset", "draft"])
    assert end.value.code == 2
    told = capsys.readouterr().err
    since = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    cure = "wait until it ends, stop it, or pass another folder"
    line = f"vid2three: Process {holder[0].pid} has been working in {re.escape(str(tmp_path))} since {since}; {cure}."
    assert re.fullmatch(line + "\n", told), told
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_holder_locks_nobody_out_though_its_file_and_its_child_are_left(holder, tmp_path):
    process, child = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.kill(child, 0)  # it is alive
    assert json.loads((tmp_path / LOCK).read_text())["pid"] == process.pid
    with held_run(tmp_path, {"command": "make"}, {}):  # a folder with a lock file alone is an empty one
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_two_at_a_time_never_hold_it(root, tmp_path):
    (tmp_path / "number.txt").write_text("0")
    counters = [subprocess.Popen([sys.executable, "-c", COUNTER, str(tmp_path)], cwd=root) for _ in range(3)]
    assert [process.wait(timeout=120) for process in counters] == [0, 0, 0]
    assert (tmp_path / "number.txt").read_text() == "120"
    assert os.listdir(tmp_path) == ["number.txt"]


def test_two_threads_of_one_process_exclude_each_other(tmp_path):
    refusals = []

    def second():
        try:
            with locked(tmp_path):
                pass
        except ValueError as error:
            refusals.append(str(error))

    with locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(refusals) == 1
    assert f"Process {os.getpid()} has been working" in refusals[0]
    second()
    assert len(refusals) == 1


def test_readers_read_while_a_run_goes_on_and_the_lock_is_no_file_of_the_run(tmp_path, capsys):
    facts = {"name": "mug", "versions": {"vid2three": "0.1.0"}, "provenance": {"ai_generated": True, "statement": ""}}
    with held_run(tmp_path / "run", {"command": "make", "prompt": "a mug", "seed": 0}, facts) as run:
        assert (run.folder / LOCK).is_file()
        main(["info", str(run.folder), "--json"])
        told = capsys.readouterr().out
        assert "a mug" in told
        assert LOCK not in told
        assert LOCK not in json.dumps(load_run(run.folder).manifest)
    assert os.listdir(tmp_path / "run") == ["asset.json"]


def test_an_export_into_the_folder_of_a_run_that_goes_on_is_refused(holder, tmp_path, capsys):
    open_run(tmp_path, {"command": "make"}, {})
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path), str(tmp_path / "other.obj")])
    assert end.value.code == 2
    assert f"Process {holder[0].pid} has been working in" in capsys.readouterr().err


def test_a_second_training_is_refused_and_the_ranks_of_one_are_not(holder, tmp_path, monkeypatch):
    monkeypatch.setattr("generator.train.train", lambda config, log: tmp_path / "made.safetensors")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match=f"Process {holder[0].pid} has been working in"):
        train(TrainConfig(folder=str(tmp_path)))
    assert train(TrainConfig(folder=str(tmp_path / "other"))) == tmp_path / "made.safetensors"
    monkeypatch.setenv("RANK", "1")  # of several processes that train together the first holds it for all
    assert train(TrainConfig(folder=str(tmp_path))) == tmp_path / "made.safetensors"


@pytest.mark.parametrize("text", ["", "{", '{"pid": "x; rm", "host": "h", "since": 0}', "[1]", "x" * 10**6])
def test_a_lock_file_that_tells_nothing_is_refused_all_the_same(tmp_path, text):
    with locked(tmp_path):
        (tmp_path / LOCK).write_text(text)
        with (
            pytest.raises(ValueError, match=f"^Another process is working in {re.escape(str(tmp_path))};"),
            locked(tmp_path),
        ):
            pass
    with locked(tmp_path):  # what it says counts for nothing
        pass


@pytest.mark.skipif(os.name == "nt", reason="links take rights there")
def test_a_link_in_place_of_the_lock_file_is_not_followed(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(tmp_path / "thesis.txt")
    with pytest.raises(ValueError, match="not followed; delete it"), locked(tmp_path / "run"):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_disk_without_locks_goes_without_and_says_so(tmp_path, monkeypatch, caplog):
    if lock.fcntl is None:
        pytest.skip("Windows' disks all have locks")

    def none(file, flags):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(lock.fcntl, "flock", none)
    with locked(tmp_path):
        pass
    assert "knows no locks" in caplog.text
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="the real one runs there")
def test_the_branch_of_windows_locks_a_byte_that_nobody_reads(tmp_path, monkeypatch):
    flock, flags = lock.fcntl.flock, {1: lock.fcntl.LOCK_EX | lock.fcntl.LOCK_NB, 0: lock.fcntl.LOCK_UN}

    def locking(file, mode, num_bytes):
        assert os.lseek(file, 0, os.SEEK_CUR) == lock.FAR
        assert num_bytes == 1
        flock(file, flags[mode])

    monkeypatch.setattr(lock, "fcntl", None)
    monkeypatch.setattr(lock, "msvcrt", types.SimpleNamespace(LK_NBLCK=1, LK_UNLCK=0, locking=locking))
    with locked(tmp_path):
        assert Path(tmp_path / LOCK).stat().st_size < lock.MOST_BYTES
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
        with pytest.raises(ValueError, match=f"Process {os.getpid()} has been working"), locked(tmp_path):
            pass
    assert os.listdir(tmp_path) == []
