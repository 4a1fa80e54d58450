"""nerfstudio itself, in an environment of its own: its data parser, its nerfacto, its exporter.

A run folder is a dataset that its data parser reads as it is. On a CPU nerfacto trains and ns-export writes; what
splatfacto does needs CUDA, so a checkpoint of splats is made by hand.
"""

import json
import os
import subprocess
import sysconfig
from dataclasses import replace

import pytest
import torch
from scipy.spatial.transform import Rotation

from conftest import startable
from nerfstudio_stand_in import save_as_nerfstudio
from recon.camera import opencv_to_opengl
from recon.render import render
from subjects import mug, orbit_views
from test_vid2three_capture import made_views, saved
from test_vid2three_nerfstudio_world import cameras_there, random_splats
from vid2three.capture import load_views, save_views
from vid2three.config import ReconstructConfig, overlay
from vid2three.formats.depth_maps import load_depth_maps
from vid2three.formats.ply import load_splats
from vid2three.nerfstudio.environment import find_environment
from vid2three.nerfstudio.process import run as run_process
from vid2three.nerfstudio.training import Training, parser_options, splatfacto_options, train_arguments
from vid2three.nerfstudio.world import c2w_to, load_world, splats_from
from vid2three.pipeline import reconstruct
from vid2three.run import StageFiles, sha256

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


TURNED = """
import json, sys
from pathlib import Path
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
read = NerfstudioDataParserConfig(data=Path(sys.argv[1]), eval_mode="all").setup().get_dataparser_outputs("train")
read.save_dataparser_transform(Path(sys.argv[1]) / "dataparser_transforms.json")
print("READ " + json.dumps(read.cameras.camera_to_worlds.tolist()))
"""


