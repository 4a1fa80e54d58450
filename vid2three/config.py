"""Settings of the front door, and the strict loader of configs/*.yaml. Torch-free: the command line's help reads them.

Precedence: a flag, then the YAML file, then the default that stands in the dataclass.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from generator.config import EditConfig as EditConfig
from generator.config import GenerateConfig, VideoModelConfig
from recon.config import FitConfig, MeshConfig, NerfConfig, PosesConfig

Config = TypeVar("Config")
MOST_BYTES = 2**18  # of a settings file
MOST_PIXELS = 1.5e8  # of all chosen frames; about 2 GB as numbers
ALWAYS = ("mesh.glb", "splats.ply")  # files of every run
USD_ENDINGS = (".usd", ".usda", ".usdc", ".usdz")
EXPORTS = {
    "mesh": (".obj", ".ply", ".stl", *USD_ENDINGS),
    "splats": (".glb", ".sog", ".splat", ".spz", *USD_ENDINGS),
}  # further files of a run; a test holds them against the formats there are
Pivot = Literal["keep", "base", "centre"]
Layout = Literal["colmap", "colmap-text", "nerfstudio"]  # of views for other programs
Background = Literal["keep", "white", "black"]
Up = Literal["z", "y", "y-down"]  # the axis of a file that points up; y-down: up is -y, as splat viewers expect it


@dataclass(frozen=True)
class InputConfig:
    """A video or pictures to views."""

    background: Literal["auto", "cut", "keep"] = "auto"
    """cut takes the background away, keep leaves the pictures as they are, auto cuts where a subject stands out; with
    given cameras, where the background is plain. Pictures with an alpha channel are never touched."""
    match: bool = True
    """Find depths of photos that keep their background by matching them with each other; they start the splats."""
    num_frames: int = 36
    """Frames that are chosen from a video or from photos without cameras, 16 to 64 as a rule; fewer where fewer are
    good."""
    max_size: int = 512
    """Longer side of those frames in pixels; larger ones are shrunk."""
    max_doubt: float = 0.5
    """Masks that are doubted more are not used, and the background is kept, unless background is cut."""
    refine_cameras: bool = False
    """Adjust cameras that came with the pictures, where that makes frames left out of a fit come out better; half a
    minute more."""
    min_confidence: float = 0.3
    """Cameras that were estimated with less confidence are refused, unless --force is given."""


@dataclass(frozen=True)
class ExportConfig:
    """What is written beside the splats."""

    height_m: float | None = None
    """Height of the mesh in metres; None keeps the units of the cameras."""
    pivot: Pivot = "keep"
    """Where the origin of the mesh goes: the middle of its base, its centre, or where it is."""
    files: tuple[str, ...] = ()
    """More files to write: mesh or splats with the ending of a format, such as mesh.usdz and splats.spz. They share the
    height and the pivot of mesh.glb, each is opened again and compared, and asset.json says how near it comes."""
    turntable_frames: int = 48
    """Frames of turntable.mp4, one turn."""
    turntable_size: int = 384
    """Height and width of turntable.mp4 in pixels; even, 256 or more."""
    witness: bool = False
    """Estimate the cameras from the views alone too, and say in asset.json how far they agree: a minute more."""


# A clip has a few small frames. Splats that shrink below its pixels leave gaps when the mesh looks closer, so they are
# fitted antialiased, and a finer mesh would show noise: measured on traced clips of 16 frames at 64 px.
CLIP_FIT = FitConfig(num_splats=4000, iterations=1000, ssim_weight=0.0, min_scale_px=0.5, antialiased=True)
CLIP_MESH = MeshConfig(num_faces=8000, resolution=96, smoothing=8, denoise=40, texture_size=512)

# Its surface is smooth where the frames disagree, and the clip's depths open the hollows that outlines close.
# Measured on clips of 24 frames at 128 px: docs/quality.md, "The surface of a prompt".
CLIP_NERF = NerfConfig(
    resolution=96, iterations=600, num_rays=1024, alpha_weight=2.0, depth_weight=0.8, smooth_weight=0.3
)


@dataclass(frozen=True)
class NerfstudioConfig:
    """What ns-train is told, with --backend nerfstudio."""

    iterations: int = 7000
    """Steps of ns-train."""
    arguments: str = ""
    """More words of its command line, such as "--pipeline.model.num-levels 8"."""


Method = Literal["splats", "nerf"]
Backend = Literal["own", "nerfstudio"]


@dataclass(frozen=True)
class MakeConfig:
    """Prompt to asset."""

    method: Method = "nerf"
    """What the mesh is taken from: Gaussian splats, or a signed distance field (NeuS), which is smoother."""
    backend: Backend = "own"
    """Who fits it: vid2three, or nerfstudio (splatfacto, nerfacto) in the environment that --nerfstudio-env names."""

    generate: GenerateConfig = field(default_factory=GenerateConfig)
    """Prompt to orbit clip."""
    fit: FitConfig = CLIP_FIT
    """Views to splats."""
    nerf: NerfConfig = CLIP_NERF
    """Views to a signed distance field."""
    mesh: MeshConfig = CLIP_MESH
    """Splats or field to mesh."""
    export: ExportConfig = field(default_factory=lambda: ExportConfig(height_m=1.0, pivot="base"))
    """What is written beside the splats."""
    nerfstudio: NerfstudioConfig = field(default_factory=NerfstudioConfig)
    """What ns-train is told, with --backend nerfstudio."""


@dataclass(frozen=True)
class ReconstructConfig:
    """A video or pictures to asset."""

    method: Method = "splats"
    """What the mesh is taken from: Gaussian splats, or a signed distance field (NeuS), which is smoother."""
    backend: Backend = "own"
    """Who fits it: vid2three, or nerfstudio (splatfacto, nerfacto) in the environment that --nerfstudio-env names."""
    input: InputConfig = field(default_factory=InputConfig)
    """A video or pictures to views."""
    poses: PosesConfig = field(default_factory=PosesConfig)
    """Frames to cameras, where none are given."""
    fit: FitConfig = field(default_factory=FitConfig)
    """Views to splats."""
    nerf: NerfConfig = field(default_factory=NerfConfig)
    """Views to a signed distance field."""
    mesh: MeshConfig = field(default_factory=MeshConfig)
    """Splats or field to mesh."""
    export: ExportConfig = field(default_factory=ExportConfig)
    """What is written beside the splats."""
    nerfstudio: NerfstudioConfig = field(default_factory=NerfstudioConfig)
    """What ns-train is told, with --backend nerfstudio."""


@dataclass(frozen=True)
class VideoMakeConfig(ReconstructConfig):
    """Prompt to asset by a video model of the user's, whose clip goes the way of any video."""

    generator: VideoModelConfig = field(default_factory=VideoModelConfig)
    """Prompt to video."""
    export: ExportConfig = field(default_factory=lambda: ExportConfig(height_m=1.0, pivot="base"))
    """What is written beside the splats."""


