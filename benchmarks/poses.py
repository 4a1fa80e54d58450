"""Cameras hidden and field of view unknown: how well `estimate` finds them, beside structure from motion alone.

    python benchmarks/poses.py DATA [--cases "spot,spot warp 3"] [--seed 0] [--ours-only] [--turns N] [--write]

DATA holds `orbits/` and `captures/`; the cases are those of pose_cases.py. Each is a row: ours with the candidate that
was chosen; then COLMAP's two mappers on our matches, and on COLMAP's own (its SIFT with affine shapes and domain-size
pooling at a low threshold, inside the masks, all pairs, one camera). AUC@t is explained in recon/poses/compare.py; a
pair with a frame that is not registered counts as 180 degrees. `--write` puts the table into docs/quality.md. One
thread unless OMP_NUM_THREADS says more.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":  # before torch and numba are there
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NUMBA_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", os.environ["OMP_NUM_THREADS"])
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from orbits import QUALITY, commit, processor
from PIL import Image
from pose_cases import CASES, ORBITS, PoseCase, load_case, orbit, warp

from recon.camera import Cameras
from recon.poses.compare import PoseErrors, compare
from recon.poses.estimate import estimate
from recon.poses.features import find_matches
from recon.poses.flow import flow_matches
from recon.poses.sfm import reconstruct, sources
from recon.views import resized

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
TURN_SIZE = 128  # pixels of the orbits that only ask for the direction
MARKED = re.compile(r"(<!-- poses -->\n).*?(<!-- end -->)", re.DOTALL)
COLUMNS = (
    "case",
    "ours AUC@5/15/30",
    "source",
    "confidence",
    "mirrored",
    "focal, found / true",
    "CPU s",
    "wall s",
    "incremental, our matches",
    "global, our matches",
    "pycolmap incremental",
    "pycolmap global",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cases", default=",".join(CASES), help="names, with commas between")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ours-only", action="store_true", help="leave structure from motion out")
    parser.add_argument("--turns", type=int, default=0, help="only count mirrored answers to so many bent orbits")
    parser.add_argument("--write", action="store_true", help="put the table into docs/quality.md")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    if options.turns:
        print(f"{mirrored_turns(options.data, options.turns)} of {options.turns} mirrored")
        return
    rows = []
    for name in options.cases.split(","):
        rows.append(row(load_case(name.strip(), options.data), options.seed, not options.ours_only))
        print(" | ".join(rows[-1]), flush=True)
    many = f"{THREADS} thread{'s' if THREADS > 1 else ''}"
    text = f"Commit {commit()}, {processor()}, {many}, seed {options.seed}.\n\n{table(rows)}"
    print(f"\n{text}")
    if options.write:
        QUALITY.write_text(placed(QUALITY.read_text(encoding="utf-8"), text), encoding="utf-8")


def mirrored_turns(data: Path, num: int) -> int:
    """Count mirrored answers to orbits of TURN_SIZE pixels, each frame bent by 1.5 px (at 256), each orbit anew."""
    count = 0
    for seed in range(num):
        views = resized(orbit(ORBITS[seed % len(ORBITS)], data), TURN_SIZE, TURN_SIZE)
        bent = warp(views, 1.5 * TURN_SIZE / 256, np.random.default_rng(seed))
        found = estimate(bent.images, bent.alphas, seed=seed)
        errors = compare(found.cameras, bent.cameras, found.registered)
        count += errors.is_mirrored
        print(f"{ORBITS[seed % len(ORBITS)]}, seed {seed}: {aucs(errors)}, {found.confidence:.2f}", flush=True)
    return count


def row(case: PoseCase, seed: int, with_sfm: bool) -> list[str]:
    """Return a case's row of the table."""
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        found = estimate(case.images, case.alphas, seed=seed)
    except ValueError as refusal:
        ours = ["-", f"refused: {refusal}", "-", "-", "-"]
    else:
        errors = compare(found.cameras, case.cameras, found.registered)
        mirrored = "yes" if errors.is_mirrored else "no"
        ours = [aucs(errors), found.source, f"{found.confidence:.2f}", mirrored, f"{errors.focal_ratio:.2f}"]
    ours += [f"{time.process_time() - cpu:.0f}", f"{time.perf_counter() - wall:.0f}"]
    return [case.name, *ours, *(on_our_matches(case, seed) + pycolmap_alone(case) if with_sfm else ["-"] * 4)]


