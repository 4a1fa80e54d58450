"""The stages of the walk. Each reads the files of the run folder that earlier ones wrote, and writes its own."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from generator.caption import Expansion, expand
from generator.clip import Clip
from generator.config import GenerateConfig
from generator.sample import check as check_clip
from generator.sample import unlearnt
from generator.weights import card
from recon import sdf_mesh, stereo
from recon.camera import Cameras, invert_rigid
from recon.config import FitConfig, MeshConfig, NerfConfig
from recon.finish import check_config as check_mesh
from recon.finish import coarser
from recon.fit import check_config as check_fit
from recon.fit import fit
from recon.hull import look_at_point
from recon.masks import unmixed
from recon.mesh import extract, extract_from_maps
from recon.mesh_quality import quality
from recon.nerf import check_config as check_nerf
from recon.nerf import fit_sdf
from recon.poses import joint
from recon.unwrap import welded
from recon.views import Views
from vid2three import __version__
from vid2three import show as pictures
from vid2three.candidates import best_candidate, doubt, lacking
from vid2three.capture import cut_out, load_views, save_views
from vid2three.config import ExportConfig, InputConfig, check_export
from vid2three.formats.depth_maps import load_depth_maps
from vid2three.formats.field import load_field, save_field
from vid2three.formats.glb import ROUGHNESS, load_mesh, save_mesh
from vid2three.formats.ply import load_splats, save_splats
from vid2three.mend import check as check_mends
from vid2three.picture import load_picture
from vid2three.place import Y_UP_FROM_Z_UP, moved, placement
from vid2three.refine import improved
from vid2three.report import Report, page
from vid2three.run import Progress, Run, StageFiles, sha256
from vid2three.snapshots import snapshots
from vid2three.sources import printable
from vid2three.verdict import VERDICT, agreeing_views, view_files, witnessed_centers
from vid2three.video import enlarged, save_video
from vid2three.viewer.asset import run_asset, run_words
from vid2three.viewer.page import bundle_digest
from vid2three.viewer.page import page as viewer_page

GENERATED_WORLD = "right-handed, z up, front -y, the subject in the unit sphere at the origin"
DISCS = "discs.ply"
INPUT_WORLD = "the world of the input's cameras"
GLB_FRAME = "glTF: right-handed, y up, front +z"


def checked_prompt(prompt: str, seed: int, config: GenerateConfig) -> Expansion:
    """Expand a prompt, having checked it with all else that the clip asks for. Raises ValueError with the cure."""
    check_seed(seed)
    check_clip(config)
    check_mends(config)
    if config.image:
        load_picture(Path(config.image), config.height, config.width)
    expansion = expand(prompt)
    return replace(expansion, notes=(*expansion.notes, *unlearnt(config, expansion.attributes)))


def check_result(fit_config: FitConfig, nerf: NerfConfig, mesh_config: MeshConfig, export: ExportConfig) -> None:
    """Raise ValueError for settings from which no result can come."""
    check_fit(fit_config)
    check_nerf(nerf)
    check_mesh(mesh_config)
    check_export(export)


def check_seed(seed: int) -> None:
    """Raise ValueError where a seed is not a whole number that torch and NumPy both take."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"The seed must lie between 0 and 2^63 - 1, not at {seed}.")


def check_prompt(prompt: str) -> None:
    """Raise ValueError where a prompt says nothing."""
    if not any(letter.isalnum() for letter in prompt):
        raise ValueError('The prompt says nothing; say what to make, as in "a red mug with a blue handle".')


def slug(text: str, most: int = 60) -> str:
    """Return a text as a file name: lower case, words joined by hyphens, cut after a whole word."""
    words = re.findall(r"\w+", text.lower())
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word
        if len(longer) > most:
            break
        name = longer
    return name or (words[0][:most] if words else "asset")


def default_folder(prompt: str, seed: int) -> Path:
    """Return the run folder of a prompt under the current folder; seeds above 0 stand in its name."""
    return Path(f"{slug(prompt)}-seed-{seed}" if seed else slug(prompt))


def source_name(source: Path) -> str:
    """Return what to call a reconstruction: the folder that holds the pictures, or the video without its ending."""
    path = source.resolve()
    if path.is_dir():
        return printable(Path(path.name))
    return printable(Path(path.parent.name if path.suffix.lower() == ".json" else path.stem))


