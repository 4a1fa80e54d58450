"""The weights that ship with the package: one safetensors file a model (bf16), its settings inside, a card beside."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from .config import DitConfig, VaeConfig
from .dit import OrbitDiT
from .vae import VideoAutoencoder

FOLDER = Path(__file__).parent / "weights"


def model_path(model: str) -> Path:
    """Return the file of an embedded model's name or of a path; FileNotFoundError where there is none."""
    path = Path(model) if model.endswith(".safetensors") else FOLDER / f"{model}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.safetensors"))) or "none"
        raise FileNotFoundError(f"There is no model {model!r}; embedded are: {known}. A path must end in .safetensors.")
    return path


def card(model: str) -> dict:
    """Return a model's card: name, sha256, licence, data, compute, scores; the last four where a card is beside it."""
    path = model_path(model)
    beside = path.with_suffix(".json")
    known = json.loads(beside.read_text()) if beside.is_file() else {"licence": "unknown", "scores": {}}
    return {"name": path.stem, **known, "sha256": _sha256(path, path.stat().st_mtime_ns)}


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
def _sha256(path: Path, _modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_model(path: Path, vae: VideoAutoencoder, dit: OrbitDiT, settings: dict[str, int]) -> None:
    """Write both networks in bf16. `settings` are whole numbers to read back: frames, size, steps trained."""
    tensors = {f"vae.{name}": value for name, value in vae.state_dict().items()}
    tensors |= {f"dit.{name}": value for name, value in dit.state_dict().items()}
    tensors = {name: value.to("cpu", torch.bfloat16).contiguous() for name, value in tensors.items()}
    metadata = {"vae": asdict(vae.config), "dit": asdict(dit.config), "settings": settings}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, {name: json.dumps(value) for name, value in metadata.items()})
    partial.replace(path)


def load_model(path: Path) -> tuple[VideoAutoencoder, OrbitDiT, dict[str, int]]:
    """Read what `save_model` wrote, as float32 on the CPU."""
    with safe_open(path, "pt") as file:
        metadata = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (no dict)
    if not {"vae", "dit", "settings"} <= metadata.keys():
        raise ValueError(f"{path} is not a model of vid2three: its header lacks the settings.")
    vae = VideoAutoencoder(VaeConfig(**{**metadata["vae"], "widths": tuple(metadata["vae"]["widths"])}))
    dit = OrbitDiT(DitConfig(**metadata["dit"]))
    vae.load_state_dict({name[4:]: value for name, value in tensors.items() if name.startswith("vae.")})
    dit.load_state_dict({name[4:]: value for name, value in tensors.items() if name.startswith("dit.")})
    return vae.eval(), dit.eval(), metadata["settings"]
