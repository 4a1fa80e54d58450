"""A run folder is a dataset that nerfstudio reads as it is: its own data parser, in an environment of its own."""

import json
import os
import subprocess
import sysconfig

import torch

from recon.camera import opencv_to_opengl
from test_vid2three_capture import made_views, saved

SCRIPT = """
import json, sys
from pathlib import Path
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
config = NerfstudioDataParserConfig(
    data=Path(sys.argv[1]), orientation_method="none", center_method="none", auto_scale_poses=False, eval_mode="all"
)
read = config.setup().get_dataparser_outputs("train")
cameras = read.cameras
print("READ " + json.dumps({
    "images": [path.name for path in read.image_filenames],
    "depths": [path.name for path in read.metadata["depth_filenames"]],
    "depth_unit": read.metadata["depth_unit_scale_factor"],
    "c2w": cameras.camera_to_worlds.tolist(),
    "intrinsics": [cameras.fx.tolist(), cameras.fy.tolist(), cameras.cx.tolist(), cameras.cy.tolist()],
    "size": [cameras.height[0].item(), cameras.width[0].item()],
    "distortion": None if cameras.distortion_params is None else cameras.distortion_params.abs().max().item(),
}))
"""


def test_nerfstudio_reads_a_run_folder_as_it_is(nerfstudio_python, tmp_path):
    views = made_views()
    saved(views, tmp_path)
    ours = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}  # torch is ours, the rest its own
    done = subprocess.run(
        [nerfstudio_python, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, env=ours, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read = json.loads(next(line[5:] for line in done.stdout.splitlines() if line.startswith("READ ")))
    num = len(views)
    assert read["images"] == read["depths"] == [f"{index:03d}.png" for index in range(num)]
    assert read["depth_unit"] == json.loads((tmp_path / "transforms.json").read_text())["depth_unit_scale_factor"]
    expected = opencv_to_opengl(views.cameras.c2w)[:, :3]
    torch.testing.assert_close(torch.tensor(read["c2w"]), expected, rtol=0, atol=1e-5)
    K = views.cameras.K
    found = torch.tensor(read["intrinsics"])[..., 0]
    torch.testing.assert_close(found, torch.stack([K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2]]))
    assert read["size"] == [views.cameras.height, views.cameras.width]
    assert not read["distortion"]
