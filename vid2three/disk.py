"""What a disk may do to a run (full, read-only, forbidden, gone), each as one sentence with the cure."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vid2three.errors import DiskError, is_users_mistake

LITTLE = 64 * 2**10  # bytes free on a disk that counts as full
KEPT = "What is finished is kept; then run the same command again."


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what goes wrong with the disk of a folder into DiskError; other errors pass."""
    try:
        yield
    except Exception as error:
        told = None if is_users_mistake(error) else _told(error, folder)
        if told is None:
            raise
        raise DiskError(told) from error


def gone(folder: Path) -> str:
    """Return the sentence for a folder that was there and is no more."""
    return f"The folder {folder} is gone, moved or deleted by somebody. Run the command again to start anew."


def _told(error: Exception, folder: Path) -> str | None:
    """Return the sentence for an error that the disk is to blame for, None for another.

    Libraries that write in C say little: there the disk itself is asked.
    """
    code = error.errno if isinstance(error, OSError) else None
    full = min((folder, Path(tempfile.gettempdir()), Path(__file__).parent), key=_free)  # the last for compiled code
    if code in (errno.ENOSPC, errno.EDQUOT) or (code in (None, errno.EIO) and _free(full) < LITTLE):
        what = "Your quota is used up" if code == errno.EDQUOT else "No space is left"
        return f"{what} on the disk of {full}: make room there. {KEPT}"
    if not folder.is_dir():
        return gone(folder)
    if not isinstance(error, OSError):
        return None
    path = error.filename or folder
    match code:
        case errno.EFBIG:
            return f"A file in {folder} is larger than its disk or your limits (ulimit -f) allow. {KEPT}"
        case errno.EROFS:
            return f"The disk of {folder} is read-only: make it writable, or choose another folder."
        case errno.EACCES | errno.EPERM:
            return f"{path} may not be read or written ({error.strerror}): change its permissions. {KEPT}"
        case errno.ENAMETOOLONG:
            return f"The path {path} is too long for this system; choose a shorter folder."
        case errno.EIO | errno.ESTALE | errno.ENODEV | errno.ENXIO | errno.ENOTCONN:
            return f"The disk of {folder} fails ({error.strerror}): see to it. {KEPT}"
    return None


def _free(folder: Path) -> int:
    """Return the bytes free on a folder's disk; 0 where it takes no further file of any size."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    try:
        if hasattr(os, "statvfs") and (disk := os.statvfs(there)).f_files and not disk.f_favail:
            return 0
        return shutil.disk_usage(there).free
    except OSError:
        return LITTLE