def on_our_matches(case: PoseCase, seed: int) -> list[str]:
    """Run both of COLMAP's mappers on SIFT, and flow where that finds little."""
    spots, followed = find_matches(case.images, case.alphas), flow_matches(case.images, case.alphas)
    matches = sources(spots, followed, len(case.images))
    candidates = reconstruct(matches, *case.images.shape[:3], kinds=("incremental", "global"), seed=seed)
    return [figures(compare(one.cameras, case.cameras, one.registered)) for one in candidates]


def pycolmap_alone(case: PoseCase) -> list[str]:
    """Run COLMAP from the pictures on, as a user would who knows its options but not our code."""
    import pycolmap

    pycolmap.logging.minloglevel = 3
    pycolmap.logging.logtostderr = True
    pycolmap.set_random_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures, masks, database = folder / "pictures", folder / "masks", folder / "matches.db"
        pictures.mkdir()
        masks.mkdir()
        save_pictures(case, pictures, masks)
        reader = pycolmap.ImageReaderOptions()
        reader.camera_model = "SIMPLE_PINHOLE"
        if case.alphas is not None:
            reader.mask_path = str(masks)
        extraction = pycolmap.FeatureExtractionOptions()
        extraction.num_threads = THREADS
        extraction.sift.peak_threshold = 0.002
        extraction.sift.estimate_affine_shape = extraction.sift.domain_size_pooling = True
        single = pycolmap.CameraMode.SINGLE
        pycolmap.extract_features(
            str(database), str(pictures), camera_mode=single, reader_options=reader, extraction_options=extraction
        )
        matching = pycolmap.FeatureMatchingOptions()
        matching.num_threads = THREADS
        pycolmap.match_exhaustive(str(database), matching_options=matching)
        incremental = pycolmap.IncrementalPipelineOptions()
        incremental.num_threads = THREADS
        globally = pycolmap.GlobalPipelineOptions()
        globally.num_threads = THREADS
        globally.mapper.global_positioning.use_gpu = False
        globally.mapper.bundle_adjustment.ceres.use_gpu = False
        out = tempfile.mkdtemp(dir=folder)
        found = [
            pycolmap.incremental_mapping(str(database), str(pictures), out, incremental),
            pycolmap.global_mapping(str(database), str(pictures), out, globally),
        ]
    return [figures(compare(*placed_cameras(models.values(), case.cameras))) for models in found]


def save_pictures(case: PoseCase, pictures: Path, masks: Path) -> None:
    """Write the pictures, on grey where they have alphas, and the masks as COLMAP wants them named."""
    for n, image in enumerate(case.images.numpy()):
        if case.alphas is not None:
            alpha = case.alphas[n].numpy()[..., None]
            image = image * alpha + 0.5 * (1 - alpha)
            Image.fromarray((255 * (alpha[..., 0] > 0.5)).astype(np.uint8)).save(masks / f"{n:05d}.png.png")
        Image.fromarray((255 * image).round().clip(0, 255).astype(np.uint8)).save(pictures / f"{n:05d}.png")


def placed_cameras(models, truth: Cameras) -> tuple[Cameras, Cameras, torch.Tensor]:
    """Return the cameras of the model with the most frames, the truth, and which frames it has."""
    model = max(models, key=lambda one: one.num_reg_images(), default=None)
    w2c, K = torch.eye(4).repeat(len(truth), 1, 1), truth.K.float().clone()
    registered = torch.zeros(len(truth), dtype=torch.bool)
    for image in model.images.values() if model is not None else ():
        if image.has_pose:
            n = int(Path(image.name).stem)
            registered[n] = True
            w2c[n, :3] = torch.from_numpy(np.array(image.cam_from_world().matrix(), np.float32))
            K[n, 0, 0] = K[n, 1, 1] = image.camera.focal_length
    return Cameras(K, w2c, truth.height, truth.width), truth, registered


def figures(errors: PoseErrors) -> str:
    """Say how many frames are registered, and the AUCs."""
    return f"{errors.num_registered}: {aucs(errors)}"


def aucs(errors: PoseErrors) -> str:
    return f"{errors.auc_5:.0f}/{errors.auc_15:.0f}/{errors.auc_30:.0f}"


def table(rows: list[list[str]]) -> str:
    """Return rows as a Markdown table under the COLUMNS."""
    lines = [list(COLUMNS), ["---"] * len(COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def placed(page: str, text: str) -> str:
    """Return the page with the text between the markers of the poses. Raises ValueError where it has none."""
    if not MARKED.search(page):
        raise ValueError("docs/quality.md has no '<!-- poses -->' before an '<!-- end -->'; add the two.")
    return MARKED.sub(lambda match: f"{match[1]}{text}\n{match[2]}", page, count=1)


if __name__ == "__main__":
    main()
