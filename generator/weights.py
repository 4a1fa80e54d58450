"""The weights that ship with the package: a model's safetensors (bf16), its settings inside, a card beside.

NAME.safetensors is one file, or, above 15 MB, stands for NAME-1-of-3.safetensors and so on.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from .config import DitConfig, VaeConfig
from .dit import OrbitDiT
from .vae import VideoAutoencoder

FOLDER = Path(__file__).parent / "weights"
MAX_BYTES = 15_000_000  # of one file; hosts of code refuse large ones


def model_path(model: str) -> Path:
    """Return the file of an embedded model's name or of a path; FileNotFoundError where there is none."""
    path = Path(model) if model.endswith(".safetensors") else FOLDER / f"{model}.safetensors"
    if not shards(path):
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.json"))) or "none"
        if model and Path(model).is_dir():
            raise FileNotFoundError(f"{model} is a folder; a video model goes with --generator auto --model {model}.")
        raise FileNotFoundError(f"There is no model {model!r}; embedded are: {known}. A path must end in .safetensors.")
    return path


def shards(path: Path) -> list[Path]:
    """Return the files that NAME.safetensors stands for; none where one is missing."""
    if path.is_file():
        return [path]
    parts = {int(file.stem.split("-")[-3]): file for file in path.parent.glob(f"{path.stem}-*-of-*.safetensors")}
    wanted = max((int(file.stem.split("-")[-1]) for file in parts.values()), default=0)
    return [parts[i] for i in range(1, wanted + 1)] if set(parts) == set(range(1, wanted + 1)) else []


def fingerprint(path: Path) -> tuple[int, ...]:
    """Return numbers that change when the files do."""
    return tuple(file.stat().st_mtime_ns for file in shards(path))


def card(model: str) -> dict:
    """Return a model's card: name, sha256, licence, data, compute, scores; the last four where a card is beside it."""
    path = model_path(model)
    beside = path.with_suffix(".json")
    known = json.loads(beside.read_text()) if beside.is_file() else {"licence": "unknown", "scores": {}}
    return {"name": path.stem, **known, "sha256": _sha256(path, fingerprint(path))}


def write_card(path: Path, scores: dict, compute: dict, data: str) -> None:
    """Write the card of a model's weights beside them."""
    known = {
        "licence": "Apache-2.0",
        "data": data,
        "compute": compute,
        "text_encoder": "all-MiniLM-L6-v2 (Apache-2.0), frozen, not included",
        "limits": "The categories, colours, patterns, materials and styles of generator.grammar; one object on white.",
        "scores": scores,
    }
    path.with_suffix(".json").write_text(json.dumps(known, indent=2) + "\n")


@cache
def _sha256(path: Path, _fingerprint: tuple[int, ...]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in shards(path))).hexdigest()


def save_model(path: Path, vae: VideoAutoencoder, dit: OrbitDiT, settings: dict[str, Any]) -> None:
    """Write both networks in bf16. `settings` are to be read back: num_frames, size, steps, the other formats that were
    trained on, as formats.Format writes them, and how many of the grammar's categories, in their order."""
    tensors = {f"vae.{name}": value for name, value in vae.state_dict().items()}
    tensors |= {f"dit.{name}": value for name, value in dit.state_dict().items()}
    tensors = {name: value.to("cpu", torch.bfloat16).contiguous() for name, value in tensors.items()}
    metadata = {"vae": asdict(vae.config), "dit": asdict(dit.config), "settings": settings}
    header = {name: json.dumps(value) for name, value in metadata.items()}
    parts: list[dict[str, torch.Tensor]] = [{}]
    for name, value in tensors.items():
        if parts[-1] and sum(part.nbytes for part in parts[-1].values()) + value.nbytes > MAX_BYTES:
            parts.append({})
        parts[-1][name] = value
    names = [path.stem] if len(parts) == 1 else [f"{path.stem}-{i + 1}-of-{len(parts)}" for i in range(len(parts))]
    for known in shards(path):
        if known.stem not in names:
            known.unlink()
    for name, part in zip(names, parts):
        partial = path.with_name(f"{name}.partial")
        save_file(part, partial, header)
        partial.replace(path.with_name(f"{name}.safetensors"))


def trained_for(path: Path) -> dict[str, Any]:
    """Return the settings that `save_model` was given; empty where the file has none."""
    with safe_open(shards(path)[0], "pt") as file:
        return json.loads((file.metadata() or {}).get("settings", "{}"))


def load_model(path: Path) -> tuple[VideoAutoencoder, OrbitDiT, dict[str, Any]]:
    """Read what `save_model` wrote, as float32 on the CPU."""
    tensors, metadata = {}, {}
    for part in shards(path):
        with safe_open(part, "pt") as file:
            metadata = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            tensors |= {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (no dict)
    if not {"vae", "dit", "settings"} <= metadata.keys():
        raise ValueError(f"{path} is not a model of vid2three: its header lacks the settings.")
    vae = VideoAutoencoder(VaeConfig(**{**metadata["vae"], "widths": tuple(metadata["vae"]["widths"])}))
    dit = OrbitDiT(DitConfig(**metadata["dit"]))
    vae.load_state_dict({name[4:]: value for name, value in tensors.items() if name.startswith("vae.")})
    dit.load_state_dict({name[4:]: value for name, value in tensors.items() if name.startswith("dit.")})
    return vae.eval(), dit.eval(), metadata["settings"]
