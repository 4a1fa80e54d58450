"""One process at a time in a folder: a lock of the operating system, which a process loses with its life.

The lock is on a small file in the folder, which tells who holds it. What counts is the lock, not the file: one that a
killed process left behind locks nobody out. flock (also on NFS, where the server keeps it) and, on Windows, msvcrt's
byte locks are given back by the system whatever ends a process; a file that only exists, or a pid in it, is not. A disk
whose system knows no locks goes without, and a warning says so.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOCK = ".vid2three.lock"
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # what a lock that somebody else holds raises; the last on Windows
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)
FAR = 2**30  # Windows lets nobody read a locked byte, so one is locked behind the text
MOST_BYTES = 4096  # of a lock file that are read


def _of_this_system(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


fcntl, msvcrt = _of_this_system("fcntl"), _of_this_system("msvcrt")  # POSIX has the one, Windows the other


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that exists. Raises ValueError at once where another process or thread holds it.

    The file goes when the lock is given back. An OSError of a folder that cannot be written to is passed on.
    """
    path = folder / LOCK
    file = _take(path)
    try:
        yield
    finally:
        _give_back(file, path)


def _take(path: Path) -> int:
    while True:
        file = _open(path)
        try:
            _lock(file)
        except OSError as error:
            os.close(file)
            if error.errno not in HELD:
                raise
            raise ValueError(_refusal(path)) from None
        except BaseException:
            os.close(file)
            raise
        if _is_there(file, path):
            break
        os.close(file)  # its holder gave it back, and deleted it, between our two steps
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a word
        os.ftruncate(file, 0)
        os.write(file, json.dumps(holder).encode())
    return file


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ValueError(f"{path} is a link to elsewhere, which is not followed; delete it.") from None


def _lock(file: int) -> None:
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(file, FAR, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            os.lseek(file, 0, os.SEEK_SET)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        text = "This disk knows no locks (%s): see to it yourself that no two runs share a folder."
        logging.getLogger(__name__).warning(text, error.strerror)


def _is_there(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _give_back(file: int, path: Path) -> None:
    if fcntl is not None:  # deleted while it is held, so that nobody's new file goes
        with contextlib.suppress(OSError):
            if _is_there(file, path):
                path.unlink()
        os.close(file)
        return
    with contextlib.suppress(OSError):
        os.lseek(file, FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
    os.close(file)
    with contextlib.suppress(OSError):  # Windows deletes no file that somebody has open
        path.unlink()


def _refusal(path: Path) -> str:
    """Return who holds a lock, as far as its file tells, and what to do."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(MOST_BYTES))
        where = "" if told["host"] == socket.gethostname() else f" on {told['host']}"
        holder = f"Process {int(told['pid'])}{where} has been working in {path.parent} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # not written yet, or not by us
        holder = f"Another process is working in {path.parent}"
    return f"{holder}; wait until it ends, stop it, or pass another folder."
