"""What can be known to go wrong is told before anything runs; and which assets are there already, as asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from generator.weights import card
from vid2three import captions, stages
from vid2three import film_stages as film
from vid2three import footage_stages as footage
from vid2three.batches.jobs import Job
from vid2three.batches.table import Mistakes
from vid2three.capture import digest, has_cameras
from vid2three.config import MakeConfig, VideoMakeConfig, check_input
from vid2three.errors import is_users_mistake, sentence
from vid2three.formats.transforms import load_transforms
from vid2three.lock import LOCK
from vid2three.nerfstudio.environment import find_environment
from vid2three.run import MANIFEST, load_run, sha256


def check_jobs(jobs: Iterable[Job], source: str, folder: Path, progress: Callable[[int], None]) -> None:
    """Raise Mistakes with every job that `make` or `reconstruct` would refuse, or whose folder is somebody else's."""
    seen: dict[str, str | None] = {}
    wrong: dict[str, None] = {}  # in order, each once
    for done, job in enumerate(jobs):
        progress(done)
        key = json.dumps(replace(job, seed=0).task(), sort_keys=True)
        if key not in seen:
            seen[key] = _mistake(lambda job=job: check_job(job))
        mistake = seen[key] or _mistake(lambda job=job: _check_place(job, folder))
        if mistake is not None:
            wrong[f"{job.place}: {mistake}"] = None
    if wrong:
        raise Mistakes(source, list(wrong))


def check_job(job: Job) -> None:
    """Raise ValueError, FileNotFoundError or ImportError, with the cure, where a job cannot come to a result; quick."""
    config = job.config
    stages.check_result(config.fit, config.nerf, config.mesh, config.export)
    if config.backend == "nerfstudio":
        find_environment(job.extra.get("nerfstudio_env"), config.method)
    elif "nerfstudio_env" in job.extra:
        raise ValueError("nerfstudio-env says where nerfstudio is; the setting backend: nerfstudio uses it.")
    if isinstance(config, MakeConfig):
        captions.checked(config.generate)
        stages.checked_prompt(job.what, job.seed, config.generate)
        return
    check_input(config.input)
    if isinstance(config, VideoMakeConfig):
        footage.check_matcher(config.poses)
        film.checked(job.what, job.seed, config.generator)
        captions.checked(config.generator)
        return
    source = Path(job.what)
    masks = Path(job.extra["masks"]) if "masks" in job.extra else None
    if not has_cameras(source):
        footage.check_source(source, masks, config.input)
        footage.check_matcher(config.poses)
        return
    load_transforms(source)
    if masks is not None:
        raise ValueError("'masks' goes with a video or photos; with a transforms.json, put alpha into the pictures.")


def fingerprint(job: Job) -> str:
    """Return what changes when a job asks for something else: its arguments, its pictures, the model's weights."""
    config = job.config
    facts = [json.dumps(job.task(), sort_keys=True)]
    if isinstance(config, MakeConfig):
        facts.append(card(config.generate.model)["sha256"])
        facts += [sha256(Path(config.generate.image))] if config.generate.image else []
    elif isinstance(config, VideoMakeConfig):
        facts.append(film.checked(job.what, job.seed, config.generator).fingerprint)
        facts += [sha256(Path(config.generator.image))] if config.generator.image else []
    else:
        source = Path(job.what)
        facts.append(digest(source) if has_cameras(source) else footage.digest(source))
        facts += [footage.digest(Path(job.extra["masks"]))] if "masks" in job.extra else []
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def is_whole(folder: Path) -> bool:
    """Say whether a run folder has every file that its asset.json lists, with its size, up to the last stage."""
    try:
        run = load_run(folder)
        files = run.manifest["files"]
        whole = all(run.path(name).stat().st_size == facts["bytes"] for name, facts in files.items())
    except (OSError, ValueError, KeyError):
        return False
    return whole and "report" in run.manifest["stages"]


def _check_place(job: Job, folder: Path) -> None:
    stages.check_seed(job.seed)
    place = folder / job.name
    is_used = place.is_dir() and any(path.name != LOCK for path in place.iterdir())
    if is_used and not (place / MANIFEST).is_file():
        raise ValueError(f"{place} holds something else; give this row another name.")
    if place.exists() and not place.is_dir():
        raise ValueError(f"{place} is a file; give this row another name.")


def _mistake(check: Callable[[], None]) -> str | None:
    try:
        check()
    except (ValueError, FileNotFoundError, ImportError) as error:
        if not is_users_mistake(error):
            raise
        return sentence(error)
    return None
