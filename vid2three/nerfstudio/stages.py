"""The stages of the walk that nerfstudio does: views to splats.ply, or views to depth_maps.npz."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from torch.nn.functional import interpolate

from recon import hull
from recon.camera import Cameras, resized
from recon.config import FitConfig, MeshConfig
from recon.mesh_depth import DepthMaps, chosen_views, depth_cameras
from recon.metrics import psnr
from recon.sh import dc_to_rgb
from recon.start import start_splats
from recon.views import Views, composited
from vid2three.capture import load_views
from vid2three.config import Method, NerfstudioConfig
from vid2three.formats.depth_maps import save_depth_maps
from vid2three.formats.ply import load_splats, save_splats
from vid2three.nerfstudio import render
from vid2three.nerfstudio.environment import Environment
from vid2three.nerfstudio.process import run as run_process
from vid2three.nerfstudio.training import (
    LOG,
    Training,
    nerfacto_options,
    parser_options,
    splatfacto_options,
    train,
)
from vid2three.nerfstudio.world import World, c2w_to, depths_from, load_world, splats_from, widened
from vid2three.run import Progress, Run, StageFiles
from vid2three.stages import view_files

NEAR, FAR = 0.9, 1.1  # of the span of the rays that a subject lies in


def check_config(config: NerfstudioConfig, fit: FitConfig, method: Method) -> None:
    """Raise ValueError for settings that nerfstudio cannot follow."""
    if config.iterations < 1:
        raise ValueError(f"nerfstudio.iterations must be 1 or more, not {config.iterations}.")
    if method == "splats" and fit.primitive != "3dgs":
        raise ValueError(f"splatfacto fits ellipsoids, so --backend nerfstudio has no --fit.primitive {fit.primitive}.")
    try:
        shlex.split(config.arguments)
    except ValueError as error:
        raise ValueError(f"nerfstudio.arguments cannot be split into words ({error}): {config.arguments}") from None


def splats(
    run: Run, environment: Environment, config: NerfstudioConfig, fit: FitConfig, notes: dict, progress: Progress
) -> None:
    """Views to splats.ply by splatfacto; `notes` stand in the file's header."""
    settings = {"nerfstudio": asdict(config), "version": environment.version, **_of_fit(fit), **_seed(run)}
    reads = view_files(run)

    def work(files: StageFiles) -> None:
        views = load_views(run.folder)
        longest = max(views.cameras.height, views.cameras.width)
        options = splatfacto_options(config.iterations, fit.sh_degree, longest, fit.antialiased)
        training = _training(run, "splatfacto", config, options, views, {**settings, "reads": _sums(run, reads)})
        data = _save_data(run.folder, training, views, fit.num_splats)
        training = replace(training, data=data)
        commands = [train(environment, run.folder, training, partial(progress, "fit"))]
        exported = training.folder / "export"
        words = ["gaussian-splat", "--load-config", training.config.as_posix(), "--output-dir", exported.as_posix()]
        log = run.path((training.folder / LOG).as_posix())
        run_process([environment.tool("ns-export"), *words], run.folder, environment.variables(), log)
        commands.append(shlex.join(["ns-export", *words]))
        found = load_splats(run.folder / exported / "splat.ply")
        found = splats_from(found, load_world(run.folder / training.folder / "dataparser_transforms.json"))
        if not fit.antialiased:
            found = widened(found, views.cameras)
        shutil.rmtree(run.folder / exported)
        facts = {"frame": run.manifest["world"], "num_splats": len(found), "commands": commands}
        with files.file("splats.ply", **facts) as path:
            save_splats(path, found, extras=notes, antialiased=fit.antialiased)

    run.stage("fit", settings, reads, work, progress)


def depth_maps(
    run: Run, environment: Environment, config: NerfstudioConfig, mesh: MeshConfig, progress: Progress
) -> None:
    """Views to depth_maps.npz by nerfacto, and how near its pictures come to the views."""
    trained = {"nerfstudio": asdict(config), "version": environment.version, **_seed(run)}
    reads = view_files(run)

    def work(files: StageFiles) -> dict[str, Any]:
        views = load_views(run.folder)
        options = nerfacto_options(config.iterations, _span(views))
        training = _training(run, "nerfacto", config, options, views, {**trained, "reads": _sums(run, reads)})
        report = partial(progress, "nerfacto")
        commands = [train(environment, run.folder, training, report)]
        center, num_extra = np.zeros(3), 0
        if views.alphas is not None:
            low, high, _ = hull.bounds(views)
            center, num_extra = 0.5 * (low + high), mesh.extra_views
        cameras, num_own = depth_cameras(views.cameras, center, num_extra)
        if environment.cuda is None:  # 25 seconds for a picture of 216 x 240: no larger than need be
            cameras = resized(
                cameras, min(cameras.height, views.cameras.height), min(cameras.width, views.cameras.width)
            )
        world = load_world(run.folder / training.folder / "dataparser_transforms.json")
        drawn, command = _drawn(run.folder, environment, training, cameras, world, partial(progress, "draw"))
        commands.append(command)
        alphas = torch.from_numpy(drawn["accumulation"]).clamp(0, 1)
        depths = depths_from(torch.from_numpy(drawn["distance"]), alphas, cameras, world)
        if not bool((depths[:num_own] > 0).any()):
            raise ValueError(
                f"nerfacto is transparent everywhere after {config.iterations} steps; give it more with "
                "--nerfstudio.iterations and --overwrite."
            )
        maps = DepthMaps(depths.numpy(), alphas.numpy(), cameras, num_own)
        with files.file("depth_maps.npz", frame=run.manifest["world"], commands=commands) as path:
            save_depth_maps(path, maps)
        return {"psnr_db_nerfacto": round(_psnr(drawn["rgb"][:num_own], alphas[:num_own], views), 4)}

    settings = {**trained, "extra_views": mesh.extra_views}
    run.stage("nerfacto", settings, reads, work, progress)


