"""What a video by a model of the user's is made with, settled before its weights are loaded.

A folder in the format of diffusers says which pipeline it holds; nothing of diffusers is imported to read that. Only
safetensors are taken, and no code of a model's folder.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .config import VideoModelConfig
from .families import FAMILIES, Family, family_for, family_of, orbit_prompt
from .model_folder import (
    CARDS,
    PLAIN_NAME,
    ModelFolder,
    find_model,
    fingerprint,
    licence_of,
    read_json,
    weight_files,
)

INDEX = "model_index.json"
LIBRARIES = ("diffusers", "transformers")  # whose classes a pipeline may be made of
NETWORKS = ("transformer", "unet")
SETTINGS = (".json", ".txt", ".model")  # endings of what a part of a pipeline holds beside its weights
WHAT = "the video model"
BROUGHT = ("ftfy",)  # by the extra; other packages that a family asks for are the user's affair
FEWEST = 8  # frames that a reconstruction can start from
MOST_PIXELS = 4e8  # of a video's frames: 5 GB as numbers
HOURS_FROM = 5e8  # weights from which a CPU takes hours
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Plan:
    """All that is settled before a model's weights are loaded."""

    model: ModelFolder
    pipeline: str
    """Class of diffusers."""
    family_name: str
    family: Family
    num_frames: int
    height: int
    width: int
    fps: int
    steps: int
    guidance: float
    negative_prompt: str | None
    licence: str
    fingerprint: str
    num_weights: int
    """Roughly, all networks together; from the sizes of the files."""
    lora: Path | None
    device: str
    dtype: torch.dtype
    notes: tuple[str, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """What an asset's manifest says about the model."""
        lora = {} if self.lora is None else {"lora": self.lora.name}
        return {
            "name": self.model.name,
            "family": self.family_name,
            "pipeline": self.pipeline,
            "licence": self.licence,
            "fingerprint": self.fingerprint,
            **lora,
        }

    @property
    def settings(self) -> dict[str, Any]:
        """What the frames depend on beside the model, the words, the seed and the picture."""
        names = ("pipeline", "num_frames", "height", "width", "fps", "steps", "guidance", "negative_prompt", "device")
        return {**{name: getattr(self, name) for name in names}, "dtype": str(self.dtype).removeprefix("torch.")}


def plan(config: VideoModelConfig, *, allow_download: bool = False) -> Plan:
    """Find a model, look at its folder and settle what a video of it is made with; no weights are loaded.

    Raises ImportError, ValueError or FileNotFoundError, in one sentence with the cure, for all that can be seen
    beforehand. Nothing is downloaded unless `allow_download`.
    """
    if importlib.util.find_spec("diffusers") is None:
        raise ImportError("Video models need diffusers: pip install 'vid2three[diffusers]'.")
    if not config.model:
        named = "" if config.family == "auto" else f" {config.family}"
        raise ValueError(f"--generator{named} needs --model: a folder with a {INDEX}, or a name on the hub.")
    model = find_model(config.model, WHAT, [INDEX, *CARDS], allow_download=allow_download)
    index = _index(model, config.family)
    pipeline, parts = index["_class_name"], _parts(model, index)
    name = family_of(pipeline) or ""
    pipeline = _pipeline(pipeline, FAMILIES[name], bool(config.image), model.name)
    _check_packages(FAMILIES[name])
    if allow_download and not Path(config.model).expanduser().is_dir():
        model = find_model(config.model, WHAT, _wanted(parts, config.variant), allow_download=True)
    files = [file for part, kind in parts.items() for file in _part_files(model.folder / part, kind, config.variant)]
    if config.variant and not any(f".{config.variant}" in file.name for file in files):
        raise ValueError(
            f"{model.name} holds no weights of the variant {config.variant!r}; leave out --generator.variant."
        )
    network = next((read_json(model.folder / part / "config.json") for part in NETWORKS if part in parts), {})
    family, lora, device = family_for(name, index, network), _lora(config), _device(config.device)
    marks = fingerprint(model.folder, [model.folder / INDEX, *files])
    if lora is not None:
        marks = f"{marks}+{fingerprint(lora.parent, [lora])}x{config.lora_scale:g}"
    settled = Plan(
        model=model,
        pipeline=pipeline,
        family_name=name,
        family=family,
        num_frames=_or(config.num_frames, family.num_frames),
        height=_or(config.height, family.height),
        width=_or(config.width, family.width),
        fps=_or(config.fps, family.fps),
        steps=_or(config.steps, family.steps),
        guidance=_or(config.guidance, family.guidance),
        negative_prompt=_or(config.negative_prompt, family.negative_prompt),
        licence=licence_of(model.folder),
        fingerprint=marks,
        num_weights=sum(_num_weights(file) for file in files if file.suffix == ".safetensors"),
        lora=lora,
        device=device,
        dtype=_dtype(config.dtype, device),
        notes=(),
    )
    _check(settled, config.offload)
    return replace(settled, notes=_notes(settled, config))


def caption_for(plan: Plan, words: str, *, recipe: bool = True) -> str:
    """Return what the model is told of a prompt: with the family's words for an orbit, or the prompt as it is."""
    return orbit_prompt(plan.family, words) if recipe else " ".join(words.split())


def _index(model: ModelFolder, asked: str) -> dict[str, Any]:
    """Read model_index.json, and make sure that it is a pipeline of the family that was asked for."""
    known = ", ".join(family.title for family in FAMILIES.values())
    if not (model.folder / INDEX).is_file():
        raise ValueError(f"{model.folder} is no pipeline of diffusers: it holds no {INDEX}. Families: {known}.")
    index = read_json(model.folder / INDEX)
    pipeline = index.get("_class_name")
    found = family_of(pipeline) if isinstance(pipeline, str) else None
    if found is None:
        shown = pipeline if isinstance(pipeline, str) else "code of its own"
        raise ValueError(f"{model.name} is a pipeline of no family that vid2three knows ({shown}). Families: {known}.")
    if asked not in ("auto", found):
        raise ValueError(f"{model.name} is of the family {found} ({pipeline}), not {asked}: pass --generator {found}.")
    return index


def _parts(model: ModelFolder, index: dict[str, Any]) -> dict[str, str]:
    """Return the folders that a pipeline is made of, and the class of each."""
    parts = {}
    for name, value in index.items():
        if name.startswith("_") or not isinstance(value, list) or len(value) != 2 or value[1] is None:
            continue
        if value[0] not in LIBRARIES or not re.fullmatch(PLAIN_NAME, name):
            raise ValueError(
                f"{model.name} brings code of its own for {name!r} ({value[0]}), which vid2three does not run: take a "
                "copy of the model that is made of diffusers' and transformers' classes alone."
            )
        parts[name] = str(value[1])
    return parts


def _wanted(parts: dict[str, str], variant: str) -> list[str]:
    """Return patterns of the files to download: settings and tokenizers, and the weights of one variant."""
    stems = ("model", "diffusion_pytorch_model")
    stem = f".{variant}" if variant else ""
    weights = [f"{s}{stem}.safetensors" for s in stems] + [f"{s}{stem}-*-of-*.safetensors" for s in stems]
    if variant:  # networks that have no such variant
        weights += [f"{s}.safetensors" for s in stems] + [f"{s}-*-of-*.safetensors" for s in stems]
    kinds = ["*.json", "*.txt", "*.model", "*.jinja", *weights]
    return [INDEX, *CARDS, *(f"{part}/{kind}" for part in parts for kind in kinds)]


def _part_files(folder: Path, kind: str, variant: str) -> list[Path]:
    """Return the files of a part that its results depend on; raises where something is missing."""
    settings = sorted(path for path in folder.glob("*") if path.suffix in SETTINGS and path.is_file())
    if not settings:
        raise FileNotFoundError(
            f"{folder.parent} lacks {folder.name}/ ({kind}): the model is there in part; copy or download it again."
        )
    if not (folder / "config.json").is_file():  # schedulers, tokenizers, processors
        return settings
    has_variant = variant and any(f".{variant}" in path.name for path in folder.iterdir())  # not every network has
    own = variant if has_variant else ""
    return [*settings, *weight_files(folder, own)]


def _pipeline(name: str, family: Family, has_image: bool, model: str) -> str:
    """Return the class to load, which may go on from a picture with the weights of one that does not."""
    needs = family.pipelines[name]
    if has_image and needs == "text":
        if name not in family.with_image:
            raise ValueError(f"{model} ({name}) reads text alone: leave out --image, or take an image-to-video model.")
        return family.with_image[name]
    if not has_image and needs == "image":
        other = next((cls for cls, changed in family.with_image.items() if changed == name), None)
        if other is None:
            raise ValueError(f"{model} ({name}) goes on from a picture: pass --image, or take a text-to-video model.")
        return other
    return name


def _check(plan: Plan, offload: str) -> None:
    """Raise ValueError, with the cure, for settings that the family cannot take."""
    family, num = plan.family, plan.num_frames
    step, offset = family.frame_step, family.frame_offset
    if num < FEWEST or (num - offset) % step:
        fitting = max(FEWEST, num)
        fitting += (offset - fitting) % step
        able = f"{step}k + {offset} frames" if step > 1 else "any number of frames"
        raise ValueError(
            f"{family.title} makes {able}, and {FEWEST} are needed; {num} were asked for: try "
            f"--generator.num-frames {fitting}."
        )
    for name in ("height", "width"):
        side = getattr(plan, name)
        if side < family.side_step or side % family.side_step:
            fitting = max(round(side / family.side_step), 1) * family.side_step
            raise ValueError(
                f"{family.title} takes a {name} that is a multiple of {family.side_step}, not {side}: try "
                f"--generator.{name} {fitting}."
            )
    if num * plan.height * plan.width > MOST_PIXELS:
        raise ValueError(f"{num} frames of {plan.width} x {plan.height} pixels do not fit the memory; ask for fewer.")
    for name, least, most in (("steps", 1, 1000), ("guidance", 0, 100), ("fps", 1, 120)):
        if not least <= getattr(plan, name) <= most:
            raise ValueError(f"{name} must lie between {least} and {most}, not at {getattr(plan, name)}.")
    if offload not in ("auto", "none") and plan.device == "cpu":
        raise ValueError(f"--generator.offload {offload} needs a GPU, and the model runs on the CPU: leave it out.")


def _notes(plan: Plan, config: VideoModelConfig) -> tuple[str, ...]:
    """Return what the user should know before it begins."""
    title, name, notes = plan.family.title, plan.model.name, []
    if config.negative_prompt and plan.family.negative_prompt is None:
        notes.append(f"{title} takes no negative prompt; it is left out.")
    if not plan.family.recipe:
        notes.append(f"{title} reads no text: the picture alone says what is made, and what moves is up to it.")
    if plan.device == "cpu" and plan.num_weights > HOURS_FROM:
        notes.append(f"{name} has {plan.num_weights / 1e9:.1f} billion weights: on a CPU a video takes hours.")
    if plan.licence == "unknown":
        notes.append(f"{name} names no licence: find out what it allows before you use what it makes.")
    return tuple(notes)


def _check_packages(family: Family) -> None:
    for module, purpose in family.requires.items():
        if importlib.util.find_spec(module) is None:
            package = "'vid2three[diffusers]'" if module in BROUGHT else module
            raise ImportError(f"{family.title} needs {module}, {purpose}: pip install {package}.")


def _lora(config: VideoModelConfig) -> Path | None:
    if not config.lora:
        return None
    path = Path(config.lora).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"There is no LoRA {config.lora}; pass the path of a .safetensors file.")
    if path.suffix != ".safetensors":
        raise ValueError(f"{path.name} is no .safetensors file: other kinds can run code when they are read.")
    if importlib.util.find_spec("peft") is None:
        raise ImportError("A LoRA needs peft: pip install 'vid2three[diffusers]'.")
    return path


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = asked.partition(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(kind, False):
        able = ", ".join(name for name, is_there in there.items() if is_there)
        raise ValueError(f"There is no device {asked!r} here; there is: {able}.")
    return asked


def _dtype(asked: str, device: str) -> torch.dtype:
    return DTYPES[asked] if asked != "auto" else torch.bfloat16 if device.startswith("cuda") else torch.float32


def _num_weights(file: Path) -> int:
    """Return about how many numbers a file of weights holds: its header says their type, most have the first one's."""
    with file.open("rb") as opened:
        head = opened.read(4096)
    size = 4 if b'"F32"' in head else 1 if b'"F8_' in head else 2
    return file.stat().st_size // size


def _or(given: Any, usual: Any) -> Any:
    return usual if given is None else given
