"""A scene in float64 and its camera, for the tests of the rasterisers' kernels."""

import torch

from recon.camera import Cameras
from recon.splats import Splats

HEIGHT, WIDTH, NUM = 37, 53, 60
OFF = {"min_alpha": 1e-6, "min_transmittance": 0.0}
ON = {"min_alpha": 1 / 255, "min_transmittance": 1e-3}


def make_splats(num: int = NUM, spread: float = 0.8, seed: int = 0) -> Splats:
    """Splats in float64 around the origin, of many shapes, some hardly opaque, some outside the picture."""
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    return Splats(
        means=spread * (2 * torch.rand(num, 3, **draw) - 1),
        log_scales=(0.03 + 0.12 * torch.rand(num, 3, **draw)).log(),
        quats=torch.randn(num, 4, **draw),
        opacity_logits=1.5 * torch.randn(num, **draw),
        sh=0.4 * torch.randn(num, 1, 3, **draw),
    )


def make_camera(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Cameras:
    """Non-square pixels, the principal point off the centre, a turned camera 2.5 from the origin."""
    generator = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
    w2c = torch.eye(4, dtype=torch.float64)[None].clone()
    w2c[0, :3, :3] = rotation * torch.det(rotation)
    w2c[0, :3, 3] = torch.tensor([0.1, -0.1, 2.5])
    K = torch.tensor([[[60.0, 0.0, 0.55 * width], [0.0, 47.0, 0.4 * height], [0.0, 0.0, 1.0]]], dtype=torch.float64)
    return Cameras(K, w2c, height, width)
