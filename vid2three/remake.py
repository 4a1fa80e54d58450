"""Make an asset again from its asset.json alone, and compare: the same bytes, or say which file differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from generator.config import GenerateConfig, VideoModelConfig
from generator.video_plan import plan
from generator.weights import card
from vid2three.config import MakeConfig, VideoMakeConfig, overlay
from vid2three.pipeline import generate, make
from vid2three.run import MANIFEST, Progress, Run, load_run, no_progress
from vid2three.stages import library_versions

WRITTEN_BY = ("make", "generate")
Asked = MakeConfig | VideoMakeConfig | GenerateConfig | VideoModelConfig


def remake(asset: Path | str, output: Path | str, *, force: bool = False, progress: Progress = no_progress) -> Run:
    """Make the asset that an asset.json (or the folder that holds one) describes, in a folder of its own.

    Of `make` and `generate`; a reconstruction needs its pictures. Other libraries than those of the asset are told in a
    note; other weights of the model raise ValueError, unless `force`; a video model must be where it was, and is never
    downloaded. At the end a note says whether all files came out byte for byte the same. Nothing of the old folder is
    read but its asset.json.
    """
    path = Path(asset)
    folder = path.parent if path.name == MANIFEST else path
    old = load_run(folder).manifest
    command, config = _asked(old, folder)
    _check_weights(old, config, force)
    other = _other_versions(old.get("versions", {}))
    if other:
        progress("prompt", 0, 1, {"notes": [f"Made with {other}: bytes may differ."]})
    run = command(old["prompt"], output, config, seed=old["seed"], progress=progress)
    progress("prompt", 1, 1, {"notes": [_comparison(old["files"], run.manifest["files"])]})
    return run


def _asked(manifest: dict[str, Any], folder: Path) -> tuple[Any, Asked]:
    """Return the walk and its settings, as the manifest tells them; ValueError where it tells none to walk again."""
    kind, settings = manifest.get("command"), manifest.get("config")
    if kind == "edit":
        name = manifest.get("source", {}).get("name", "its source")
        raise ValueError(
            f"{folder} was made by `edit` from the asset {name!r}, whose frames it needs: run "
            f"`vid2three edit` on that folder, with the words in report.html."
        )
    if kind not in WRITTEN_BY:
        raise ValueError(f"{folder} was made by `{kind}`, which needs its pictures: run `vid2three {kind}` on them.")
    if not isinstance(manifest.get("prompt"), str) or type(manifest.get("seed")) is not int:
        raise ValueError(f"{folder / MANIFEST} holds no prompt and seed.")
    if not isinstance(settings, dict):
        raise ValueError(f"{folder / MANIFEST} holds no settings.")
    if kind == "generate" and "generator" in settings:
        return generate, overlay(VideoMakeConfig(), {"generator": settings["generator"]}).generator
    if kind == "generate":
        return generate, overlay(MakeConfig(), {"generate": settings.get("generate", {})}).generate
    if settings.get("backend") == "nerfstudio":  # its arguments would be a stranger's words on a command line
        raise ValueError(f"{folder} was fitted by nerfstudio: make it again with the command in its report.html.")
    return make, overlay(VideoMakeConfig() if "generator" in settings else MakeConfig(), settings)


def _check_weights(old: dict[str, Any], config: Asked, force: bool) -> None:
    """Raise ValueError where the weights that made the asset are not here."""
    before = old.get("weights", {})
    if isinstance(config, VideoMakeConfig | VideoModelConfig):
        here = plan(config if isinstance(config, VideoModelConfig) else config.generator).facts
        mark, cure = "fingerprint", f"bring back the {before.get('name')} of then"
    else:
        here = card(config.model if isinstance(config, GenerateConfig) else config.generate.model)
        mark, cure = "sha256", "install that version"
    if before.get(mark) != here[mark] and not force:
        raise ValueError(
            f"The weights of {before.get('name')} here are not those that made the asset, with vid2three "
            f"{old.get('versions', {}).get('vid2three')}: {cure}, or pass --force for another take."
        )


def _other_versions(before: dict[str, str]) -> str:
    here = library_versions("diffusers", "transformers")
    return ", ".join(
        f"{name} {before[name]} (here {here.get(name)})" for name in before if here.get(name) != before[name]
    )


def _comparison(old: dict[str, Any], new: dict[str, Any]) -> str:
    differ = sorted(name for name in old.keys() | new.keys() if _hash(old, name) != _hash(new, name))
    if not differ:
        return f"All {len(new)} files are the same, byte for byte."
    shown = ", ".join(differ[:6]) + (" and others" if len(differ) > 6 else "")
    return f"{len(differ)} of {len(old.keys() | new.keys())} files differ: {shown}."


def _hash(files: dict[str, Any], name: str) -> str | None:
    return files.get(name, {}).get("sha256")