def test_our_cameras_go_where_nerfstudio_puts_them(nerfstudio_python, tmp_path):
    tilt = torch.eye(4)
    tilt[:3, :3] = torch.from_numpy(Rotation.from_euler("xyz", (40, -10, 20), degrees=True).as_matrix())
    views = made_views()
    views = replace(views, cameras=replace(views.cameras, w2c=views.cameras.w2c @ tilt))  # nerfstudio rights it
    saved(views, tmp_path)
    ours = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run(
        [nerfstudio_python, "-c", TURNED, str(tmp_path)], capture_output=True, text=True, env=ours, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read = json.loads(next(line[5:] for line in done.stdout.splitlines() if line.startswith("READ ")))
    world = load_world(tmp_path / "dataparser_transforms.json")
    assert float((world.rotation - torch.eye(3)).abs().max()) > 0.1
    assert world.scale != 1
    torch.testing.assert_close(c2w_to(views.cameras, world), torch.tensor(read), rtol=0, atol=1e-5)


SMALL_NERFACTO = (
    "--pipeline.model.log2-hashmap-size 13 --pipeline.model.num-levels 6 --pipeline.model.max-res 96 "
    "--pipeline.model.hidden-dim 32 --pipeline.model.average-init-density 2 "
    "--pipeline.datamanager.train-num-rays-per-batch 256 "
    "--pipeline.model.num-nerf-samples-per-ray 16 --pipeline.model.num-proposal-samples-per-ray 32 16"
)


@pytest.mark.slow
def test_nerfacto_trains_goes_on_and_its_depths_become_a_mesh(nerfstudio_env, tmp_path):
    """Far too short a training for a good mesh: what is tested is that each part fits the next."""
    (tmp_path / "clip").mkdir()
    save_views(StageFiles(tmp_path / "clip", {}), orbit_views(mug(), 8, size=(40, 44)), "z up")
    config = overlay(
        ReconstructConfig(),
        {
            "method": "nerf",
            "backend": "nerfstudio",
            "fit": {"num_splats": 500, "iterations": 60},
            "nerfstudio": {"iterations": 240, "arguments": SMALL_NERFACTO},
            "mesh": {"num_faces": 800, "resolution": 40, "extra_views": 2, "texture_size": 0},
            "export": {"turntable_frames": 2, "turntable_size": 256},
        },
    )

    def walk(stop_at: int) -> list[int]:
        steps = []

        def progress(stage, step, total, info):
            if stage == "nerfacto" and total == 240:
                steps.append(step)
                if step >= stop_at:
                    raise KeyboardInterrupt

        run = tmp_path / "run"
        reconstruct(tmp_path / "clip", run, config, nerfstudio_env=nerfstudio_env, progress=progress)
        return steps

    with pytest.raises(KeyboardInterrupt):
        walk(stop_at=101)
    steps = walk(stop_at=999)
    assert steps[0] in range(60, 150)  # it goes on from a checkpoint
    assert steps[-1] >= 231
    manifest = json.loads((tmp_path / "run" / "asset.json").read_text())
    assert manifest["scores"]["psnr_db_nerfacto"] > 8
    maps, views = load_depth_maps(tmp_path / "run" / "depth_maps.npz"), load_views(tmp_path / "run")
    alphas, masks = maps.alphas[: maps.num_own], views.alphas.numpy()
    assert alphas[masks > 0.9].mean() > 3 * alphas[masks < 0.1].mean()  # it stands where the subject stands
    assert manifest["files"]["mesh.glb"]["is_watertight"]
    assert [line.split()[0] for line in manifest["files"]["depth_maps.npz"]["commands"]] == ["ns-train", "python"]
    assert "surface.npz" not in manifest["files"]


PARSED = """
import sys, tyro
from nerfstudio.configs.method_configs import AnnotatedBaseConfigUnion
config = tyro.cli(AnnotatedBaseConfigUnion, args=sys.argv[1:])
model, parser = config.pipeline.model, config.pipeline.datamanager.dataparser
print("READ", config.get_checkpoint_dir(), model.rasterize_mode, model.stop_split_at, parser.scale_factor,
    parser.center_method, config.optimizers["means"]["scheduler"].max_steps, config.load_dir)
"""


@pytest.mark.slow
def test_ns_train_understands_what_splatfacto_is_told(nerfstudio_env, tmp_path):
    options = splatfacto_options(5000, 2, 600, antialiased=True)
    training = Training("splatfacto", "abc", 5000, tuple(options), tuple(parser_options(0.25)))
    environment = find_environment(nerfstudio_env)
    said = []
    command = [environment.tool("python"), "-W", "ignore", "-c", PARSED, *train_arguments(training, True, done=1000)]
    run_process(command, tmp_path, environment.variables(), tmp_path / "log", said.append)
    models = (training.folder / "nerfstudio_models").as_posix()
    assert f"READ {models} antialiased 2500 0.25 focus 5000 {models}" in said


HAND_MADE = """
import copy, sys, torch
from pathlib import Path
from nerfstudio.configs.method_configs import method_configs
data, out, given = map(Path, sys.argv[1:])
config = copy.deepcopy(method_configs["splatfacto"])
config.data = config.pipeline.datamanager.data = data
config.output_dir, config.experiment_name, config.timestamp = out, "e", "t"
config.machine.device_type = "cpu"
config.save_config()
pipeline = config.pipeline.setup(device="cpu", test_mode="inference")
state = {name: value for name, value in pipeline.state_dict().items() if "gauss_params" not in name}
state |= {"_model.gauss_params." + name: value for name, value in torch.load(given).items()}
config.get_checkpoint_dir().mkdir(parents=True)
torch.save({"step": 29999, "pipeline": state}, config.get_checkpoint_dir() / "step-000029999.ckpt")
outputs = pipeline.datamanager.train_dataparser_outputs
outputs.save_dataparser_transform(config.get_base_dir() / "dataparser_transforms.json")
"""


@pytest.mark.slow
def test_a_splatfacto_checkpoint_comes_back_through_ns_export(nerfstudio_env, nerfstudio_python, tmp_path):
    if not startable(nerfstudio_python, "nerfstudio.scripts.exporter"):
        pytest.skip("the nerfstudio there lacks what ns-export imports (open3d, pymeshlab, mediapy)")
    views = orbit_views(mug(), 5)
    (tmp_path / "clip").mkdir()
    save_views(StageFiles(tmp_path / "clip", {}), views, "z up")
    environment, log = find_environment(nerfstudio_env), tmp_path / "log"
    there = random_splats()
    dc, rest = there.sh[:, 0].contiguous(), there.sh[:, 1:].contiguous()
    stored = {"means": there.means, "scales": there.log_scales, "quats": there.quats, "features_dc": dc}
    stored |= {"features_rest": rest, "opacities": there.opacity_logits[:, None]}
    torch.save(stored, tmp_path / "given.pt")
    made = [environment.tool("python"), "-c", HAND_MADE, tmp_path / "clip", tmp_path / "out", tmp_path / "given.pt"]
    run_process(made, tmp_path, environment.variables(), log)
    base = tmp_path / "out" / "e" / "splatfacto" / "t"
    words = ["gaussian-splat", "--load-config", base / "config.yml", "--output-dir", tmp_path / "x"]
    run_process([environment.tool("ns-export"), *words], tmp_path, environment.variables(), log)
    save_as_nerfstudio(tmp_path / "mimic.ply", there)
    assert sha256(tmp_path / "x" / "splat.ply") == sha256(tmp_path / "mimic.ply")  # so the stand-in writes as it does
    world = load_world(base / "dataparser_transforms.json")
    here = splats_from(load_splats(tmp_path / "x" / "splat.ply"), world)
    cameras = load_views(tmp_path / "clip").cameras
    seen_here, seen_there = render(here, cameras).rgb, render(there, cameras_there(cameras, world)).rgb
    assert float(seen_there.mean()) > 0.01
    torch.testing.assert_close(seen_here, seen_there, rtol=0, atol=2e-3)
