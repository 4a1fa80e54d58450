"""Plant every fault into every truth at every strength, and see which the verdict lets pass.

    python benchmarks/verdict.py measure FIGURES.jsonl --orbits ORBITS [--corpus corpus.npz] [--lego transforms.json]
        [--subjects "spot,bunny"] [--faults "warp,wobble"] [--estimated]
    python benchmarks/verdict.py judge FIGURES.jsonl [--write]

`measure` appends one line a clip and goes on where it stopped: the clip's figures, frame by frame. With `--estimated`
the cameras are hidden and found again first, which costs up to a minute a clip; keep those figures in a file of their
own. `judge` reads them:
for each fault the area under the ROC of the clip's trouble against that of clean clips, what was falsely accepted where
a person sees the fault, and what was falsely refused where nobody does; `--write` puts the table into docs/quality.md
between `<!-- verdict -->` and `<!-- end -->`. Limits are those of recon/consistency/verdict.py; a second figure comes
from limits that were set without the subject that is judged.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from orbits import QUALITY, commit
from planted_faults import FAULTS, Truth
from truth_clips import model, orbit, ring, scene

from generator.corpus import Corpus
from recon.consistency.measure import FACTS, Consistency, measure
from recon.consistency.verdict import SHY, verdict
from recon.poses.compare import compare
from recon.poses.estimate import estimate
from recon.views import Views, composited

SIZE = 128  # pixels of what is traced here; the path-traced orbits and photographs keep their 256
CLEAN = "none"
SEEN = 0.05  # RMS change of the most changed frames from which on a fault is called visible on a subject
MODELS = {  # artists' models that look different from all sides, by a part of their names; and how many frames
    "knight-ee47f1": 24,
    "cow-1a529e": 24,
    "car-hatchback-717cba": 24,
    "office-chair-072ac7": 24,
    "pineapple-df29df": 24,
    "barracks-yellow-e0199d": 24,
}
SCENES = {11: 24, 3: 24, 5: 24}  # seeds of the generator's scenes


@dataclass(frozen=True)
class Case:
    """A clip to be made and measured."""

    truth: Truth
    fault: str
    strength: float

    @property
    def key(self) -> tuple[str, str, float]:
        return self.truth.name, self.fault, self.strength


def cases(truth: Truth, most: int, faults: str) -> Iterator[Case]:
    """Yield a truth without fault and with each fault, at most so many harmless, unsure and visible strengths."""
    yield Case(truth, CLEAN, 0.0)
    for name, fault in FAULTS.items():
        if fault.applies_to(truth) and (not faults or name in faults.split(",")):
            chosen = (*fault.harmless[::-1][:most], *fault.unsure[: most - 1], *fault.visible[:most])
            for strength in chosen:
                yield Case(truth, name, strength)


def truths(options: argparse.Namespace) -> Iterator[Truth]:
    """Yield the subjects that are asked for, all that are there unless said."""
    wanted = options.subjects.split(",") if options.subjects else []
    return (truth for truth in _all_truths(options) if not wanted or truth.name in wanted)


def _all_truths(options: argparse.Namespace) -> Iterator[Truth]:
    for folder in sorted(path.parent for path in options.orbits.glob("*/mesh.glb")):
        yield orbit(folder, 256)
    if options.corpus:
        corpus = Corpus.load(options.corpus)
        for part, frames in MODELS.items():
            name = next(item.id for item in corpus.models if part in item.id)
            yield model(corpus, name, frames, SIZE)
    for seed, frames in SCENES.items():
        yield scene(seed, frames, SIZE)
    if options.lego:
        yield ring(options.lego, "lego", 256, 32)


def measure_all(options: argparse.Namespace) -> None:
    """Measure what the file lacks."""
    done = {(line["subject"], line["fault"], line["strength"]) for line in read(options.figures)}
    for truth in truths(options):
        for case in cases(truth, options.most, options.faults):
            if case.key in done:
                continue
            planted = clean = truth.views
            if case.fault != CLEAN and FAULTS[case.fault].needs_draw and truth.draw is not None:
                clean = truth.draw(clean.cameras)
            if case.fault != CLEAN:
                rng = np.random.default_rng(zlib.crc32(repr(case.key).encode()))
                planted = FAULTS[case.fault].plant(truth, case.strength, rng)
            start = time.process_time()
            line = {"subject": truth.name, "fault": case.fault, "strength": case.strength}
            line |= {"change": changed(clean, planted)}
            if options.estimated:
                planted, line["confidence"], line["auc_15"] = found_again(planted)
            found = measure(planted.images, planted.alphas, planted.cameras, depths=planted.depths)
            line |= {"seconds": round(time.process_time() - start, 2)}
            line |= {name: getattr(found, name) for name in FACTS}
            line |= {"curves": {name: np.round(curve, 5).tolist() for name, curve in found.curves().items()}}
            with options.figures.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(*case.key, line["seconds"], flush=True)


def found_again(views: Views) -> tuple[Views, float, float]:
    """Return the views with cameras estimated from the pictures alone, without frames that found none; belief; AUC@15.

    The latter holds them against the cameras that were commanded.
    """
    estimated = estimate(views.images, views.alphas)
    placed = estimated.registered
    alphas = None if views.alphas is None else views.alphas[placed]
    errors = compare(estimated.cameras, views.cameras, placed)
    found = Views(views.images[placed], alphas, None, estimated.cameras[placed])
    return found, estimated.confidence, round(errors.auc_15, 2)


def changed(clean: Views, planted: Views) -> float:
    """Return how much a fault changes the frames that it changes most: RMS on white over the subject, in [0,1].

    A round subject looks the same when its frames are shuffled, and no person sees that either.
    """
    a, b = composited(planted), composited(clean)
    alphas = [torch.ones_like(a[..., 0]) if v.alphas is None else v.alphas for v in (planted, clean)]
    weight = torch.maximum(*alphas)
    square = (weight * (a - b).square().mean(dim=-1)).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1e-6)
    return round(float(square.sort().values[-max(len(a) // 8, 1) :].mean().sqrt()), 4)


def read(path: Path) -> list[dict]:
    """Return the lines of the file; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def consistency(line: dict) -> Consistency:
    """Return the figures of a line as they were measured."""
    return Consistency(
        **{k: np.array(v, float) for k, v in line["curves"].items()}, **{name: line[name] for name in FACTS}
    )