SECTIONS = {
    "generate": GenerateConfig,
    "generator": VideoModelConfig,
    "input": InputConfig,
    "poses": PosesConfig,
    "fit": FitConfig,
    "nerf": NerfConfig,
    "mesh": MeshConfig,
    "export": ExportConfig,
    "nerfstudio": NerfstudioConfig,
}

CHOICES = {"method": Method, "backend": Backend}  # settings of `make` and `reconstruct` outside any section
WALKS: dict[str, type] = {"make": MakeConfig, "reconstruct": ReconstructConfig}  # sections for one of the two alone


def usual_config(manifest: Mapping[str, Any]) -> MakeConfig | ReconstructConfig:
    """Return the defaults of the walk that a manifest tells of."""
    return VideoMakeConfig() if "generator" in manifest["config"] else WALKS[manifest["command"]]()


def load_config(default: Config, preset: str | None = None, file: Path | None = None) -> Config:
    """Lay the differences of a preset (configs/NAME.yaml) and then of a YAML file over a default.

    A file may hold sections that `default` lacks (a preset serves `make` and `reconstruct`); they are checked and
    left out. What stands under `make:` or `reconstruct:` is for that command alone. Raises ValueError for an unknown
    preset, key or type, FileNotFoundError where `file` is missing.
    """
    for path in (preset_path(preset) if preset else None, file):
        if path is not None:
            default = _overlaid(default, _read_yaml(Path(path)), str(path.name))
    return default


def check_input(config: InputConfig) -> None:
    """Raise ValueError where no views can come of the settings."""
    if not 8 <= config.num_frames <= 256:
        raise ValueError(f"num_frames must lie between 8 and 256, not at {config.num_frames}.")
    if not 64 <= config.max_size <= 4096:
        raise ValueError(f"max_size must lie between 64 and 4096 pixels, not at {config.max_size}.")
    if config.num_frames * config.max_size**2 > MOST_PIXELS:
        raise ValueError(
            f"{config.num_frames} frames of up to {config.max_size} pixels a side do not fit the memory; lower "
            "num_frames or max_size."
        )
    for name in ("max_doubt", "min_confidence"):
        if not 0 <= getattr(config, name) <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, not at {getattr(config, name)}.")


def check_export(config: ExportConfig) -> None:
    """Raise ValueError where the settings ask for a file that cannot be."""
    if config.height_m is not None and not 0 < config.height_m < 1e6:
        raise ValueError(f"The height of a mesh is a positive number of metres, not {config.height_m}.")
    for name in config.files:
        check_export_name(name)
    if len(set(config.files)) < len(config.files):
        raise ValueError(f"A file stands twice in the files to write: {', '.join(config.files)}.")
    if config.turntable_size < 256 or config.turntable_size % 2:
        raise ValueError(f"turntable_size must be even and 256 or more, not {config.turntable_size}.")
    if config.turntable_frames < 2:
        raise ValueError(f"turntable_frames must be 2 or more, not {config.turntable_frames}.")


