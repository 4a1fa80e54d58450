"""Requests to jobs: what was asked for, checked as the command line checks it, before it waits for its turn."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError

from vid2three.batches.check import check_job
from vid2three.batches.jobs import Job
from vid2three.config import MakeConfig, ReconstructConfig, load_config, overlay
from vid2three.server.desk import Desk
from vid2three.server.schemas import MakeRequest, MakeSettings, ReconstructSettings
from vid2three.server.store import Store, Stored

IMAGES = {".png": (0, b"\x89PNG"), ".jpg": (0, b"\xff\xd8\xff"), ".webp": (8, b"WEBP")}
VIDEOS = {".mp4": (4, b"ftyp"), ".mkv": (0, b"\x1aE\xdf\xa3"), ".gif": (0, b"GIF8"), ".avi": (8, b"AVI ")}


class Unreadable(ValueError):
    """An upload that is none of the kinds that are taken."""


def from_prompt(desk: Desk, request: MakeRequest, image: BinaryIO | None = None) -> Stored:
    """Take a prompt, perhaps with a picture to begin with. Raises ValueError with the cure, and Full."""
    config = load_config(MakeConfig(), request.preset)
    config = overlay(config, request.settings.model_dump(exclude_unset=True))
    job = Job("asset", "request", "make", request.prompt, request.seed, config, request.preset)
    check_job(job)
    suffix = _suffix(image, IMAGES, "a picture: PNG, JPEG or WebP") if image else ""
    return _taken(desk, job, image, suffix)


def from_video(desk: Desk, video: BinaryIO, seed: int, preset: str, settings: str, force: bool) -> Stored:
    """Take a video. Raises ValueError with the cure, and Full."""
    config = load_config(ReconstructConfig(), preset)
    config = overlay(config, read_settings(settings, ReconstructSettings).model_dump(exclude_unset=True))
    suffix = _suffix(video, VIDEOS, "a video: MP4, MOV, WebM, MKV, GIF or AVI")
    job = Job("asset", "request", "reconstruct", "", seed, config, preset, {"force": force})
    return _taken(desk, job, video, suffix)


def read_settings(text: str, kind: type[BaseModel] = MakeSettings) -> BaseModel:
    """Return settings out of a form's field, which holds JSON or nothing."""
    try:
        return kind.model_validate_json(text or "{}")
    except ValidationError as error:
        raise ValueError(told(error.errors())) from None


def told(errors: Any) -> str:
    """Return what pydantic found in one sentence."""
    parts = [f"{'.'.join(map(str, error['loc'])) or 'settings'}: {error['msg']}" for error in errors]
    return "; ".join(parts[:5]) + "."


def _taken(desk: Desk, job: Job, upload: BinaryIO | None, suffix: str) -> Stored:
    """Keep an upload and queue the job; where anything is wrong, nothing stays behind."""
    desk.reserve()
    store, name = desk.store, None
    try:
        name = store.new_id()
        if upload is not None:
            job = _with_upload(job, store, f"{name}/upload{suffix}", upload)
        stored = Stored(name, job.command, job.what, job.seed, job.preset or "", json.loads(json.dumps(job.task())))
        return desk.submit(stored)
    except BaseException:
        if name is not None:
            store.delete(name)
        raise
    finally:
        desk.release()


def _with_upload(job: Job, store: Store, place: str, upload: BinaryIO) -> Job:
    """Save an upload at a place in the work folder, and let the job read it there."""
    path = store.folder / place
    with path.open("wb") as file:
        shutil.copyfileobj(upload, file)
    if isinstance(job.config, MakeConfig):
        return replace(job, config=replace(job.config, generate=replace(job.config.generate, image=place)))
    try:
        check_job(replace(job, what=str(path)))
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(str(error).replace(str(path), "the video")) from None
    return replace(job, what=place)


def _suffix(upload: BinaryIO, kinds: dict[str, tuple[int, bytes]], wanted: str) -> str:
    """Return the ending for an upload by its first bytes; its name and what it calls itself count for nothing."""
    head = upload.read(16)
    upload.seek(0)
    for suffix, (place, mark) in kinds.items():
        if head[place : place + len(mark)] == mark:
            return suffix
    raise Unreadable(f"The upload is not {wanted}.")