def judge(lines: list[dict]) -> str:
    """Return the table: a row a fault, and what it comes to over all of them."""
    scored = [(line, score(line)) for line in lines]
    harmless = np.array([s for line, s in scored if kind(line) == "harmless"])
    rows = [
        ["fault", "a person sees it from", "clips", "AUC", "caught", "caught at the weakest"],
        ["---"] * 2 + ["---:"] * 4,
    ]
    missed, asked = [], 0
    for name, fault in FAULTS.items():
        found = [(line, s) for line, s in scored if line["fault"] == name and kind(line) == "visible"]
        if not found:
            continue
        scores = np.array([s for _, s in found])
        weakest = np.array([s for line, s in found if line["strength"] == fault.visible[0]])
        area = np.mean((scores[:, None] > harmless) + 0.5 * (scores[:, None] == harmless))
        caught, hard = [f"{(part > 1).sum()} of {len(part)}" for part in (scores, weakest)]
        rows.append([name, f"{fault.visible[0]:g} {fault.unit}", str(len(found)), f"{area:.3f}", caught, hard])
        missed += [f"{line['subject']}, {name} {line['strength']:g}" for line, s in found if s <= 1]
        asked += len(found)
    refused = [
        f"{line['subject']}, {line['fault']} {line['strength']:g}"
        for line, s in scored
        if kind(line) == "harmless" and s > 1
    ]
    unseen = sum(kind(line) == "unseen" for line in lines)
    left_out = left_out_figures(lines)
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        f"{text}\n\nFalse accepts {len(missed)} of {asked} ({len(missed) / max(asked, 1):.1%})"
        f"{': ' + '; '.join(missed) if missed else ''}. "
        f"False refusals {len(refused)} of {len(harmless)} ({len(refused) / max(len(harmless), 1):.1%})"
        f"{': ' + '; '.join(refused) if refused else ''}. "
        f"With all limits scaled without the subject that is judged: {left_out[0]} of {asked} and {left_out[1]} of "
        f"{len(harmless)}. Not asked: {unseen} clips in which the fault changes no frame by {SEEN:.0%} of full scale. "
        f"{len({line['subject'] for line in lines})} subjects, {np.mean([line['seconds'] for line in lines]):.1f} "
        "CPU-seconds a clip."
    )


def score(line: dict) -> float:
    """Return the verdict's score of a clip; cameras that are not believed count as well."""
    worst = verdict(consistency(line)).score
    return max(worst, SHY / max(line["confidence"], 1e-3)) if "confidence" in line else worst


def kind(line: dict) -> str:
    """Say what a person makes of a clip: "harmless", "unsure", "visible", or "unseen" on this subject."""
    if line["fault"] == CLEAN or line["strength"] in FAULTS[line["fault"]].harmless:
        return "harmless"
    if line["strength"] in FAULTS[line["fault"]].unsure:
        return "unsure"
    return "visible" if line["change"] >= SEEN else "unseen"


def left_out_figures(lines: list[dict]) -> tuple[int, int]:
    """Return false accepts and refusals where each subject is judged by a threshold from all others.

    The threshold on the score, 1 by rights, is put where it errs least on the other subjects, in the middle of the gap.
    """
    subjects = sorted({line["subject"] for line in lines})
    accepted = refused = 0
    for subject in subjects:
        known = [(score(line), kind(line)) for line in lines if line["subject"] != subject]
        fine = np.array([s for s, k in known if k == "harmless"])
        bad = np.array([s for s, k in known if k == "visible"])
        places = np.sort(np.concatenate([fine, bad]))
        middles = (places[1:] + places[:-1]) / 2
        errors = [(fine > m).mean() + (bad <= m).mean() for m in middles]
        best = np.flatnonzero(np.isclose(errors, np.min(errors)))
        threshold = middles[best[len(best) // 2]]
        own = [(score(line), kind(line)) for line in lines if line["subject"] == subject]
        accepted += sum(s <= threshold for s, k in own if k == "visible")
        refused += sum(s > threshold for s, k in own if k == "harmless")
    return accepted, refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("measure")
    first.add_argument("figures", type=Path)
    first.add_argument("--orbits", type=Path, required=True)
    first.add_argument("--corpus", type=Path)
    first.add_argument("--lego", type=Path)
    first.add_argument("--most", type=int, default=3, help="strengths of each kind")
    first.add_argument("--subjects", default="", help="names, with commas between")
    first.add_argument("--faults", default="", help="names, with commas between")
    first.add_argument("--estimated", action="store_true", help="hide the cameras")
    second = commands.add_parser("judge")
    second.add_argument("figures", type=Path)
    second.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.command == "measure":
        measure_all(options)
        return
    text = f"Commit {commit()}.\n\n{judge(read(options.figures))}"
    print(text)
    if options.write:
        marked = re.compile(r"(<!-- verdict -->\n).*?(<!-- end -->)", re.DOTALL)
        page = marked.sub(lambda match: f"{match[1]}{text}\n{match[2]}", QUALITY.read_text("utf-8"), count=1)
        QUALITY.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
