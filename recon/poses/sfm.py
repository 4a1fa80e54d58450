"""Structure from motion: cameras that may stand anywhere, from matches alone, by COLMAP.

Schönberger and Frahm, "Structure-from-Motion Revisited", CVPR 2016 (incremental); Pan et al., "Global
Structure-from-Motion Revisited", ECCV 2024. Right for photos with a background or rich texture. On frames that do not
agree with one another it fails, or worse, registers all of them wrongly at a small residual: neither the count of
registered frames nor the residual is a proof.

Shapes: F frames of H x W pixels, M matches.
"""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from recon.camera import Cameras
from recon.poses.features import joined
from recon.poses.types import Candidate, Matches

FOV_DEG = 45.0  # across the longer side, where nothing is known
FOV_LIMITS = (
    18.0,
    80.0,
)  # from a long lens to a phone's widest main camera; a refined focal length beyond is a failure
WORKING_SIZE = 512  # the longer side in which COLMAP's thresholds, made for photos, are 2 pixels of 256
CELL = 0.003  # in longer sides: points of a frame that round to the same cell are one
RICH = 130  # matches of keypoints between neighbours: spot 55, bunny 67, fuze 235
FEWEST_MATCHES = 15  # of a pair of frames
FEWEST_FRAMES = 5  # of a model
START_ANGLE = 8.0  # degrees of triangulation in the first pair; neighbours on an orbit of 32 have 11

Kind = Literal["incremental", "global"]


@dataclass(frozen=True, eq=False)
class _Database:
    """A COLMAP database of the matches, verified, in a folder that goes away."""

    path: Path
    folder: Path
    ids: list[int]
    points: list[np.ndarray]
    """For each frame its merged points, float64 [N,2] in the frame's pixels."""
    scale: float
    """COLMAP's pixels per pixel."""


def incremental(
    matches: Matches, num_frames: int, height: int, width: int, *, fov_deg: float = FOV_DEG, seed: int = 0
) -> Candidate:
    """Register frame after frame from the best pair on; see `reconstruct`."""
    return next(reconstruct(matches, num_frames, height, width, kinds=("incremental",), fov_deg=fov_deg, seed=seed))


def global_(
    matches: Matches, num_frames: int, height: int, width: int, *, fov_deg: float = FOV_DEG, seed: int = 0
) -> Candidate:
    """Average all relative rotations, then place all frames at once; see `reconstruct`."""
    return next(reconstruct(matches, num_frames, height, width, kinds=("global",), fov_deg=fov_deg, seed=seed))


def reconstruct(
    matches: Matches,
    num_frames: int,
    height: int,
    width: int,
    *,
    kinds: Sequence[Kind] = ("global", "incremental"),
    fov_deg: float = FOV_DEG,
    seed: int = 0,
) -> Generator[Candidate, None, None]:
    """Yield the frames of one camera as each kind of mapper places them; the matches are verified once.

    `fov_deg` goes across the longer side and starts the focal length, which is refined; where that leaves FOV_LIMITS
    the mapper runs again with it held. Frames are in the largest model or not registered, and a mapper that finds
    nothing gives a candidate with none. One thread: the same seed gives the same cameras. 32 frames of 256 pixels cost
    4 to 6 CPU seconds, 50 photos with background 21; frames that do not agree cost the incremental mapper twice that.
    """
    with _verified_database(matches, num_frames, height, width, fov_deg, seed) as database:
        for kind in kinds:
            yield _candidate(kind, database, num_frames, height, width, seed)


def verified(
    matches: Matches, num_frames: int, height: int, width: int, *, fov_deg: float = FOV_DEG, seed: int = 0
) -> Matches:
    """Return the matches that agree with one relative pose, or homography, of their pair of frames (by RANSAC).

    Each at the mean place of the points that were merged with it, within half a cell.
    """
    import pycolmap

    parts: list[tuple[int, int, np.ndarray]] = []
    with _verified_database(matches, num_frames, height, width, fov_deg, seed) as database:
        opened = pycolmap.Database.open(str(database.path))
        for n, m in _pairs(matches, num_frames):
            if opened.exists_two_view_geometry(database.ids[n], database.ids[m]):
                found = opened.read_two_view_geometry(database.ids[n], database.ids[m])
                parts.append((n, m, np.asarray(found.inlier_matches, np.int64).reshape(-1, 2)))
        opened.close()
        points = database.points
    if not parts:
        return Matches(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros((0, 2)))
    return Matches(
        np.concatenate([np.full(len(index), n) for n, _, index in parts]),
        np.concatenate([np.full(len(index), m) for _, m, index in parts]),
        np.concatenate([points[n][index[:, 0]] for n, _, index in parts]),
        np.concatenate([points[m][index[:, 1]] for _, m, index in parts]),
    )