def check_export_name(name: str) -> None:
    """Raise ValueError where a run folder cannot have this file beside mesh.glb and splats.ply."""
    what, _, suffix = name.partition(".")
    if name in ALWAYS:
        raise ValueError(f"{name} is written anyway; leave it out of the files to write.")
    if f".{suffix}" not in EXPORTS.get(what, ()):
        names = ", ".join(f"{kind}{ending}" for kind, endings in EXPORTS.items() for ending in endings)
        raise ValueError(f"'{name}' is none of the files that can be written beside mesh.glb and splats.ply: {names}.")


def preset_names(folder: Path | None = None) -> list[str]:
    """Return the names of the presets that come with vid2three."""
    return sorted(path.stem for path in (folder or _preset_folder()).glob("*.yaml"))


def preset_path(name: str) -> Path:
    """Return the file of a preset. Raises ValueError that names the presets there are."""
    names = preset_names()
    if name not in names:
        guess = _did_you_mean(name, names)
        raise ValueError(f"There is no preset '{name}'{guess} Presets: {', '.join(names)}; or pass --config FILE.")
    return _preset_folder() / f"{name}.yaml"


def overlay(default: Config, values: Mapping[str, Any], where: str = "") -> Config:
    """Return a config with the given values in place of its own, nested ones too; strict about keys and types."""
    hints = get_type_hints(type(default))
    names = [entry.name for entry in fields(default)]  # type: ignore[arg-type]
    changes = {}
    for key, value in values.items():
        place = f"{where}.{key}" if where else str(key)
        if key not in names:
            raise ValueError(f"Unknown key '{place}'{_did_you_mean(str(key), names)}")
        current = getattr(default, key)
        if is_dataclass(current):
            if not isinstance(value, Mapping):
                raise ValueError(f"'{place}' is a section of settings, not {value!r}.")
            changes[key] = overlay(current, value, place)
        else:
            changes[key] = _coerced(value, hints[key], place)
    return replace(default, **changes)  # type: ignore[type-var]


def _overlaid(default: Config, values: Mapping[str, Any], source: str) -> Config:
    try:
        if not set(SECTIONS) & {entry.name for entry in fields(default)}:  # type: ignore[arg-type]
            return overlay(default, values)
        for key, section in values.items():
            if key in CHOICES:
                _coerced(section, CHOICES[key], key)
                continue
            if key in WALKS and isinstance(section, Mapping):
                overlay(WALKS[key](), section, key)
                continue
            if key not in SECTIONS:
                everywhere = [*SECTIONS, *(f"{s}.{entry.name}" for s, c in SECTIONS.items() for entry in fields(c))]
                same_name = [place for place in everywhere if place.endswith(f".{key}")]
                guess = f"; did you mean '{same_name[0]}'?" if same_name else _did_you_mean(str(key), list(SECTIONS))
                raise ValueError(f"Unknown key '{key}'{guess} Sections: {', '.join(SECTIONS)}.")
            if not isinstance(section, Mapping):
                raise ValueError(f"'{key}' is a section of settings, not {section!r}.")
            overlay(SECTIONS[key](), section, key)
        default = overlay(default, {key: section for key, section in values.items() if hasattr(default, key)})
        own = next((values[key] for key, walk in WALKS.items() if isinstance(default, walk) and key in values), {})
        return overlay(default, own)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _read_yaml(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no config file {path}.")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes: more than settings need.")
    try:
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ValueError(f"{path.name} repeats a part by '*name'; write it out.")  # a few lines can stand for 10^9
        values = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not YAML: {error}") from None
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply for settings.") from None
    if not isinstance(values or {}, Mapping):
        raise ValueError(f"{path.name} must hold sections such as 'fit:', not {type(values).__name__}.")
    return values or {}


def _preset_folder() -> Path:
    """Return configs/, which lies inside the package in a wheel and beside it in the source tree."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "configs"


def _did_you_mean(word: str, words: list[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else "."


def _coerced(value: Any, hint: Any, place: str) -> Any:
    """Return a YAML value as the type a field asks for, or raise ValueError. YAML reads 1e-3 as text."""
    options = get_args(hint)
    if get_origin(hint) is Literal:
        if value not in options:
            raise ValueError(f"'{place}' must be one of {', '.join(map(str, options))}, not {value!r}.")
        return value
    if get_origin(hint) in (Union, types.UnionType):
        rest = [option for option in options if option is not type(None)]
        return None if value is None and len(rest) < len(options) else _coerced(value, rest[0], place)
    if get_origin(hint) is tuple and options[1:] == (Ellipsis,):
        if not isinstance(value, list | tuple):
            raise ValueError(f"'{place}' must be a list, not {value!r}.")
        return tuple(_coerced(item, options[0], place) for item in value)
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or len(value) != len(options):
            raise ValueError(f"'{place}' must be a list of {len(options)} values, not {value!r}.")
        return tuple(_coerced(item, kind, place) for item, kind in zip(value, options, strict=True))
    if hint is float and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool):
        return value
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "text", Path: "a path"}
    raise ValueError(f"'{place}' must be {names.get(hint, hint)}, not {value!r}.")
