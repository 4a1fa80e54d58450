""".splat: 32 bytes a splat and no header, as antimatter15's viewer and many on the web read it.

Three float32 of position, three of standard deviations, RGB and opacity in bytes, and the quaternion (wxyz) as
128 + 128 q in bytes. Harmonics beyond the plain colour are lost, and there is no place for notes.
Frame: none is fixed; written y down, front +z, as web viewers show it upright.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recon.render import Primitive
from recon.sh import C0
from recon.splats import Splats
from vid2three.config import Up
from vid2three.formats.contents import SplatsFile, check_finite, file_bytes, logit, made_splats, reading, sigmoid
from vid2three.place import turned

ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("quat", "u1", 4)])
HALF_STEP = 0.5 / 255  # an opacity of 255 is one of 254.5 or more


def save_splats(
    path: Path,
    splats: Splats,
    *,
    extras: dict[str, Any] | None = None,
    primitive: Primitive = "3dgs",
    antialiased: bool = False,
    up: Up = "y-down",
) -> None:
    """Write z-up splats as .splat, the largest and most solid first, so that a part of the file shows the subject.

    There is no place for `extras` and `antialiased`.
    """
    check_finite(splats, ".splat")
    splats = turned(splats, up)
    opacities = sigmoid(splats.opacity_logits.numpy())
    weight = splats.log_scales.double().sum(dim=1).numpy() + np.log(np.maximum(opacities, 1e-12))
    quats = splats.quats.double().numpy()
    quats = quats / np.linalg.norm(quats, axis=1, keepdims=True)
    table = np.empty(len(splats), ROW)
    table["mean"], table["scale"] = splats.means.numpy(), np.exp(splats.log_scales.double().numpy())
    rgba = np.hstack([0.5 + C0 * splats.sh[:, 0].double().numpy(), opacities[:, None]])
    table["rgba"] = np.round(255 * rgba).clip(0, 255)
    table["quat"] = np.round(128 + 128 * quats).clip(0, 255)
    path.write_bytes(table[np.argsort(-weight, kind="stable")].tobytes())


def read_splats(path: Path, up: Up | None = None) -> SplatsFile:
    """Read a .splat; `up` says what is up in it, y down unless given. Raises ValueError for other files."""
    with reading(path, ".splat"):
        data = file_bytes(path)
        if len(data) % ROW.itemsize:
            raise ValueError(f"it holds {len(data):,} bytes, which is no multiple of {ROW.itemsize}")
        table = np.frombuffer(data, ROW)
        rgba = table["rgba"].astype(np.float64) / 255
        if not (table["scale"] > 0).all():
            raise ValueError("some of its splats have no size")
        found = made_splats(
            means=table["mean"],
            log_scales=np.log(table["scale"]),
            quats=(table["quat"].astype(np.float32) - 128) / 128,
            opacity_logits=logit(rgba[:, 3], HALF_STEP),
            sh=((rgba[:, :3] - 0.5) / C0)[:, None],
            up=up or "y-down",
        )
        return SplatsFile(found, up or "y-down")


SPLAT_READERS = {".splat": read_splats}
SPLAT_SAVERS = {".splat": save_splats}
