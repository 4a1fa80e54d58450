"""Reconstruct every orbit of a folder, measure it against the truth, and write one table into docs/quality.md.

    python benchmarks/orbits.py ORBITS [--preset standard] [--threads 1] [--dry]

ORBITS holds one folder a subject, each with transforms_train.json, transforms_test.json and mesh.ply. The table goes
between `<!-- orbits PRESET -->` and `<!-- end -->`; `--dry` prints it alone. Each orbit is a process of its own, so
that times and memory are those of a user's command.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
QUALITY = ROOT / "docs" / "quality.md"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")

# Title, where the figure lies in what `evaluate` returns, decimals.
FIGURES: list[tuple[str, tuple[str, ...], int]] = [
    ("PSNR", ("views", "all", "psnr"), 2),
    ("PSNR masked", ("views", "all", "psnr_masked"), 2),
    ("PSNR masked, training elevation", ("views", "training_elevation", "psnr_masked"), 2),
    ("PSNR masked, other elevations", ("views", "other_elevations", "psnr_masked"), 2),
    ("SSIM", ("views", "all", "ssim"), 4),
    ("SSIM masked", ("views", "all", "ssim_masked"), 4),
    ("silhouette IoU, splats", ("views", "all", "iou"), 4),
    ("silhouette IoU, mesh", ("views", "all", "mesh_iou"), 4),
    ("PSNR masked, mesh", ("views", "all", "mesh_psnr_masked"), 2),
    ("Chamfer", ("surface", "unaligned", "chamfer"), 4),
    ("F at 0.01", ("surface", "unaligned", "f_score_0.01"), 3),
    ("F at 0.02", ("surface", "unaligned", "f_score_0.02"), 3),
    ("F at 0.05", ("surface", "unaligned", "f_score_0.05"), 3),
    ("Chamfer, aligned", ("surface", "aligned", "chamfer"), 4),
    ("F at 0.01, aligned", ("surface", "aligned", "f_score_0.01"), 3),
    ("F at 0.02, aligned", ("surface", "aligned", "f_score_0.02"), 3),
    ("F at 0.05, aligned", ("surface", "aligned", "f_score_0.05"), 3),
    ("fit, seconds", ("cost", "seconds", "fit"), 1),
    ("mesh, seconds", ("cost", "seconds", "mesh"), 1),
    ("all, seconds", ("cost", "seconds", "total"), 1),
    ("all, processor's seconds", ("cost", "processor_seconds"), 1),
    ("most memory, MiB", ("cost", "peak_memory_mb"), 0),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("orbits", type=Path)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dry", action="store_true", help="print the table, write nothing")
    options = parser.parse_args()
    truths = sorted(path.parent for path in options.orbits.glob("*/transforms_test.json"))
    if not truths:
        parser.error(f"{options.orbits} holds no folder with a transforms_test.json")
    with tempfile.TemporaryDirectory() as folder:
        results = {truth.name: measured(truth, Path(folder), options.preset, options.threads) for truth in truths}
    text = f"{origin(options.preset, options.threads)}\n\n{table(results)}"
    print(text)
    if not options.dry:
        QUALITY.write_text(placed(QUALITY.read_text(encoding="utf-8"), options.preset, text), encoding="utf-8")


def measured(truth: Path, folder: Path, preset: str, threads: int) -> dict[str, Any]:
    """Return the figures of one orbit."""
    command = [sys.executable, "-m", "vid2three.cli"]
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    run = folder / truth.name
    make = ["reconstruct", str(truth / "transforms_train.json"), "-o", str(run), "--preset", preset]
    before = _processor_seconds()
    subprocess.run([*command, *make], cwd=ROOT, env=environment, check=True)
    spent = _processor_seconds() - before
    judge = ["evaluate", str(run), "--truth", str(truth), "--json"]
    said = subprocess.run([*command, *judge], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(said.stdout)
    figures["cost"]["processor_seconds"] = spent
    return figures


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the figures as a Markdown table, an orbit a column, their means last; `-` where an orbit lacks one."""
    rows = [["", *results, "mean"], ["---", *["---:"] * (len(results) + 1)]]
    for title, keys, decimals in FIGURES:
        values = [_at(figures, keys) for figures in results.values()]
        known = [value for value in values if value is not None]
        values.append(statistics.fmean(known) if known else None)
        rows.append([title, *("-" if value is None else f"{value:.{decimals}f}" for value in values)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def origin(preset: str, threads: int) -> str:
    """Say which code on which machine the figures come from."""
    return f"Preset {preset}, commit {commit()}, {processor()}, {threads} thread{'s' if threads > 1 else ''}."


def commit() -> str:
    """Return the commit that is checked out, and whether the code differs from it; "unknown" outside a checkout."""
    if not (ROOT / ".git").exists():
        return "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=no", "recon", "vid2three", "configs/*.yaml")
    return _git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def processor() -> str:
    """Return what the processor calls itself."""
    facts = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", facts.read_text()) if facts.is_file() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def placed(page: str, preset: str, text: str) -> str:
    """Return the page with the text between the preset's markers. Raises ValueError where it has none."""
    marked = re.compile(rf"(<!-- orbits {re.escape(preset)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not marked.search(page):
        raise ValueError(f"docs/quality.md has no '<!-- orbits {preset} -->' before an '<!-- end -->'; add the two.")
    return marked.sub(lambda match: f"{match[1]}{text}\n{match[2]}", page, count=1)


def _processor_seconds() -> float:
    """Return what the processes that ended so far took; other work beside them adds less to it than to the clock."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _at(figures: dict[str, Any], keys: tuple[str, ...]) -> float | None:
    value: Any = figures
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


if __name__ == "__main__":
    main()
