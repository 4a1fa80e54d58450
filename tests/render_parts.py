"""A small scene in float32 and its cameras, for the tests of the door to the rasterisers."""

import torch

from recon.camera import Cameras
from recon.splats import Splats

NUM_CAMERAS, HEIGHT, WIDTH, NUM = 2, 21, 34, 40


def make_splats(num_sh: int = 4) -> Splats:
    generator = torch.Generator().manual_seed(3)
    return Splats(
        means=1.4 * torch.rand(NUM, 3, generator=generator) - 0.7,
        log_scales=(0.04 + 0.12 * torch.rand(NUM, 3, generator=generator)).log(),
        quats=torch.randn(NUM, 4, generator=generator),
        opacity_logits=1.5 * torch.randn(NUM, generator=generator),
        sh=0.3 * torch.randn(NUM, num_sh, 3, generator=generator),
    )


def make_cameras() -> Cameras:
    generator = torch.Generator().manual_seed(4)
    rotations = torch.linalg.qr(torch.randn(NUM_CAMERAS, 3, 3, generator=generator))[0]
    w2c = torch.eye(4).repeat(NUM_CAMERAS, 1, 1)
    w2c[:, :3, :3] = rotations * torch.det(rotations)[:, None, None]
    w2c[:, :3, 3] = torch.tensor([0.1, 0.0, 2.5])
    K = torch.tensor([[40.0, 0.0, 15.0], [0.0, 34.0, 12.0], [0.0, 0.0, 1.0]]).repeat(NUM_CAMERAS, 1, 1)
    return Cameras(K, w2c, HEIGHT, WIDTH)