def generated_facts(prompt: str, caption: str, model: str) -> dict[str, Any]:
    """Return what the manifest says about an asset that a model made."""
    weights = {key: value for key, value in card(model).items() if key in ("name", "sha256", "licence", "scores")}
    return {
        "name": slug(prompt),
        "caption": caption,
        "provenance": {"ai_generated": True, "statement": f"AI-generated by vid2three, model {weights['name']}."},
        "world": GENERATED_WORLD,
        "weights": weights,
        "versions": library_versions(),
    }


def reconstructed_facts(name: str, world: str = INPUT_WORLD) -> dict[str, Any]:
    """Return what the manifest says about an asset that was reconstructed from somebody's pictures."""
    return {
        "name": slug(name),
        "provenance": {"ai_generated": False, "statement": "Reconstructed by vid2three from the input's pictures."},
        "world": world,
        "versions": library_versions(),
    }


def clip(run: Run, prompt: str, config: GenerateConfig, progress: Progress) -> None:
    """Prompt, in the user's words or a captioner's, to orbit.mp4, views/*.png, depth/*.png and transforms.json."""
    seed = run.manifest["seed"]

    def work(files: StageFiles) -> None:
        report = lambda step, total: progress("generate", step, total, {})  # noqa: E731
        picture = load_picture(Path(config.image), config.height, config.width) if config.image else None
        made, facts = best_candidate(prompt, config, clip_views, seed=seed, picture=picture, progress=report)
        made, facts = improved(made, facts, clip_views, config)
        facts = {**facts, **lacking(made, prompt)}
        if (note := doubt(facts)) is not None:
            progress("generate", 1, 1, {"notes": [note]})
        with files.file("orbit.mp4", fps=made.fps, **facts) as path:
            save_video(path, enlarged(made.frames.numpy()), made.fps)
        save_views(files, clip_views(made), GENERATED_WORLD)

    settings = {
        "prompt": prompt,
        "seed": seed,
        **({"image": sha256(Path(config.image))} if config.image else {}),
        "generate": asdict(config),
        "weights": run.manifest["weights"]["sha256"],
    }
    run.stage("generate", settings, [], work, progress)


def clip_views(made: Clip) -> Views:
    """Return a clip's frames as views, their colours freed from the white behind them; it must have cameras."""
    if made.c2w is None:
        raise ValueError("The clip has no cameras; use a model that is told where its cameras stand.")
    images = made.frames.float() / 255
    if made.alpha is not None:
        images = unmixed(images, made.alpha, torch.ones(len(images), 3))
    height, width = images.shape[1:3]
    return Views(images, made.alpha, made.depth, Cameras(made.K, invert_rigid(made.c2w), height, width))


def views(run: Run, loaded: Views, config: InputConfig, progress: Progress) -> None:
    """Checked pictures to views/*.png, free of distortion and of a plain background, and transforms.json.

    Photos that keep a background get depth/*.png as well.
    """

    def work(files: StageFiles) -> None:
        found = cut_out(loaded, config)
        if config.refine_cameras:
            found = _refined(found, run.manifest["seed"], progress)
        if config.match and found.alphas is None and found.depths is None and len(found) >= stereo.MIN_VIEWS:
            found = stereo.with_depths(found, lambda step, total: progress("views", step, total, {}))
        save_views(files, found, run.manifest["world"])

    settings = {"background": config.background, "match": config.match, "refine_cameras": config.refine_cameras}
    run.stage("views", {"input": run.manifest["input"]["sha256"], "settings": settings}, [], work, progress)


def _refined(views: Views, seed: int, progress: Progress) -> Views:
    """Return views with cameras adjusted to their pictures, in the same world; as they came where that is no help."""
    report = lambda step, total, facts: progress("views", step, total, facts)  # noqa: E731
    some = {"points": views.points, "seed": seed, "progress": report}
    result = joint.refine(views.images, views.alphas, views.cameras, **some)
    before, after = result.before.held_out_psnr, result.after.held_out_psnr
    note = f"Cameras left as they came; frames left out of a fit reach {before:.1f} dB."
    if result.kept != "start":
        turned = result.facts["turned_deg"]
        note = (
            f"Cameras turned by {turned:.1f} degrees; frames left out of a fit go from {before:.1f} to {after:.1f} dB."
        )
    progress("views", 1, 1, {"notes": [note]})
    return replace(views, cameras=result.cameras)


