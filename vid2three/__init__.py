"""vid2three: a prompt, a video or photos become a 3D asset that opens in Blender.

Importing this costs nothing: each name below is fetched when it is first asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generator.workers import Workers
    from vid2three.batches.walk import Batch, batch
    from vid2three.config import (
        EditConfig,
        ExportConfig,
        GenerateConfig,
        InputConfig,
        MakeConfig,
        ReconstructConfig,
        VideoMakeConfig,
        VideoModelConfig,
        load_config,
    )
    from vid2three.editing import edit
    from vid2three.evaluate import evaluate
    from vid2three.pipeline import export, generate, make, reconstruct, train
    from vid2three.remake import remake
    from vid2three.run import Run, load_run
    from vid2three.views_export import export_views

__version__ = "0.1.0"

_MODULE_OF = {
    "make": "pipeline",
    "generate": "pipeline",
    "reconstruct": "pipeline",
    "export": "pipeline",
    "train": "pipeline",
    "edit": "editing",
    "batch": "batches.walk",
    "Batch": "batches.walk",
    "Workers": "batches.walk",
    "evaluate": "evaluate",
    "remake": "remake",
    "export_views": "views_export",
    "Run": "run",
    "load_run": "run",
    "MakeConfig": "config",
    "ReconstructConfig": "config",
    "EditConfig": "config",
    "ExportConfig": "config",
    "GenerateConfig": "config",
    "InputConfig": "config",
    "VideoMakeConfig": "config",
    "VideoModelConfig": "config",
    "load_config": "config",
}
__all__ = [
    "Batch",
    "EditConfig",
    "ExportConfig",
    "GenerateConfig",
    "InputConfig",
    "MakeConfig",
    "ReconstructConfig",
    "Run",
    "VideoMakeConfig",
    "VideoModelConfig",
    "Workers",
    "batch",
    "edit",
    "evaluate",
    "export",
    "export_views",
    "generate",
    "load_config",
    "load_run",
    "make",
    "reconstruct",
    "remake",
    "train",
]


def check_siblings(root: Path | None = None) -> None:
    """Make sure that the packages `generator` and `recon` which Python would import are this distribution's.

    Their names are common words, so another installed package, or a folder that stands earlier on the path, may
    hide them. Nothing is imported. Raises ImportError with the cure. `root` is the folder that must hold them.
    """
    root = (root or Path(__file__).parent.parent).resolve()
    for name in ("generator", "recon"):
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ImportError(f"The package '{name}' that belongs to vid2three is missing; install vid2three again.")
        places = [Path(place).resolve() for place in spec.submodule_search_locations or [spec.origin or name]]
        if root / name not in places:
            raise ImportError(
                f"Another package named '{name}' hides the one of vid2three: found {places[0]}, "
                f"expected {root / name}. Run from another folder, or uninstall the other '{name}'."
            )


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vid2three' has no attribute {name!r}")
    check_siblings()
    value = getattr(importlib.import_module(f"vid2three.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__", "check_siblings"]
