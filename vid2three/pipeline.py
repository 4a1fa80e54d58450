"""The walk: a prompt or pictures become an asset. `make` is these steps and little else; vid2three.stages has each one.

Everything that can be checked is checked before any long work starts, and raises ValueError or FileNotFoundError with
the cure. Called again with the same arguments, a walk goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from generator.caption import Expansion
from generator.captioner import Captioner
from generator.config import GenerateConfig, TrainConfig, VideoModelConfig
from vid2three import captions, stages
from vid2three import film_stages as film
from vid2three import footage_stages as footage
from vid2three.capture import cut_out, digest, has_cameras, is_colmap, load_views, settled
from vid2three.config import MakeConfig, ReconstructConfig, VideoMakeConfig, check_input
from vid2three.convert import export, exports
from vid2three.disk import disk_errors
from vid2three.lock import locked
from vid2three.nerfstudio import stages as nerfstudio
from vid2three.nerfstudio.environment import Environment, find_environment
from vid2three.run import Progress, Run, held_run, no_progress
from vid2three.verdict import verdict

__all__ = ["export", "generate", "make", "reconstruct", "train"]


def make(
    prompt: str,
    output: Path | str | None = None,
    config: MakeConfig | VideoMakeConfig | None = None,
    *,
    seed: int = 0,
    overwrite: bool = False,
    force: bool = False,
    nerfstudio_env: Path | str | None = None,
    allow_download: bool = False,
    progress: Progress = no_progress,
) -> Run:
    """Make an asset from a prompt: clip, splats, mesh, preview and turntable in one run folder.

    The folder is named after the prompt unless `output` says otherwise. Same prompt, seed and config: same files.
    A VideoMakeConfig has the clip made by a video model of the user's; its cameras are then estimated, and where they
    are not to be believed it ends with a ValueError, unless `force`. `nerfstudio_env` is the folder of a Python
    environment with nerfstudio, for the backend of that name. Models of the user's are downloaded only if
    `allow_download`.
    """
    if isinstance(config, VideoMakeConfig):
        return _by_video_model(prompt, output, config, seed, overwrite, force, nerfstudio_env, allow_download, progress)
    config = config or MakeConfig()
    stages.check_result(config.fit, config.nerf, config.mesh, config.export)
    expansion = stages.checked_prompt(prompt, seed, config.generate)
    captioner = captions.checked(config.generate, allow_download=allow_download)
    environment = _environment(config, nerfstudio_env)
    folder = Path(output) if output else stages.default_folder(prompt, seed)
    arguments = {"command": "make", "prompt": prompt.strip(), "seed": seed, "config": asdict(config)}
    facts = stages.generated_facts(prompt, expansion.text, config.generate.model)
    with held_run(folder, arguments, {**facts, **_backend(environment)}, overwrite=overwrite) as run:
        for stage in (*footage.STAGES, "views"):
            run.forget(stage)
        _clip(run, expansion, captioner, config.generate, progress)
        return fitted(run, config, environment, progress)


def _by_video_model(
    prompt: str,
    output: Path | str | None,
    config: VideoMakeConfig,
    seed: int,
    overwrite: bool,
    force: bool,
    nerfstudio_env: Path | str | None,
    allow_download: bool,
    progress: Progress,
) -> Run:
    """Make an asset of a video that a model of the user's makes, which goes the way of any video."""
    check_input(config.input)
    stages.check_result(config.fit, config.nerf, config.mesh, config.export)
    footage.check_matcher(config.poses)
    plan = film.checked(prompt, seed, config.generator, allow_download=allow_download)
    captioner = captions.checked(config.generator, allow_download=allow_download)
    environment = _environment(config, nerfstudio_env)
    folder = Path(output) if output else stages.default_folder(prompt, seed)
    arguments = {"command": "make", "prompt": prompt.strip(), "seed": seed, "config": asdict(config)}
    facts = {**film.facts(prompt, plan, config.generator.recipe), **_backend(environment)}
    with held_run(folder, arguments, facts, overwrite=overwrite) as run:
        film.clip(run, plan, captioner, config.generator, progress)
        with film.kept(run):
            return _of_footage(run, run.path(film.CLIP), None, config, force, environment, progress)