def splats(run: Run, config: FitConfig, progress: Progress) -> None:
    """Views to splats.ply."""
    seed = run.manifest["seed"]

    def work(files: StageFiles) -> None:
        with snapshots(run.folder, config) as snapshot:
            fitted = fit(agreeing_views(run), config, seed=seed, progress=partial(progress, "fit"), snapshot=snapshot)
        notes = provenance(run)
        with files.file("splats.ply", frame=run.manifest["world"], num_splats=len(fitted)) as path:
            save_splats(path, fitted, extras=notes, primitive=config.primitive, antialiased=config.antialiased)

    run.stage("fit", {"fit": asdict(config), "seed": seed}, view_files(run), work, progress)


def discs(run: Run, config: FitConfig, steps: int, progress: Progress) -> str:
    """Views to discs.ply, flat splats for the mesh alone; returns the file to take the mesh from.

    Photos with a background have none, and keep splats.ply: discs that reach behind a camera are not drawn.
    """
    if agreeing_views(run).alphas is None:
        return "splats.ply"
    seed, flat = run.manifest["seed"], replace(config, primitive="2dgs", iterations=steps, antialiased=False)

    def work(files: StageFiles) -> None:
        fitted = fit(agreeing_views(run), flat, seed=seed, progress=partial(progress, "discs"))
        with files.file(DISCS, frame=run.manifest["world"], num_splats=len(fitted)) as path:
            save_splats(path, fitted, primitive="2dgs")

    run.stage("discs", {"fit": asdict(flat), "seed": seed}, view_files(run), work, progress)
    return DISCS


def surface(run: Run, config: NerfConfig, progress: Progress) -> None:
    """Views to surface.npz, a signed distance field."""
    seed = run.manifest["seed"]

    def work(files: StageFiles) -> None:
        field = fit_sdf(agreeing_views(run), config, seed=seed, progress=partial(progress, "surface"))
        with files.file("surface.npz", frame=run.manifest["world"]) as path:
            save_field(path, field)

    run.stage("surface", {"nerf": asdict(config), "seed": seed}, view_files(run), work, progress)


def mesh(run: Run, source: str, config: MeshConfig, export: ExportConfig, progress: Progress) -> None:
    """Splats, surface or depth maps to mesh.glb, and to mesh_lod1.glb and so on where coarser copies are asked for.

    `source` is the file that the mesh is taken from: splats.ply, discs.ply (and splats.ply with it), surface.npz or
    depth_maps.npz.
    """
    placing = {"height_m": export.height_m, "pivot": export.pivot}

    def work(files: StageFiles) -> None:
        loaded = agreeing_views(run)
        report = partial(progress, "mesh")
        match source:
            case "surface.npz":
                extracted = sdf_mesh.extract(load_field(run.path(source)), loaded, config, progress=report)
            case "depth_maps.npz":
                extracted = extract_from_maps(load_depth_maps(run.path(source)), loaded, config, progress=report)
            case _:
                primitive = run.manifest["config"]["fit"]["primitive"]
                flat = load_splats(run.path(DISCS)) if source == DISCS else None
                own = load_splats(run.path("splats.ply"))
                extracted = extract(own, loaded, config, primitive=primitive, discs=flat, progress=report)
        matrix = placement(extracted, export.height_m, export.pivot)
        levels = [extracted, *(coarser(extracted, loaded, config, level + 1) for level in range(config.lods))]
        for level, made in enumerate(levels):
            facts = {
                "frame": f"{GLB_FRAME}, {'units of the input' if export.height_m is None else 'metres'}",
                "world_from_file": (np.linalg.inv(Y_UP_FROM_Z_UP @ matrix) + 0.0).tolist(),
                "num_vertices": len(welded(made)[0].vertices),
                "num_faces": len(made.faces),
                **{key: round(value, 6) if isinstance(value, float) else value for key, value in quality(made).items()},
                "unseen_share": round(made.metadata["unseen_share"], 4),
                "material": {"roughness": ROUGHNESS, "metallic": 0.0, "is_estimate": True},
            }
            with files.file(f"mesh_lod{level}.glb" if level else "mesh.glb", **facts) as path:
                save_mesh(path, moved(made, matrix), name=run.manifest["name"], extras=provenance(run))

    sources = ["splats.ply", DISCS] if source == DISCS else [source]
    run.stage("mesh", {"mesh": asdict(config), **placing}, [*sources, *view_files(run)], work, progress)


