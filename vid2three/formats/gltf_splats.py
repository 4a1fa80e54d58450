"""Binary glTF 2.0 of splats, by the extension KHR_gaussian_splatting.

Frame: glTF's, right-handed, y up, front +z, metres where a height was asked for. A primitive of points holds means,
rotations (xyzw), standard deviations, opacities and the harmonics of 3DGS, all float32. COLOR_0 (linear light) is
what programs without the extension draw the points with. The extension has no word for splats that were fitted
antialiased; asset.extras keeps it for our reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recon.render import Primitive
from recon.sh import C0
from recon.splats import Splats
from vid2three import __version__
from vid2three.config import Up
from vid2three.formats.contents import SplatsFile, check_finite, logit, made_splats, reading, sigmoid
from vid2three.formats.glb import srgb_to_linear
from vid2three.formats.gltf import FLOAT, POINTS, Buffer, load_glb, save_glb
from vid2three.place import turned

EXTENSION = "KHR_gaussian_splatting"
LEAST_OPACITY = 1e-7  # float32 next to 1


def save_splats(
    path: Path,
    splats: Splats,
    *,
    extras: dict[str, Any] | None = None,
    primitive: Primitive = "3dgs",
    antialiased: bool = False,
    up: Up = "y",
) -> None:
    """Write z-up splats as GLB with KHR_gaussian_splatting; `extras` is kept under asset.extras."""
    check_finite(splats, "GLB")
    splats = turned(splats, up)
    quats = splats.quats.double().numpy()[:, [1, 2, 3, 0]]
    dc = splats.sh[:, 0].double().numpy()
    opacities = sigmoid(splats.opacity_logits.numpy())[:, None]
    means = splats.means.numpy()
    arrays = {
        "POSITION": (means, "VEC3"),
        "COLOR_0": (np.hstack([srgb_to_linear(np.clip(0.5 + C0 * dc, 0, 1)), opacities]), "VEC4"),
        f"{EXTENSION}:ROTATION": (quats / np.linalg.norm(quats, axis=1, keepdims=True), "VEC4"),
        f"{EXTENSION}:SCALE": (np.exp(splats.log_scales.double().numpy()), "VEC3"),
        f"{EXTENSION}:OPACITY": (opacities, "SCALAR"),
        **{name: (splats.sh[:, k].numpy(), "VEC3") for k, name in enumerate(_names(splats.sh_degree))},
    }
    buffer = Buffer()
    attributes = {name: buffer.add_array(values, FLOAT, kind) for name, (values, kind) in arrays.items()}
    buffer.accessors[attributes["POSITION"]] |= {"min": means.min(0).tolist(), "max": means.max(0).tolist()}
    facts = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}
    facts |= {"projection": "perspective", "sortingMethod": "cameraDistance"}
    mesh = {"primitives": [{"attributes": attributes, "mode": POINTS, "extensions": {EXTENSION: facts}}]}
    kept = {**(extras or {}), "antialiased": True} if antialiased else extras or {}
    header = {
        "asset": {"version": "2.0", "generator": f"vid2three {__version__}", "extras": kept},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "splats", "mesh": 0}],
        "meshes": [mesh],
    }
    save_glb(path, header, buffer)


def read_splats(path: Path, up: Up | None = None) -> SplatsFile:
    """Read the splats of a GLB, z up again: those of its first primitive. Raises ValueError for other files."""
    with reading(path, f"GLB with {EXTENSION}"):
        glb = load_glb(path)
        primitive = glb.primitive
        if EXTENSION not in primitive.get("extensions", {}):
            raise ValueError("it holds no splats")
        if any(set(node) & {"matrix", "rotation", "scale", "translation"} for node in glb.header.get("nodes", ())):
            raise ValueError("its splats are moved by a node; apply that first")
        arrays = {name: glb.floats(index) for name, index in primitive["attributes"].items()}
        degree = max(d for d in range(4) if f"{EXTENSION}:SH_DEGREE_{d}_COEF_0" in arrays)
        found = made_splats(
            means=arrays["POSITION"],
            log_scales=np.log(np.maximum(arrays[f"{EXTENSION}:SCALE"], 1e-30)),
            quats=arrays[f"{EXTENSION}:ROTATION"][:, [3, 0, 1, 2]],
            opacity_logits=logit(arrays[f"{EXTENSION}:OPACITY"][:, 0], LEAST_OPACITY),
            sh=np.stack([arrays[name] for name in _names(degree)], axis=1),
            up=up or "y",
        )
        extras = glb.extras
        antialiased = extras.pop("antialiased", False) is True
        return SplatsFile(found, up or "y", "3dgs", antialiased, extras, glb.generator)


def holds_splats(path: Path) -> bool:
    """Say whether a GLB holds splats rather than a mesh. Raises ValueError for a broken file."""
    with reading(path, "GLB"):
        return EXTENSION in load_glb(path).primitive.get("extensions", {})


def _names(degree: int) -> list[str]:
    return [f"{EXTENSION}:SH_DEGREE_{d}_COEF_{n}" for d in range(degree + 1) for n in range(2 * d + 1)]


SPLAT_READERS = {".glb": read_splats}
SPLAT_SAVERS = {".glb": save_splats}
