"""A script for the Python of nerfstudio's environment: draw a trained field from given cameras.

    python render.py CONFIG.yml CAMERAS.npz OUT.npz

CAMERAS.npz holds `c2w` [M,3,4] in nerfstudio's world and axes, `K` [M,3,3] and `size` (height, width); OUT.npz gets
`rgb` [M,H,W,3], `distance` along the ray [M,H,W] in nerfstudio's units and `accumulation` [M,H,W]. Nothing of vid2three
is imported here: it is another environment.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(config: str, cameras: str, out: str) -> None:
    """Draw every camera; a line "drawn K of M" after each."""
    import numpy as np
    import torch
    from nerfstudio.cameras.cameras import Cameras, CameraType
    from nerfstudio.utils.eval_utils import eval_setup

    asked = np.load(cameras)
    height, width = (int(side) for side in asked["size"])
    c2w, K = torch.from_numpy(asked["c2w"]).float(), torch.from_numpy(asked["K"]).float()
    pipeline = eval_setup(Path(config), test_mode="inference")[1]
    rgb, distance, accumulation = [], [], []
    for index in range(len(c2w)):
        camera = Cameras(
            camera_to_worlds=c2w[index : index + 1],
            fx=K[index : index + 1, 0, 0, None],
            fy=K[index : index + 1, 1, 1, None],
            cx=K[index : index + 1, 0, 2, None],
            cy=K[index : index + 1, 1, 2, None],
            width=width,
            height=height,
            camera_type=CameraType.PERSPECTIVE,
        )
        with torch.no_grad():
            picture = pipeline.model.get_outputs_for_camera(camera.to(pipeline.device))
        rgb.append(picture["rgb"].float().cpu().numpy())
        distance.append(picture["depth"][..., 0].float().cpu().numpy())
        accumulation.append(picture["accumulation"][..., 0].float().cpu().numpy())
        sys.stdout.write(f"drawn {index + 1} of {len(c2w)}\n")
    np.savez(out, rgb=np.stack(rgb), distance=np.stack(distance), accumulation=np.stack(accumulation))


if __name__ == "__main__":
    main(*sys.argv[1:])