def show(run: Run, export: ExportConfig, progress: Progress) -> None:
    """Splats and mesh to preview.png and turntable.mp4, and the scores against the views."""

    def work(files: StageFiles) -> dict[str, Any]:
        result = _result(run)
        scores = pictures.scores(result)
        with files.file("preview.png") as path:
            pictures.save_preview(path, run.manifest, result, scores)
        with files.file("turntable.mp4", fps=pictures.TURNTABLE_FPS) as path:
            pictures.save_turntable(path, result, export.turntable_frames, export.turntable_size)
        return scores

    settings = {"frames": export.turntable_frames, "size": export.turntable_size, "name": _title(run)}
    run.stage("show", settings, ["splats.ply", "mesh.glb", *view_files(run)], work, progress)


def report(run: Run, progress: Progress) -> None:
    """All that is known of the asset to report.html."""

    def work(files: StageFiles) -> None:
        result = _result(run)
        scores = run.manifest["stages"]["show"]["scores"]
        verdict = json.loads(run.path(VERDICT).read_text("utf-8")) if VERDICT in run.manifest["files"] else None
        origin, witnessed = look_at_point(result.views.cameras), witnessed_centers(run)
        shown = Report(
            title=pictures.title(run.manifest),
            subtitle=pictures.subtitle(run.manifest),
            manifest=run.manifest,
            verdict=verdict,
            scores=scores,
            rows=pictures.report_rows(run.manifest, result, scores),
            centers=result.views.cameras.centers.double().numpy() - origin,
            has_estimated_cameras="poses" in run.manifest,
            witness_centers=None if witnessed is None else witnessed - origin,
            turntable=run.path("turntable.mp4"),
            files=[name for name in run.files() if "/" not in name and name != "report.html"],
        )
        with files.file("report.html") as path:
            path.write_text(page(shown), encoding="utf-8")

    settings = {"name": _title(run), "config": run.manifest["config"]}
    run.stage(
        "report", settings, ["splats.ply", "mesh.glb", "turntable.mp4", "viewer.html", *view_files(run)], work, progress
    )


def viewer(run: Run, progress: Progress) -> None:
    """Splats, mesh and views to viewer.html."""

    def work(files: StageFiles) -> None:
        with files.file("viewer.html") as path:
            path.write_text(viewer_page(run_asset(run)), encoding="utf-8")

    settings = {"words": asdict(run_words(run)), "bundle": bundle_digest()}
    run.stage("viewer", settings, ["splats.ply", "mesh.glb", *view_files(run)], work, progress)


def show_clip(run: Run, progress: Progress) -> None:
    """Views to preview.png, where there is nothing but a clip."""

    def work(files: StageFiles) -> None:
        with files.file("preview.png") as path:
            pictures.save_clip_preview(path, run.manifest, load_views(run.folder))

    run.stage("show", {"name": _title(run)}, view_files(run), work, progress)


def _result(run: Run) -> pictures.Result:
    return pictures.Result(
        views=agreeing_views(run),
        splats=load_splats(run.path("splats.ply")),
        antialiased=run.manifest["config"]["fit"]["antialiased"],
        mesh=moved(load_mesh(run.path("mesh.glb")), world_from_mesh(run)),
        primitive=run.manifest["config"]["fit"]["primitive"],
    )


def world_from_mesh(run: Run) -> np.ndarray:
    """Return the [4,4] matrix from mesh.glb as `load_mesh` reads it (z up again) to the world of the cameras."""
    return np.array(run.manifest["files"]["mesh.glb"]["world_from_file"]) @ Y_UP_FROM_Z_UP


def provenance(run: Run) -> dict[str, Any]:
    """Return the facts that travel inside a file: no times, no paths. The version of vid2three stands there anyway."""
    keys = ("command", "prompt", "seed")
    facts = {key: run.manifest[key] for key in keys if key in run.manifest}
    if "weights" in run.manifest:
        facts |= {"model": run.manifest["weights"]["name"], "model_licence": run.manifest["weights"]["licence"]}
    return {**facts, **run.manifest["provenance"]}


def _title(run: Run) -> str:
    return run.manifest.get("prompt") or run.manifest["name"]


def library_versions(*more: str) -> dict[str, str]:
    """Return the versions of what an asset's bytes depend on; `more` are further packages, left out where not here."""
    libraries = {name: version(name) for name in ("torch", "numpy", "numba", "trimesh", "xatlas", "pillow", "av")}
    libraries |= {name: version(name) for name in more if find_spec(name) is not None}
    return {"vid2three": __version__, "python": platform.python_version(), **libraries}