def _drawn(
    run_folder: Path,
    environment: Environment,
    training: Training,
    cameras: Cameras,
    world: World,
    progress: Callable[[int, int, dict], None],
) -> tuple[dict[str, np.ndarray], str]:
    """Let the environment's Python draw the trained field; return its arrays, and the command as a line."""
    asked, out = training.folder / "cameras.npz", training.folder / "drawn.npz"
    size = np.array([cameras.height, cameras.width])
    np.savez(run_folder / asked, c2w=c2w_to(cameras, world).numpy(), K=cameras.K.numpy(), size=size)
    words = [training.config.as_posix(), asked.as_posix(), out.as_posix()]
    log = run_folder / training.folder / LOG
    script = Path(render.__file__).resolve()
    progress(0, len(cameras), {})

    def watch(line: str) -> None:
        if line.startswith("drawn "):
            progress(int(line.split()[1]), len(cameras), {})

    run_process([environment.tool("python"), script, *words], run_folder, environment.variables(), log, watch)
    with np.load(run_folder / out) as data:
        arrays = {name: data[name] for name in ("rgb", "distance", "accumulation")}
    for path in (asked, out):
        (run_folder / path).unlink()
    return arrays, shlex.join(["python", script.name, *words])


def _training(
    run: Run, method: Any, config: NerfstudioConfig, options: list[str], views: Views, key: dict[str, Any]
) -> Training:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    return Training(
        method=method,
        key=digest,
        iterations=config.iterations,
        options=(*options, *shlex.split(config.arguments)),
        parser=tuple(parser_options(_scale(views))),
        seed=run.manifest["seed"],
    )


def _save_data(run_folder: Path, training: Training, views: Views, num: int) -> str:
    """Write the run's dataset once more with points to start from, beside the training; return its JSON's name.

    Without them splatfacto scatters its splats in a cube ten times as wide as the cameras stand apart.
    """
    folder = run_folder / training.folder
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(training.seed)
    start = start_splats(views, num, 0, generator)
    colors = (dc_to_rgb(start.sh[:, 0]).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    cloud = trimesh.PointCloud(start.means.numpy(), colors=colors)
    cloud.export(folder / "points.ply")
    data = json.loads((run_folder / "transforms.json").read_text(encoding="utf-8"))
    up = "../" * len(training.folder.parts)
    for frame in data["frames"]:
        frame.pop("depth_file_path", None)
        frame["file_path"] = up + frame["file_path"]
    (folder / "data.json").write_text(json.dumps({**data, "ply_file_path": "points.ply"}), encoding="utf-8")
    return (training.folder / "data.json").as_posix()


def _psnr(rgb: np.ndarray, alphas: torch.Tensor, views: Views) -> float:
    """Compare nerfacto's pictures, which are on black where the views have alphas, with the views on white."""
    pictures = torch.from_numpy(rgb)
    if views.alphas is not None:
        pictures = pictures + (1 - alphas[..., None])
    size = (views.cameras.height, views.cameras.width)
    ours = interpolate(pictures.movedim(-1, 1), size=size, mode="area").movedim(1, -1).clamp(0, 1)
    return psnr(ours, composited(views)[chosen_views(len(views))])


def _scale(views: Views) -> float | None:
    """Return by what nerfstudio shall multiply a subject's world: the furthest camera stands 1 from its middle."""
    if views.alphas is None:
        return None
    return 1.0 / float(_distances(views)[0].max())


def _span(views: Views) -> tuple[float, float] | None:
    """Return where along the rays a subject begins and ends, in nerfstudio's units."""
    scale = _scale(views)
    if scale is None:
        return None
    distances, radius = _distances(views)
    return NEAR * scale * max(float(distances.min()) - radius, 0.01 / scale), FAR * scale * (
        float(distances.max()) + radius
    )


def _distances(views: Views) -> tuple[np.ndarray, float]:
    """Return how far the cameras stand from the middle of the hull, and the radius of its box."""
    low, high, _ = hull.bounds(views)
    return np.linalg.norm(views.cameras.centers.numpy() - 0.5 * (low + high), axis=1), float(
        np.linalg.norm(high - low)
    ) / 2


def _of_fit(fit: FitConfig) -> dict[str, Any]:
    return {"sh_degree": fit.sh_degree, "antialiased": fit.antialiased, "num_splats": fit.num_splats}


def _seed(run: Run) -> dict[str, int]:
    return {"seed": run.manifest["seed"]}


def _sums(run: Run, names: list[str]) -> list[str]:
    return [run.manifest["files"][name]["sha256"] for name in names]
