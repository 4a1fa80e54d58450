"""Which exceptions are a user's mistake (one sentence, exit code 2) and which are bugs (a traceback)."""

from __future__ import annotations

import dis

PACKAGES = ("vid2three", "generator", "recon")


class DiskError(OSError):
    """A disk that does not take or give what it should, in words for the user."""


MISTAKES = (ValueError, FileNotFoundError, ImportError, DiskError)


def is_users_mistake(error: BaseException) -> bool:
    """Say whether one of our own `raise` statements raised this error, in words meant for the user.

    A ValueError out of NumPy or torch has the same type but is our bug: there the innermost Python line is a call,
    not a `raise`, or it belongs to another package.
    """
    if not isinstance(error, MISTAKES) or error.__traceback__ is None:
        return False
    innermost = error.__traceback__
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    package = str(innermost.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    instruction = innermost.tb_frame.f_code.co_code[innermost.tb_lasti]
    return package in PACKAGES and instruction == dis.opmap["RAISE_VARARGS"]


def sentence(error: BaseException) -> str:
    """Return an error's message on one line, with a mark for each byte of a path that is no text."""
    return " ".join(str(error).split()).encode("utf-8", "replace").decode()
