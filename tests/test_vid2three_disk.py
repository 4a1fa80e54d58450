"""A full, read-only, forbidden or vanished disk: one sentence with the cure, and nothing lost."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vid2three.cli import main
from vid2three.disk import disk_errors
from vid2three.errors import DiskError, is_users_mistake
from vid2three.run import MANIFEST, held_run, load_run

SETTINGS = """
generate: {steps: 4}
fit: {num_splats: 300, iterations: 20}
nerf: {resolution: 24, iterations: 30}
mesh: {num_faces: 800, resolution: 32, extra_views: 4, texture_size: 128}
export: {turntable_frames: 4, turntable_size: 256}
"""
ARGUMENTS = {"command": "make", "prompt": "a mug"}
WRITER = """
import sys
from pathlib import Path
from vid2three.run import held_run
try:
    with held_run(Path(sys.argv[1]), {"command": "make", "prompt": "a mug"}, {}) as run:
        def work(files):
            with files.file("a.bin") as path:
                path.write_bytes(bytes(int(sys.argv[2])))
        run.stage("one", {"bytes": sys.argv[2]}, [], work)
except (OSError, ValueError) as error:
    print(type(error).__name__, error)
"""


CHECKPOINTER = """
import sys
from pathlib import Path
import torch
from generator.train_state import save_state
from vid2three.disk import disk_errors
path = Path(sys.argv[1]) / "dit.pt"
save_state(path, {"step": 1})
try:
    with disk_errors(path.parent):
        save_state(path, {"step": 2, "ema": torch.zeros(3 * 2**18)})
except OSError as error:
    print(type(error).__name__, error)
