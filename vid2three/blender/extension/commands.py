"""The command line and the folder of an asset that is asked for; no line of this file needs Blender."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Order:
    """What the panel asks for."""

    source: str
    """PROMPT, PICTURE, VIDEO or PHOTOS."""
    prompt: str = ""
    path: str = ""
    """Picture, video or folder of photos, absolute."""
    model: str = ""
    """Folder of a video model that makes the clip of a prompt, absolute; empty is the model that comes along."""
    preset: str = "standard"
    seed: int = 0
    height_m: float = 1.0
    threads: int = 0
    """0 takes all."""


def check(order: Order) -> None:
    """Raise ValueError or FileNotFoundError, with the cure, where vid2three cannot even begin."""
    if order.source in ("PROMPT", "PICTURE") and not order.prompt.strip():
        raise ValueError('Say what to make, such as "a red mug with a blue handle".')
    if order.model and not (Path(order.model) / "model_index.json").is_file():
        raise FileNotFoundError(f"{order.model} is no video model of diffusers; choose another Model, or none.")
    if order.source == "PROMPT":
        return
    what = {"PICTURE": "a picture", "VIDEO": "a video", "PHOTOS": "a folder of photos"}[order.source]
    if not order.path:
        raise ValueError(f"Choose {what}.")
    if order.source == "PHOTOS" and not Path(order.path).is_dir():
        raise FileNotFoundError(f"There is no folder {order.path}; choose {what}.")
    if order.source != "PHOTOS" and not Path(order.path).is_file():
        raise FileNotFoundError(f"There is no file {order.path}; choose {what}.")


def name(order: Order) -> str:
    """Return what the asset is called: the words of the prompt, or the name of the file."""
    text = order.prompt if order.source in ("PROMPT", "PICTURE") else Path(order.path).stem
    return "-".join(re.findall(r"\w+", text.lower()))[:48].strip("-") or "asset"


def run_folder(order: Order, parent: Path) -> Path:
    """Return the run folder of an order: the same for the same order, so that a run that was stopped goes on."""
    facts = [order.source, order.prompt.strip(), order.path, order.preset, order.seed, round(order.height_m, 6)]
    facts += [order.model] if order.model else []
    if order.path:
        status = Path(order.path).stat()
        facts += [status.st_size, status.st_mtime_ns]
    return parent / f"{name(order)}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]}"


def command(program: str, order: Order, folder: Path) -> list[str]:
    """Return the words of the command line."""
    if order.source in ("PROMPT", "PICTURE"):
        words = [program, "make", order.prompt.strip().lstrip("- ")]  # no flag
        words += ["--image", order.path] if order.source == "PICTURE" else []
        words += ["--generator", "auto", "--model", order.model] if order.model else []
    else:
        words = [program, "reconstruct", order.path]
    words += ["-o", str(folder), "--preset", order.preset, "--seed", str(order.seed)]
    words += ["--height-m", f"{order.height_m:.6g}", "--pivot", "base", "--progress", "json"]
    return words + (["--threads", str(order.threads)] if order.threads else [])


def prompts(text: str) -> list[str]:
    """Return the prompts of a text, one a line; empty lines and those that begin with # are no prompts."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
