"""Settings by the names of their flags: the short ones of the command line, and the columns of a batch. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from vid2three.config import Config, VideoMakeConfig, overlay

SHORT = {  # what is asked for most, without the part of the walk that it belongs to
    "--image": "--generate.image",
    "--captioner": "--generate.captioner",
    "--model": "--generate.model",
    "--refine": "--generate.refine",
    "--elevation": "--generate.elevation-deg",
    "--faces": "--mesh.num-faces",
    "--texture": "--mesh.texture-size",
    "--lods": "--mesh.lods",
    "--height-m": "--export.height-m",
    "--pivot": "--export.pivot",
    "--export": "--export.files",
    "--num-frames": "--input.num-frames",
    "--fov-deg": "--poses.fov-deg",
}
OF_VIDEO_MODEL = ("--model", "--lora", "--image", "--captioner")
SHORT_OF_VIDEO_MODEL = {  # the same where a video model of the user's makes the clip
    **SHORT,
    "--generator": "--generator.family",
    **{flag: f"--generator.{flag.removeprefix('--')}" for flag in OF_VIDEO_MODEL},
}
WORDS = {"true": True, "yes": True, "false": False, "no": False, "none": None, "null": None}


def with_flags(default: Config, flags: Mapping[str, Any]) -> Config:
    """Return a config with values under the names of flags, such as faces or mesh.num-faces, in place of its own.

    Text is read as what the setting holds; several values of one stand between spaces or commas. A section may be a
    mapping. Raises ValueError as `overlay` does.
    """
    for flag, value in flags.items():
        path = long_name(flag, short_flags(default)).replace("-", "_").split(".")
        if isinstance(value, str):
            value = _read(value, _hint(default, path))
        for key in reversed(path):
            value = {key: value}
        default = overlay(default, value)
    return default


def short_flags(config: Any) -> Mapping[str, str]:
    """Return the short flags of a walk, and the long ones that they stand for."""
    return SHORT_OF_VIDEO_MODEL if isinstance(config, VideoMakeConfig) else SHORT


def long_name(flag: str, short: Mapping[str, str]) -> str:
    """Return the name of a setting, such as mesh.num-faces, for its short or long flag without the dashes before it."""
    name = flag.replace("_", "-")
    return short.get(f"--{name}", f"--{name}").removeprefix("--")


def _hint(config: Any, path: list[str]) -> Any:
    """Return the type of a setting; text where there is no such one, for `overlay` to say so."""
    for key in path[:-1]:
        config = getattr(config, key, None)
    return get_type_hints(type(config)).get(path[-1], str) if is_dataclass(config) else str


def _read(text: str, hint: Any) -> Any:
    options = get_args(hint)
    if hint is str or text in options:
        return text
    if get_origin(hint) is tuple:
        return [_read(word, options[0]) for word in re.split(r"[\s,;]+", text.strip()) if word]
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
