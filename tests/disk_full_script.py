"""A disk that fills up during `make`, run in a mount namespace of its own: test_vid2three_disk.py says what must hold.

    unshare -m [-Ur] python disk_full_script.py MOUNTPOINT SETTINGS

A filler leaves too little room; whenever the walk fails, it is made a little smaller and the same command runs again.
Prints a line of JSON for each call: its exit code, what it said, and what lies half written in the folder.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from vid2three.cli import main

SIZE_MB = 24
FIRST_ROOM, GROWTH = 8 * 2**10, 1.6  # bytes free at first, and how much more each time


def call(arguments: list[str]) -> tuple[int, str]:
    """Run the command line in this process; return its exit code and what it said to stderr."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main(arguments)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return code, said.getvalue()


def leave(filler: Path, room: int) -> None:
    """Make the filler as large as it must be for so many bytes to stay free; it only ever shrinks but at first."""
    free = shutil.disk_usage(filler.parent).free
    with filler.open("ab") as file:
        if free > room:
            os.posix_fallocate(file.fileno(), 0, filler.stat().st_size + free - room)
        else:
            file.truncate(max(filler.stat().st_size - (room - free), 0))


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def fill_up(mount: Path, settings: str) -> None:
    command = ["make", "a red mug", "--preset", "draft", "--config", settings, "--threads", "1"]
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(mount)], check=True)
    plain, run, filler = mount / "plain", mount / "run", mount / "filler"
    code, said = call([*command, "-o", str(plain)])
    tell(code=code, said=said)
    expected = {path.relative_to(plain).as_posix(): path.read_bytes() for path in plain.rglob("*") if path.is_file()}
    filler.touch()
    room, code = FIRST_ROOM, 2
    while code == 2 and room < SIZE_MB * 2**20:
        leave(filler, room)
        code, said = call([*command, "-o", str(run)])
        half = sorted(path.name for path in mount.rglob(".*"))
        tell(code=code, said=said, half=half)
        room = int(GROWTH * room)
    found = {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    manifests = [json.loads(files.pop("asset.json")) for files in (expected, found)]
    for manifest in manifests:
        del manifest["timings"]
    differ = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    tell(differ=differ, manifests_agree=manifests[0] == manifests[1], files=len(expected))


if __name__ == "__main__":
    fill_up(Path(sys.argv[1]), sys.argv[2])
