"""Members of a zip out of a file that is not trusted: by name, up to a size, and never onto the disk."""

from __future__ import annotations

import zipfile


def member(archive: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    """Return a member's bytes. Raises ValueError where it is missing, larger than `most_bytes`, or says it is not.

    The name is looked up in the archive alone, so what it says of folders means nothing.
    """
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"it lacks {name!r}") from None
    if info.file_size > most_bytes:
        raise ValueError(f"{name!r} in it unpacks to {info.file_size:,} bytes, more than it can need")
    with archive.open(info) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(f"{name!r} in it unpacks to more than {most_bytes:,} bytes")
    return data


def written(archive: zipfile.ZipFile, name: str, data: bytes, extra: bytes = b"") -> None:
    """Store a member uncompressed and without a time, so that equal contents give equal archives."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.extra = extra
    archive.writestr(info, data)