def sources(spots: Matches, followed: Matches, num_frames: int) -> Matches:
    """Choose what to reconstruct from: keypoints alone where neighbours share many, else what was followed as well.

    Points followed by flow drift together, a few tenths of a pixel a frame, and no adjustment sees it. On a richly
    textured orbit they lower AUC@5 from 90 to 76, on plainer ones they raise it from 47 to 66 (256 pixels).
    """
    near = spots.second - spots.first == 1
    counts = np.bincount(spots.first[near], minlength=num_frames)[: num_frames - 1]
    return spots if np.median(counts) >= RICH else joined([spots, followed])


@contextmanager
def _verified_database(
    matches: Matches, num_frames: int, height: int, width: int, fov_deg: float, seed: int
) -> Iterator[_Database]:
    """Write the matches into a database and let COLMAP fit a relative pose to each pair of frames."""
    pycolmap = _quiet_pycolmap()
    pycolmap.set_random_seed(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = _write(matches, num_frames, height, width, fov_deg, folder)
        pairs = folder / "pairs.txt"
        pairs.write_text("".join(f"{n:05d} {m:05d}\n" for n, m in _pairs(matches, num_frames)), encoding="utf-8")
        options = pycolmap.TwoViewGeometryOptions()
        options.ransac.random_seed = seed
        options.min_num_inliers = FEWEST_MATCHES
        options.detect_watermark = False
        if len(matches):
            pycolmap.verify_matches(str(database.path), str(pairs), options)
        yield database


def _quiet_pycolmap() -> Any:
    """Import pycolmap without its messages, its log files and its handler that turns SIGTERM into a stack trace."""
    before = signal.getsignal(signal.SIGTERM)
    import pycolmap

    if threading.current_thread() is threading.main_thread() and before is not None:
        signal.signal(signal.SIGTERM, before)  # elsewhere Python may not, and the trace has to be borne
    pycolmap.logging.minloglevel = 3  # only what ends the process,
    pycolmap.logging.logtostderr = True  # and that not into files in the temporary folder
    return pycolmap


def _write(matches: Matches, num_frames: int, height: int, width: int, fov_deg: float, folder: Path) -> _Database:
    """Write one camera, a frame and its merged points for each picture, and the matches between them."""
    import pycolmap

    scale = WORKING_SIZE / max(height, width)
    focal = WORKING_SIZE / 2 / np.tan(np.deg2rad(fov_deg) / 2)
    path = folder / "matches.db"
    opened = pycolmap.Database.open(str(path))
    size = {"width": round(width * scale), "height": round(height * scale)}
    camera = pycolmap.Camera(model="SIMPLE_PINHOLE", **size, params=[focal, width * scale / 2, height * scale / 2])
    camera.has_prior_focal_length = True
    camera.camera_id = opened.write_camera(camera)
    rig = pycolmap.Rig()
    rig.add_ref_sensor(camera.sensor_id)
    rig.rig_id = opened.write_rig(rig)
    index_first, index_second = np.zeros(len(matches), np.uint32), np.zeros(len(matches), np.uint32)
    ids, points = [], []
    for n in range(num_frames):
        image_id = opened.write_image(pycolmap.Image(name=f"{n:05d}", camera_id=camera.camera_id))
        frame = pycolmap.Frame()
        frame.rig_id = rig.rig_id
        frame.add_data_id(pycolmap.data_t(camera.sensor_id, image_id))
        opened.write_frame(frame)
        is_first, is_second = matches.first == n, matches.second == n
        merged, index = _merged(
            np.concatenate([matches.xy_first[is_first], matches.xy_second[is_second]]), CELL * max(height, width)
        )
        index_first[is_first], index_second[is_second] = np.split(index, [int(is_first.sum())])
        opened.write_keypoints(image_id, (merged * scale).astype(np.float32))
        ids.append(image_id)
        points.append(merged)
    for n, m in _pairs(matches, num_frames):
        chosen = (matches.first == n) & (matches.second == m)
        opened.write_matches(ids[n], ids[m], _one_to_one(np.stack([index_first[chosen], index_second[chosen]], axis=1)))
    opened.close()
    return _Database(path, folder, ids, points, scale)


def _pairs(matches: Matches, num_frames: int) -> list[tuple[int, int]]:
    """Return the pairs of frames that have matches, in order."""
    return [divmod(int(code), num_frames) for code in np.unique(matches.first * num_frames + matches.second)]


def _merged(xy: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Merge the points [M,2] of one cell into their mean; return the means [N,2] and each point's index [M]."""
    if not len(xy):
        return np.zeros((0, 2)), np.zeros(0, np.int64)
    index = np.unique(np.round(xy / cell), axis=0, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(index)
    return np.stack([np.bincount(index, xy[:, c]) / counts for c in range(2)], axis=1), index


def _one_to_one(pairs: np.ndarray) -> np.ndarray:
    """Keep each point's first match [M,2] only."""
    for column in range(2):
        pairs = pairs[np.unique(pairs[:, column], return_index=True)[1]]
    return pairs


def _candidate(kind: Kind, database: _Database, num_frames: int, height: int, width: int, seed: int) -> Candidate:
    """Map with a free focal length, and again with a fixed one where that ran away."""
    run: Callable[[_Database, bool, int], list[Any]] = _map_incremental if kind == "incremental" else _map_global
    longer = max(height, width)
    for is_fixed in (False, True):
        models = run(database, not is_fixed, seed)
        model = max(models, key=lambda one: one.num_reg_images(), default=None)
        if model is None:
            continue
        focal = float(next(iter(model.cameras.values())).params[0]) / database.scale
        fov_deg = float(np.rad2deg(2 * np.arctan(0.5 * longer / focal)))
        if is_fixed or FOV_LIMITS[0] <= fov_deg <= FOV_LIMITS[1]:
            facts = {"fov_deg": fov_deg, "is_focal_fixed": is_fixed, "num_models": len(models)}
            return _placed(kind, model, focal, facts, database, num_frames, height, width)
    w2c, K = torch.eye(4).repeat(num_frames, 1, 1), torch.eye(3).repeat(num_frames, 1, 1)
    unknown = torch.zeros(num_frames, dtype=torch.bool)
    return Candidate(f"sfm {kind}", Cameras(K, w2c, height, width), unknown, None, {"num_registered": 0})


def _placed(
    kind: Kind,
    model: Any,
    focal: float,
    facts: dict[str, Any],
    database: _Database,
    num_frames: int,
    height: int,
    width: int,
) -> Candidate:
    """Turn COLMAP's model into a candidate; its pixels' corner is at 0 as ours."""
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]).repeat(num_frames, 1, 1)
    w2c = torch.eye(4).repeat(num_frames, 1, 1)
    registered = torch.zeros(num_frames, dtype=torch.bool)
    for image in model.images.values():
        if image.has_pose:
            n = int(image.name)
            registered[n] = True
            w2c[n, :3] = torch.from_numpy(np.array(image.cam_from_world().matrix(), np.float32))
    points = np.array([point.xyz for point in model.points3D.values()], np.float32).reshape(-1, 3)
    facts = {
        **facts,
        "num_registered": int(registered.sum()),
        "num_points": len(points),
        "reprojection_px": float(model.compute_mean_reprojection_error()) / database.scale,
        "mean_track_length": float(model.compute_mean_track_length()),
    }
    cameras = Cameras(K, w2c, height, width)
    return Candidate(f"sfm {kind}", cameras, registered, torch.from_numpy(points), facts)


def _map_incremental(database: _Database, refines_focal: bool, seed: int) -> list[Any]:
    import pycolmap

    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = 1
    options.random_seed = seed
    options.extract_colors = False
    options.min_num_matches = FEWEST_MATCHES
    options.min_model_size = FEWEST_FRAMES
    options.max_num_models = 3
    options.ba_refine_focal_length = refines_focal
    options.mapper.abs_pose_refine_focal_length = refines_focal
    options.mapper.abs_pose_min_num_inliers = FEWEST_MATCHES
    options.mapper.init_min_tri_angle = START_ANGLE
    options.mapper.init_min_num_inliers = 2 * FEWEST_MATCHES
    folder = tempfile.mkdtemp(dir=database.folder)
    return list(pycolmap.incremental_mapping(str(database.path), str(database.folder), folder, options).values())


def _map_global(database: _Database, refines_focal: bool, seed: int) -> list[Any]:
    import pycolmap

    options = pycolmap.GlobalPipelineOptions()
    options.num_threads = 1
    options.random_seed = seed
    options.min_num_matches = FEWEST_MATCHES
    options.mapper.global_positioning.use_gpu = False
    options.mapper.bundle_adjustment.ceres.use_gpu = False
    options.mapper.bundle_adjustment.refine_focal_length = refines_focal
    folder = tempfile.mkdtemp(dir=database.folder)
    return list(pycolmap.global_mapping(str(database.path), str(database.folder), folder, options).values())