def generate(
    prompt: str,
    output: Path | str | None = None,
    config: GenerateConfig | VideoModelConfig | None = None,
    *,
    seed: int = 0,
    overwrite: bool = False,
    allow_download: bool = False,
    progress: Progress = no_progress,
) -> Run:
    """Make only the orbit clip of a prompt: orbit.mp4, views with alpha and depth, cameras, and a preview.

    A VideoModelConfig has it made by a video model of the user's, which gives orbit.mp4 and a preview alone.
    """
    if isinstance(config, VideoModelConfig):
        return _filmed(prompt, output, config, seed, overwrite, allow_download, progress)
    config = config or GenerateConfig()
    expansion = stages.checked_prompt(prompt, seed, config)
    captioner = captions.checked(config, allow_download=allow_download)
    folder = Path(output) if output else stages.default_folder(prompt, seed)
    arguments = {"command": "generate", "prompt": prompt.strip(), "seed": seed, "config": {"generate": asdict(config)}}
    facts = stages.generated_facts(prompt, expansion.text, config.model)
    with held_run(folder, arguments, facts, overwrite=overwrite) as run:
        _clip(run, expansion, captioner, config, progress)
        stages.show_clip(run, progress)
        return run


def _clip(
    run: Run, expansion: Expansion, captioner: Captioner | None, config: GenerateConfig, progress: Progress
) -> None:
    """Prompt to orbit clip by the model that comes along, in a captioner's words where there is one."""
    words = captions.caption(run, captioner, config.captioner_temperature, "orbit", progress)
    if words != run.manifest["prompt"]:
        expansion = stages.checked_prompt(words, run.manifest["seed"], config)
        run.manifest["caption"] = expansion.text
        run.save()
    progress("prompt", 1, 1, {"caption": expansion.text, "notes": list(expansion.notes)})
    stages.clip(run, words, config, progress)


def _filmed(
    prompt: str,
    output: Path | str | None,
    config: VideoModelConfig,
    seed: int,
    overwrite: bool,
    allow_download: bool,
    progress: Progress,
) -> Run:
    """Make only the video of a prompt, by a model of the user's."""
    plan = film.checked(prompt, seed, config, allow_download=allow_download)
    captioner = captions.checked(config, allow_download=allow_download)
    folder = Path(output) if output else stages.default_folder(prompt, seed)
    arguments = {"command": "generate", "prompt": prompt.strip(), "seed": seed, "config": {"generator": asdict(config)}}
    with held_run(folder, arguments, film.facts(prompt, plan, config.recipe), overwrite=overwrite) as run:
        film.clip(run, plan, captioner, config, progress)
        film.show_clip(run, progress)
        return run


def reconstruct(
    source: Path | str,
    output: Path | str | None = None,
    config: ReconstructConfig | None = None,
    *,
    seed: int = 0,
    overwrite: bool = False,
    masks: Path | str | None = None,
    force: bool = False,
    nerfstudio_env: Path | str | None = None,
    progress: Progress = no_progress,
) -> Run:
    """Make an asset from a video, from a folder of photos, or from pictures with cameras.

    `source` is a video file; a folder of photos of one subject, in the order of their names; a folder with a
    transforms.json, or such a file; a folder with pictures and a sparse model of COLMAP, whose world is turned upright
    around the subject. `masks` is a folder with a mask for each frame of a video or photo. Cameras that
    were estimated and are not to be believed raise ValueError with the reasons, unless `force`. `nerfstudio_env` is the
    folder of a Python environment with nerfstudio, for the backend of that name.
    """
    config = config or ReconstructConfig()
    source = Path(source)
    stages.check_seed(seed)
    check_input(config.input)
    stages.check_result(config.fit, config.nerf, config.mesh, config.export)
    if has_cameras(source):
        return _with_cameras(source, output, config, seed, overwrite, masks, nerfstudio_env, progress)
    masks = None if masks is None else Path(masks)
    footage.check_source(source, masks, config.input)
    footage.check_matcher(config.poses)
    environment = _environment(config, nerfstudio_env)
    name = stages.source_name(source)
    folder = Path(output) if output else Path(stages.slug(name))
    pictures = {"name": name, "sha256": footage.digest(source)}
    if masks is not None:
        pictures["masks_sha256"] = footage.digest(masks)
    arguments = {"command": "reconstruct", "input": pictures, "seed": seed, "config": asdict(config)}
    facts = {**stages.reconstructed_facts(name, footage.WORLD), **_backend(environment)}
    with held_run(folder, arguments, facts, overwrite=overwrite) as run:
        return _of_footage(run, source, masks, config, force, environment, progress)


