"""Give broken files to every reader of meshes and splats, and see that each is read or refused in one sentence.

    python benchmarks/fuzz_readers.py [--cases 10000] [--seed 0] [--keep FOLDER]

Whole files of every format are mutated by hypothesis: bytes overwritten with values that hurt (0, -1, 10^9, NaN), parts
cut off, doubled or taken out, numbers in text replaced; of compressed files also what is inside, packed again. A case
fails where anything but a ValueError of one line comes out, where what was read is not finite, where it takes longer
than ten seconds, or where memory grows by more than three gigabytes. Failures are shrunk by hypothesis and shown; with
--keep the file is left in a folder. USD files, which a process of their own opens, are one case in ten.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import re
import struct
import sys
import tempfile
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(1, str(Path(__file__).parents[1] / "tests"))

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from format_parts import NOTES, colored_box, lopsided_splats, painted_ball
from vid2three.formats import MESH_READERS, MESH_SAVERS, SPLAT_READERS, SPLAT_SAVERS, spz
from vid2three.formats.contents import MeshFile

MOST_SECONDS = 10.0
MOST_LETTERS = 500  # of a refusal
MOST_GROWTH = 3 * 2**30  # bytes of address space
HURTING = [
    b"\0",
    b"\xff",
    *(struct.pack("<I", value) for value in (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 10**9, 3 * 10**7)),
    *(struct.pack("<Q", value) for value in (2**63, 2**40)),
    *(struct.pack("<f", value) for value in (np.nan, np.inf, -np.inf, 3e38, -1.0, 1e-42)),
    b"PK\x03\x04",
    b"\n",
]
NUMBERS = [b"-1", b"0", b"1e999", b"nan", b"1000000000", b"99999999999999999999", b"1e38", b"0.5", b'"x"', b"[]", b"{}"]
NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
TEXT_PART = 20_000  # bytes at the beginning of a file in which numbers are replaced


@dataclass(frozen=True)
class Sample:
    """A whole file, and who reads it."""

    name: str
    what: str
    data: bytes = field(repr=False)

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix


@dataclass
class Tally:
    """What came of the cases."""

    read: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest: str = ""

    def table(self) -> str:
        rows = ["| format | cases | read | refused |", "|---|---|---|---|"]
        for name in sorted({*self.read, *self.refused}):
            read, refused = self.read[name], self.refused[name]
            rows.append(f"| {name} | {read + refused} | {read} | {refused} |")
        total = sum(self.read.values()) + sum(self.refused.values())
        rows.append(f"| all | {total} | {sum(self.read.values())} | {sum(self.refused.values())} |")
        return "\n".join([*rows, f"\nSlowest: {self.slowest_s:.2f} s ({self.slowest})."])


def samples(folder: Path, with_usd: bool) -> list[Sample]:
    """Write a file of every format and return them: small, so that a mutation hits something."""
    found = []
    for what, savers in (("mesh", MESH_SAVERS), ("splats", SPLAT_SAVERS)):
        for suffix, save in savers.items():
            if suffix.startswith(".usd") and not with_usd:
                continue
            things = [lopsided_splats(12, 1)] if what == "splats" else [painted_ball(), colored_box()]
            for index, thing in enumerate(things):
                path = folder / f"{what}{index}{suffix}"
                save(path, thing, extras=NOTES)
                found.append(Sample(path.name, what, path.read_bytes()))
    spz.save_splats(folder / "splats4.spz", lopsided_splats(12, 1), version=4)
    return [*found, Sample("splats4.spz", "splats", (folder / "splats4.spz").read_bytes())]


def mutated(data: bytes, mutations: list[tuple[str, float, int]]) -> bytes:
    """Apply mutations: a kind, a place from 0 to 1, and a number that chooses among what the kind can do."""
    for kind, place, choice in mutations:
        at = int(place * max(len(data) - 1, 0))
        length = 1 + choice % 64
        match kind:
            case "overwrite":
                value = HURTING[choice % len(HURTING)]
                data = data[:at] + value + data[at + len(value) :]
            case "flip" if data:
                data = data[:at] + bytes([data[at] ^ (1 << choice % 8)]) + data[at + 1 :]
            case "truncate":
                data = data[:at]
            case "remove":
                data = data[:at] + data[at + length :]
            case "repeat":
                data = data[:at] + data[at : at + length] * (1 + choice % 5) + data[at + length :]
            case "number":
                spans = [match.span() for match in NUMBER.finditer(data[:TEXT_PART])]
                if spans:
                    start, stop = spans[int(place * (len(spans) - 1))]
                    data = data[:start] + NUMBERS[choice % len(NUMBERS)] + data[stop:]
    return data


def inside(sample: Sample, mutations: list[tuple[str, float, int]], which: int) -> bytes:
    """Mutate what a compressed file holds, and pack it again; other files as they are."""
    if sample.data[:2] == b"\x1f\x8b":
        return gzip.compress(mutated(gzip.decompress(sample.data), mutations), mtime=0)
    if sample.data[:4] != b"PK\x03\x04":
        return mutated(sample.data, mutations)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sample.data)) as old, zipfile.ZipFile(buffer, "w") as new:
        names = old.namelist()
        for index, name in enumerate(names):
            data = old.read(name)
            new.writestr(name, mutated(data, mutations) if index == which % len(names) else data)
    return buffer.getvalue()


def check(path: Path, what: str) -> bool:
    """Read a file and say whether it was read; raises whatever is no clear refusal."""
    readers = MESH_READERS if what == "mesh" else SPLAT_READERS
    try:
        found = readers[path.suffix](path)
    except ValueError as error:
        text = str(error)
        is_clear = "\n" not in text and path.name in text and len(text) < MOST_LETTERS
        assert is_clear, f"an unclear refusal: {text!r}"
        return False
    if isinstance(found, MeshFile):
        assert np.isfinite(found.mesh.vertices).all()
        assert found.mesh.faces.max() < len(found.mesh.vertices)
    else:
        splats = found.splats
        for values in (splats.means, splats.log_scales, splats.quats, splats.opacity_logits, splats.sh):
            assert torch.isfinite(values).all()
    return True


def fuzz(cases: int, number: int = 0, *, with_usd: bool = True, keep: Path | None = None) -> Tally:
    """Try so many broken files, spread over all formats. Raises what came of the first that was not refused well."""
    tally = Tally()
    kinds = st.sampled_from(["overwrite", "overwrite", "flip", "truncate", "remove", "repeat", "number", "number"])
    # Without subnormal numbers: a library built with -ffast-math in the same process may have taken them away.
    share, start = (st.floats(0, most, exclude_max=True, allow_subnormal=False) for most in (1.0, 0.02))
    places = share | start  # headers matter most
    mutations = st.lists(st.tuples(kinds, places, st.integers(0, 1000)), min_size=1, max_size=4)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as work:
        folder = Path(work)
        whole = samples(folder, with_usd)
        for sample in whole:
            assert check(folder / sample.name, sample.what), f"{sample.name} is not read as it is"
        light = [sample for sample in whole if not sample.suffix.startswith(".usd")]
        heavy = [sample for sample in whole if sample.suffix.startswith(".usd")]
        chosen = st.integers(0, 9).flatmap(lambda n: st.sampled_from(heavy if n == 0 and heavy else light))

        @seed(number)
        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(sample=chosen, changes=mutations, is_inside=st.booleans(), which=st.integers(0, 20))
        def one(sample: Sample, changes: list[tuple[str, float, int]], is_inside: bool, which: int) -> None:
            data = inside(sample, changes, which) if is_inside else mutated(sample.data, changes)
            path = (keep or folder) / f"broken-{sample.what}{sample.suffix}"
            path.write_bytes(data)
            start = time.perf_counter()
            was_read = check(path, sample.what)
            seconds = time.perf_counter() - start
            assert seconds < MOST_SECONDS, f"{seconds:.1f} s for {len(data)} bytes"
            (tally.read if was_read else tally.refused)[f"{sample.what} {sample.suffix}"] += 1
            if seconds > tally.slowest_s:
                tally.slowest_s, tally.slowest = seconds, sample.name

        one()
    return tally


def _limit_memory() -> None:
    """Let address space grow by no more than MOST_GROWTH, where the system can tell."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    most = pages * os.sysconf("SC_PAGE_SIZE") + MOST_GROWTH
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-usd", action="store_true")
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    _limit_memory()
    start = time.perf_counter()
    tally = fuzz(arguments.cases, arguments.seed, with_usd=not arguments.without_usd, keep=arguments.keep)
    print(tally.table())
    print(f"{time.perf_counter() - start:.0f} s in all.")


if __name__ == "__main__":
    main()
