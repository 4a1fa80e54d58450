"""Half-fitted splats for `vid2three view --live`: written while somebody looks, and never part of a run.

They lie in a folder of their own in the run folder, which goes when the fit ends. A viewer asks by touching a file
there; a fit that nobody asks writes nothing. What is written is read from the fit and changes nothing in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from recon.config import FitConfig
from recon.fit import Snapshot
from recon.splats import Splats
from vid2three.formats.ply import load_splats, save_splats
from vid2three.run import PARTIAL, whole_file

PLACE = f"{PARTIAL}live"  # cleared away with other half files where a fit was killed
ASKED, SPLATS = "asked", "splats.ply"
EVERY_S = 2.0  # at most so often: a snapshot costs a tenth of a second


@contextlib.contextmanager
def snapshots(folder: Path, config: FitConfig) -> Iterator[Snapshot]:
    """Give a fit something to call every few steps with a function that returns its splats as they are.

    A disk that takes no snapshot does not stop the fit.
    """
    place = folder / PLACE
    with contextlib.suppress(OSError):
        place.mkdir(exist_ok=True)
        (place / ASKED).touch()
    last_asked, next_at = _asked(place), 0.0

    def take(current: Callable[[], Splats]) -> None:
        nonlocal last_asked, next_at
        asked = _asked(place)
        if asked in (None, last_asked) or time.monotonic() < next_at:
            return
        with contextlib.suppress(OSError, ValueError), whole_file(place / SPLATS) as path:
            save_splats(path, current(), primitive=config.primitive, antialiased=config.antialiased)
        last_asked, next_at = asked, time.monotonic() + EVERY_S

    try:
        yield take
    finally:
        shutil.rmtree(place, ignore_errors=True)


def ask(folder: Path) -> None:
    """Ask a fit that goes on in a run folder for a snapshot; nothing happens where none does, or may be asked."""
    with contextlib.suppress(OSError):
        os.utime(folder / PLACE / ASKED)


def snapshot_version(folder: Path) -> str:
    """Return a text that changes with each snapshot; "" where there is none."""
    try:
        return str((folder / PLACE / SPLATS).stat().st_mtime_ns)
    except OSError:
        return ""


def load_snapshot(folder: Path) -> Splats | None:
    """Return the newest snapshot, None where there is none (any more)."""
    try:
        return load_splats(folder / PLACE / SPLATS)
    except (OSError, ValueError):
        return None


def _asked(place: Path) -> int | None:
    try:
        return (place / ASKED).stat().st_mtime_ns
    except OSError:
        return None