def _of_footage(
    run: Run,
    source: Path,
    masks: Path | None,
    config: ReconstructConfig,
    force: bool,
    environment: Environment | None,
    progress: Progress,
) -> Run:
    """A video or photos to all the rest."""
    footage.frames(run, source, config.input, progress)
    footage.masks(run, masks, config.input, progress)
    footage.poses(run, config.poses, progress)
    footage.check_poses(run, config.input.min_confidence, force)
    footage.views(run, config.input, progress)
    return fitted(run, config, environment, progress)


def _with_cameras(
    source: Path,
    output: Path | str | None,
    config: ReconstructConfig,
    seed: int,
    overwrite: bool,
    masks: Path | str | None,
    nerfstudio_env: Path | str | None,
    progress: Progress,
) -> Run:
    """Reconstruct from pictures whose cameras a transforms.json or COLMAP tells."""
    if masks is not None:
        raise ValueError("--masks goes with a video or photos; with known cameras, put alpha into the pictures.")
    views, world, moved = load_views(source), stages.INPUT_WORLD, {}
    if is_colmap(source):
        views, matrix = settled(cut_out(views, config.input))
        world, moved = footage.WORLD, {"world_from_input": matrix.tolist()}
    environment = _environment(config, nerfstudio_env)
    name = stages.source_name(source)
    folder = Path(output) if output else Path(stages.slug(name))
    pictures = {"name": name, "sha256": digest(source)}
    arguments = {"command": "reconstruct", "input": pictures, "seed": seed, "config": asdict(config)}
    facts = {**stages.reconstructed_facts(name, world), **moved, **_backend(environment)}
    with held_run(folder, arguments, facts, overwrite=overwrite) as run:
        for stage in footage.STAGES:
            run.forget(stage)
        stages.views(run, views, config.input, progress)
        return fitted(run, config, environment, progress)


def fitted(
    run: Run, config: MakeConfig | ReconstructConfig, environment: Environment | None, progress: Progress
) -> Run:
    """Views to all the rest, by vid2three or, where there is an environment, by nerfstudio."""
    verdict(run, progress, with_witness=config.export.witness)
    source = "splats.ply"
    if config.method == "nerf":
        source = "surface.npz" if environment is None else "depth_maps.npz"
    if source == "surface.npz":
        stages.surface(run, config.nerf, progress)
    else:
        run.forget("surface")
    if environment is not None and source == "depth_maps.npz":
        nerfstudio.depth_maps(run, environment, config.nerfstudio, config.mesh, progress)
    else:
        run.forget("nerfacto")
    if environment is not None and source == "splats.ply":
        notes = stages.provenance(run)
        nerfstudio.splats(run, environment, config.nerfstudio, config.fit, notes, progress)
    else:
        stages.splats(run, config.fit, progress)
        if source == "splats.ply" and config.mesh.disc_steps > 0 and config.fit.primitive == "3dgs":
            source = stages.discs(run, config.fit, config.mesh.disc_steps, progress)
    if source != stages.DISCS:
        run.forget("discs")
    stages.mesh(run, source, config.mesh, config.export, progress)
    exports(run, config.export, progress)
    stages.show(run, config.export, progress)
    stages.viewer(run, progress)
    stages.report(run, progress)
    return run


def _environment(config: MakeConfig | ReconstructConfig, folder: Path | str | None) -> Environment | None:
    """Return the environment that nerfstudio shall run in, None for our own backend; checked, with the cure."""
    if config.backend == "own":
        if folder is not None:
            raise ValueError("--nerfstudio-env says where nerfstudio is; add --backend nerfstudio to use it.")
        return None
    nerfstudio.check_config(config.nerfstudio, config.fit, config.method)
    return find_environment(folder, config.method)


def _backend(environment: Environment | None) -> dict[str, Any]:
    return {} if environment is None else environment.facts


def train(config: TrainConfig, *, log: Callable[[str], None] = print) -> Path:
    """Train a generator from nothing and return the file of its weights; call it again to go on.

    Nobody else trains in the folder meanwhile: of several processes that train together, the first holds it.
    """
    from generator.train import check
    from generator.train import train as train_generator

    check(config)
    folder, is_first = Path(config.folder), os.environ.get("RANK", "0") == "0"  # as torch's launchers number them
    with disk_errors(folder), contextlib.ExitStack() as held:
        if is_first:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder))
        return train_generator(config, log=log)