print(torch.load(path, weights_only=True))
"""


def namespace() -> list[str] | None:
    """Return the words before a command that give it mounts of its own, None where the system grants none."""
    if shutil.which("unshare") is None:
        return None
    for words in (["unshare", "-m"], ["unshare", "-Urm"]):
        if subprocess.run([*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0:
            return words
    return None


@pytest.fixture(scope="module")
def own_mounts() -> list[str]:
    words = namespace()
    if words is None:
        pytest.skip("no mount namespaces here")
    return words


def write(folder: Path, num_bytes: int, *before: str, root: Path, **options) -> str:
    """Write a file of a run in a process of its own; return what went wrong, as it prints it."""
    command = [*before, sys.executable, "-c", WRITER, str(folder), str(num_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_a_full_disk_stops_make_with_a_sentence_and_more_room_brings_the_same_bytes(root, tmp_path, own_mounts):
    (tmp_path / "tiny.yaml").write_text(SETTINGS)
    (tmp_path / "disk").mkdir()
    script = [sys.executable, str(root / "tests" / "disk_full_script.py"), str(tmp_path / "disk")]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [*own_mounts, *script, str(tmp_path / "tiny.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, timeout=1800)
    assert done.returncode == 0, done.stderr
    plain, *calls, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert plain["code"] == 0, plain
    *full, last = calls
    place = re.escape(str(tmp_path / "disk" / "run"))
    told = rf"vid2three: No space is left on the disk of {place}(/\w+)?: make room there\. What is finished is kept; "
    for call in full:
        assert call["code"] == 2
        said = [line for line in call["said"].splitlines() if not line.startswith("Note: ")]  # of so rough a clip
        assert len(said) == 1, said
        assert re.fullmatch(told + r"then run the same command again\.", said[0]) or re.fullmatch(
            rf"vid2three: Nothing can be written to {place} \(No space left on device\); make room .*", said[0]
        ), said
        assert call["half"] == []
    assert len(full) >= 5
    assert (last["code"], last["half"]) == (0, []), last
    assert end == {"differ": [], "manifests_agree": True, "files": end["files"]}
    assert end["files"] > 50


def test_a_disk_that_is_full_in_the_middle_of_a_file_leaves_no_half_of_it(root, tmp_path, own_mounts):
    (tmp_path / "disk").mkdir()
    script = f'mount -t tmpfs -o size=1m tmpfs "{tmp_path}/disk" && exec "$@"'
    before = [*own_mounts, "sh", "-c", script, "sh"]
    told = write(tmp_path / "disk" / "run", 3 * 2**20, *before, root=root)
    place = re.escape(str(tmp_path / "disk" / "run"))
    assert re.fullmatch(rf"DiskError No space is left on the disk of {place}: make room there\. .* again\.", told)


def test_a_disk_that_is_full_at_a_checkpoint_keeps_the_last_one(root, tmp_path, own_mounts):
    (tmp_path / "disk").mkdir()
    script = f'mount -t tmpfs -o size=1m tmpfs "{tmp_path}/disk" && exec "$@"'
    command = [*own_mounts, "sh", "-c", script, "sh", sys.executable, "-c", CHECKPOINTER, str(tmp_path / "disk")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    told, kept = done.stdout.splitlines()
    assert told.startswith(f"DiskError No space is left on the disk of {tmp_path}/disk: make room there. What is")
    assert kept == "{'step': 1}"


def test_a_read_only_disk_says_so(root, tmp_path, own_mounts):
    (tmp_path / "disk").mkdir()
    script = f'mount -t tmpfs -o ro tmpfs "{tmp_path}/disk" && exec "$@"'
    told = write(tmp_path / "disk" / "run", 10, *own_mounts, "sh", "-c", script, "sh", root=root)
    assert told.startswith(f"ValueError Nothing can be written to {tmp_path}/disk/run (Read-only file system); make it")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_folder_without_permission_says_so(root, tmp_path):
    before: list[str] = []
    if os.geteuid() == 0:  # root may anything, unless it gives that right up
        before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if shutil.which("setpriv") is None or subprocess.run([*before, "true"], capture_output=True).returncode:
            pytest.skip("root cannot give up its rights here")
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o555)
    told = write(tmp_path / "run", 10, *before, root=root)
    assert told == (
        f"ValueError Nothing can be written to {tmp_path}/run (Permission denied); "
        "make it writable, or pass another folder with -o."
    )
    (tmp_path / "run").chmod(0o777)
    (tmp_path / "run" / MANIFEST).touch(mode=0o000)
    told = write(tmp_path / "run", 10, *before, root=root)
    assert told.startswith(f"DiskError {tmp_path}/run/{MANIFEST} may not be read or written (Permission denied)")


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_limit_on_the_size_of_files_says_so_and_a_higher_one_goes_on(root, tmp_path):
    def limited() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    told = write(tmp_path / "run", 200_000, root=root, preexec_fn=limited)
    assert told.startswith(f"DiskError A file in {tmp_path}/run is larger than its disk or your limits (ulimit -f)")
    assert sorted(os.listdir(tmp_path / "run")) == [MANIFEST]
    assert write(tmp_path / "run", 200_000, root=root) == ""
    assert load_run(tmp_path / "run").path("a.bin").stat().st_size == 200_000


def test_a_file_in_place_of_the_folder_is_refused_before_any_work(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SystemExit) as end:
        main(["generate", "a red mug", "-o", str(tmp_path / "thesis.txt")])
    assert end.value.code == 2
    told = f"vid2three: {tmp_path}/thesis.txt is a file, not a folder; pass another folder with -o.\n"
    assert capsys.readouterr().err == told
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.skipif(os.name == "nt", reason="Windows' limit is another")
@pytest.mark.parametrize("spare", [-20, 40])
def test_a_path_too_long_for_the_files_of_a_run_is_refused_before_any_work(tmp_path, spare):
    longest = os.pathconf(tmp_path, "PC_PATH_MAX")
    folder = tmp_path
    while len(str(folder)) < longest - 260:
        folder /= "x" * 200
    folder /= "y" * (longest - spare - len(str(folder)) - 1)  # a path this long can be made, but nothing in it
    with (
        pytest.raises(ValueError, match=r"Nothing can be written to .* \(File name too long\)"),
        held_run(folder, {}, {}),
    ):
        pass


def test_a_folder_that_vanishes_midway_is_not_made_again_with_half_of_its_files(tmp_path):
    def work(files):
        shutil.rmtree(tmp_path / "run")
        with files.file("a.txt") as path:
            path.write_text("hello")

    with (
        pytest.raises(DiskError, match=r"/run is gone, moved or deleted by somebody\. Run the command again"),
        held_run(tmp_path / "run", ARGUMENTS, {}) as run,
    ):
        run.stage("one", {}, [], work)
    assert not (tmp_path / "run").exists()


def test_a_library_that_finds_its_file_gone_with_the_folder_is_understood(tmp_path):
    def work(files):
        with files.file("a.txt") as path:
            path.write_text("hello")
            shutil.rmtree(tmp_path / "run")

    with pytest.raises(DiskError, match="/run is gone"), held_run(tmp_path / "run", ARGUMENTS, {}) as run:
        run.stage("one", {}, [], work)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyError("a bug"), ValueError("a bug"), OSError("a bug")])
def test_canary_a_bug_stays_a_bug(tmp_path, error):
    with pytest.raises(type(error)) as raised, disk_errors(tmp_path):
        raise error
    assert raised.value is error


def test_what_the_disk_did_is_told_as_a_users_mistake(tmp_path):
    with pytest.raises(DiskError) as raised, disk_errors(tmp_path):
        raise OSError(28, "No space left on device")
    assert is_users_mistake(raised.value)
