"""What came of a batch, in words and in numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

from vid2three.batches.gallery import KINDS, PAGE, WORDS, kind_of
from vid2three.batches.record import RECORD
from vid2three.batches.walk import Batch


def words(made: Batch) -> str:
    """Return how many came out how, each failure with its reason, and where to look."""
    counts = Counter(map(kind_of, made.assets))
    told = ", ".join(f"{counts[kind]} {WORDS[kind].lower()}" for kind in KINDS if counts[kind])
    lines = [f"{made.folder}/  {len(made.assets)} assets: {told}"]
    lines += [f"  {entry.name}: {entry.reason}" for entry in made.failed]
    lines += [f"  {made.folder / PAGE} shows them all, {RECORD} has a line for each."]
    if made.failed:
        lines.append("  The same command tries those that failed again.")
    return "\n".join(lines)


def counts(made: Batch) -> dict[str, Any]:
    """Return the last line of --progress json."""
    found = Counter(map(kind_of, made.assets))
    failed = {entry.name: entry.reason for entry in made.failed}
    return {"done": str(made.folder), "assets": len(made.assets), "counts": dict(found), "failed": failed}
