"""What requests and answers hold; OpenAPI is made of it.

Settings are those of `make` and `reconstruct`, within limits that keep one request from taking the machine. Settings
that name a path, a program or a model stay the server's own: none of a request's text becomes one.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from vid2three.config import EXPORTS, MakeConfig, ReconstructConfig

SERVERS_OWN = ("backend",)
TEXTS = ("generate.negative_prompt",)  # the only settings of free text that a request may hold
CAPS = {
    "generate.steps": 100,
    "generate.guidance": 30,
    "generate.num_frames": 64,
    "generate.height": 256,
    "generate.width": 256,
    "generate.fps": 60,
    "generate.candidates": 8,
    "generate.drafts": 32,
    "generate.finished": 32,
    "generate.mends": 4,
    "generate.refine": 4,
    "input.num_frames": 96,
    "input.max_size": 1280,
    "fit.num_splats": 500_000,
    "fit.splats_per_pixel": 64,
    "fit.iterations": 30_000,
    "fit.sh_degree": 3,
    "nerf.resolution": 256,
    "nerf.iterations": 5_000,
    "nerf.num_rays": 8_192,
    "mesh.num_faces": 500_000,
    "mesh.resolution": 384,
    "mesh.disc_steps": 5_000,
    "mesh.extra_views": 64,
    "mesh.smoothing": 100,
    "mesh.denoise": 200,
    "mesh.texture_size": 4_096,
    "mesh.lods": 4,
    "export.turntable_frames": 240,
    "export.turntable_size": 1_024,
}
MOST = 1_000.0  # of every other number, as it is of its own check; angles may be as far below 0
ExportFile = Literal[tuple(f"{kind}{ending}" for kind, endings in EXPORTS.items() for ending in endings)]  # type: ignore[valid-type]
Preset = Literal["draft", "standard", "high"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
SEED = Field(0, ge=0, lt=2**63, description="Another seed, another take.")
PROMPT = Field(min_length=1, max_length=1000, description='What to make, such as "a red mug with a blue handle".')


class Strict(BaseModel):
    """Takes what it names and nothing else, each of its type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _settings(name: str, default: Any, place: str = "") -> type[BaseModel]:
    """Return a model of all settings of a config that a request may have; none need be given."""
    hints = get_type_hints(type(default))
    found: dict[str, Any] = {}
    for entry in fields(default):
        where, value = f"{place}{entry.name}", getattr(default, entry.name)
        if is_dataclass(value):
            if entry.name != "nerfstudio":
                section = _settings(f"{name}{entry.name.capitalize()}", value, f"{where}.")
                found[entry.name] = (section, Field(default_factory=section))
        elif where == "export.files":
            found[entry.name] = (list[ExportFile], Field(default_factory=list, max_length=8))
        elif where in TEXTS or (where not in SERVERS_OWN and hints[entry.name] is not str):
            found[entry.name] = (hints[entry.name], _limited(where, hints[entry.name], value))
    return create_model(name, __base__=Strict, **found)


def _limited(where: str, hint: Any, value: Any) -> Any:
    kinds = get_args(hint) or (hint,)
    if where in TEXTS:
        return Field(value, max_length=1000)
    if int in kinds or float in kinds:
        most = CAPS.get(where, MOST)
        return Field(value, ge=-MOST if where.endswith("_deg") else 0, le=int(most) if int in kinds else most)
    return Field(value)


MakeSettings = _settings("MakeSettings", MakeConfig())
ReconstructSettings = _settings("ReconstructSettings", ReconstructConfig())


class MakeRequest(Strict):
    """A prompt to an asset."""

    prompt: str = PROMPT
    seed: int = SEED
    preset: Preset = "standard"
    settings: MakeSettings = Field(default_factory=MakeSettings)  # type: ignore[valid-type]


class Progress(BaseModel):
    """Where a running asset is."""

    stage: str
    step: int
    total: int
    message: str


class Asset(BaseModel):
    """An asset that was asked for, and what has come of it."""

    id: str = Field(pattern="^[0-9a-f]{16}$")
    state: State
    command: Literal["make", "reconstruct"]
    prompt: str | None = Field(None, description="Of a prompt; none of a video.")
    seed: int
    preset: Preset
    created: float = Field(description="Seconds since 1970.")
    ended: float | None = None
    progress: Progress | None = None
    notes: list[str] = Field(default_factory=list, description="What was noted on the way, the last 20.")
    reason: str | None = Field(None, description="Why it failed.")
    verdict: str | None = Field(None, description="accept, repaired or refused; none without masks.")
    match: float | None = Field(None, description="How well the clip shows the prompt, 0 to 1.")
    restarts: int = Field(0, description="Times that it went on after the server was stopped.")


class AssetList(BaseModel):
    """Assets, the newest first."""

    total: int
    assets: list[Asset]


class File(BaseModel):
    """A file of an asset."""

    name: str
    bytes: int
    sha256: str


class Files(BaseModel):
    """The files of an asset that are there so far."""

    files: list[File]


class Health(BaseModel):
    """How the server is."""

    version: str
    queued: int
    running: int
    max_queue: int
    stored: int
    max_assets: int


class Problem(BaseModel):
    """Why there is no answer, in one sentence."""

    detail: str
