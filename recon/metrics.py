"""How near a reconstruction comes to the truth: pictures, silhouettes, surfaces.

Pictures are [H,W,3] or [N,H,W,3] in [0,1]; a figure over N pictures is the mean of the N figures. Points are [P,3] and
distances Euclidean, in their units.
"""

from __future__ import annotations

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor
from torch.nn.functional import conv2d, pad

MAX_PSNR = 100.0  # dB, returned for equal pictures: a figure that JSON can hold
TRIM = 2.0  # medians beyond which a pair of an alignment joins parts that do not belong together


def psnr(
    a: Float[Tensor, "*n h w 3"], b: Float[Tensor, "*n h w 3"], mask: Float[Tensor, "*n h w"] | None = None
) -> float:
    """Return the peak signal-to-noise ratio in dB, at most 100; with a mask, over the mask's weighted pixels only."""
    squared = ((a - b) ** 2).mean(dim=-1)  # [N,H,W]
    error = _weighted_mean(squared, mask)
    return float((-10.0 * torch.log10(error.clamp(min=10 ** (-MAX_PSNR / 10)))).mean())


def ssim(
    a: Float[Tensor, "*n h w 3"], b: Float[Tensor, "*n h w 3"], mask: Float[Tensor, "*n h w"] | None = None
) -> float:
    """Return the structural similarity, 1 for equal pictures; with a mask, its map averaged over the mask's weights.

    Gaussian window 11x11 of sigma 1.5, borders reflected, channels averaged: Wang et al., "Image Quality Assessment:
    From Error Visibility to Structural Similarity", TIP 2004.
    """
    height, width = a.shape[-3:-1]
    if min(height, width) < 6:
        raise ValueError(f"SSIM needs pictures of at least 6 pixels a side, not {height} x {width}.")
    x, y = (t.reshape(-1, height, width, 3).movedim(-1, 1).reshape(-1, 1, height, width).double() for t in (a, b))
    taps = torch.exp(-0.5 * ((torch.arange(11, dtype=torch.float64) - 5) / 1.5) ** 2)
    taps = taps / taps.sum()

    def local_mean(maps: Tensor) -> Tensor:
        padded = pad(maps, (5, 5, 5, 5), mode="reflect")
        return conv2d(conv2d(padded, taps[None, None, None, :]), taps[None, None, :, None])

    mean_x, mean_y = local_mean(x), local_mean(y)
    var_x = local_mean(x * x) - mean_x**2
    var_y = local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (var_x + var_y + 0.03**2)
    values = (luminance * structure).reshape(-1, 3, height, width).mean(dim=1)
    return float(_weighted_mean(values.reshape(a.shape[:-1]), mask).mean())


def silhouette_iou(a: Float[Tensor, "*n h w"], b: Float[Tensor, "*n h w"]) -> float:
    """Return intersection over union of two alphas cut at 0.5, the mean over pictures; 1 where both are empty."""
    inside_a, inside_b = a > 0.5, b > 0.5
    both = (inside_a & inside_b).sum(dim=(-2, -1)).double()
    either = (inside_a | inside_b).sum(dim=(-2, -1)).double()
    return float(torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both)).mean())


def chamfer(a: Float[Tensor, "p 3"], b: Float[Tensor, "q 3"]) -> float:
    """Return the mean of the two mean distances to the nearest point: from a to b, and from b to a. Not squared."""
    to_b, to_a = _nearest(a, b), _nearest(b, a)
    return float(0.5 * (to_b.mean() + to_a.mean()))


def f_score(a: Float[Tensor, "p 3"], b: Float[Tensor, "q 3"], threshold: float) -> float:
    """Return the harmonic mean of precision (share of a within the threshold of b) and recall (b of a), 0 to 1.

    As in Knapitsch et al., "Tanks and Temples", SIGGRAPH 2017.
    """
    precision, recall = float((_nearest(a, b) < threshold).mean()), float((_nearest(b, a) < threshold).mean())
    return 2.0 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def surface_samples(mesh: trimesh.Trimesh, num: int, seed: int = 0) -> Float[Tensor, "num 3"]:
    """Draw points evenly by area from a mesh's surface; the same seed gives the same points."""
    points = trimesh.sample.sample_surface(mesh, num, seed=seed)[0]
    return torch.from_numpy(np.array(points, dtype=np.float64))


def umeyama(source: Float[Tensor, "p 3"], target: Float[Tensor, "p 3"]) -> Float[Tensor, "4 4"]:
    """Return the similarity that takes paired source points nearest to their targets, in the least-squares sense.

    Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point Patterns", PAMI 1991, Eq. 40-43.
    """
    mean_source, mean_target = source.mean(dim=0), target.mean(dim=0)
    centered, aimed = (source - mean_source).double(), (target - mean_target).double()
    u, s, vt = torch.linalg.svd(aimed.T @ centered / len(source))
    sign = torch.ones(3, dtype=torch.float64)
    sign[2] = torch.sign(torch.linalg.det(u) * torch.linalg.det(vt))  # a rotation, never a mirror
    rotation = u @ torch.diag(sign) @ vt
    scale = (s * sign).sum() / (centered**2).sum(dim=1).mean()
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = scale * rotation
    matrix[:3, 3] = mean_target.double() - scale * rotation @ mean_source.double()
    return matrix


def align_sim3(source: Float[Tensor, "p 3"], target: Float[Tensor, "q 3"], steps: int = 40) -> Float[Tensor, "4 4"]:
    """Return the similarity that lays the source surface onto the target's: trimmed ICP by `umeyama`, with scale.

    Pairs are taken both ways, so that the scale can't collapse; those much longer than the median are left out, so that
    a part which only one surface has does not pull (Chetverikov et al., "The Trimmed Iterative Closest Point
    Algorithm", ICPR 2002). It starts from the points as they lie and from their centred and scaled copies turned about
    z in steps of 45 degrees (poses estimated from a video leave the azimuth open), and goes on from the best start.
    Never worse than the identity, by the mean distance to the nearest point cut at 2 % of the target's size. Costs
    about five seconds.
    """
    few_source, few_target = _thinned(source, 2000), _thinned(target, 2000)
    identity = torch.eye(4, dtype=torch.float64)
    starts = [identity, *(_turned(few_source, few_target, k * np.pi / 4) for k in range(8))]
    tried = [_icp(few_source, few_target, start, 15) for start in starts]
    best = min(tried, key=lambda matrix: _cut_distance(transformed(few_source, matrix), few_target, 0.1))
    many_source, many_target = _thinned(source, 20000), _thinned(target, 20000)
    candidates = [identity, *(_icp(many_source, many_target, start, steps) for start in (identity, best))]
    return min(candidates, key=lambda matrix: _cut_distance(transformed(source, matrix), target, 0.02))


def transformed(points: Float[Tensor, "p 3"], matrix: Float[Tensor, "4 4"]) -> Float[Tensor, "p 3"]:
    """Apply a 4x4 affine matrix to points, in float64."""
    return points.double() @ matrix[:3, :3].double().T + matrix[:3, 3].double()


def _icp(source: Tensor, target: Tensor, matrix: Tensor, steps: int) -> Tensor:
    target_tree = KDTree(target.numpy())
    for _ in range(steps):
        moved = transformed(source, matrix)
        near, to_target = target_tree.query(moved.numpy())
        near_back, to_source = KDTree(moved.numpy()).query(target.numpy())
        distances = np.concatenate([near, near_back])
        kept = torch.from_numpy(distances <= TRIM * np.median(distances))
        update = umeyama(
            torch.cat([source.double(), source[to_source].double()])[kept],
            torch.cat([target[to_target].double(), target.double()])[kept],
        )
        if torch.allclose(update, matrix, rtol=0, atol=1e-9):
            break
        matrix = update
    return matrix


def _cut_distance(a: Tensor, b: Tensor, share: float) -> float:
    """Return the chamfer distance with every point's part of it cut at a share of b's root-mean-square radius."""
    most = share * float((b - b.mean(dim=0)).norm(dim=1).square().mean().sqrt())
    return float(0.5 * (np.minimum(_nearest(a, b), most).mean() + np.minimum(_nearest(b, a), most).mean()))


def _turned(source: Tensor, target: Tensor, angle: float) -> Tensor:
    """Return the similarity that matches centre and spread, and turns about z by an angle."""
    spread = [float((points - points.mean(dim=0)).norm(dim=1).square().mean().sqrt()) for points in (source, target)]
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    matrix[:3, :3] *= spread[1] / spread[0]
    matrix[:3, 3] = target.mean(dim=0) - matrix[:3, :3] @ source.mean(dim=0).double()
    return matrix


def _thinned(points: Tensor, num: int) -> Tensor:
    """Take every so-manyth point, about `num` of them: samples drawn by area stay evenly spread."""
    return points[:: max(len(points) // num, 1)]


def _nearest(a: Tensor, b: Tensor) -> np.ndarray:
    """Return the distance of each point of a to the nearest of b."""
    return np.asarray(KDTree(b.numpy()).query(a.numpy())[0])


def _weighted_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Average [N,H,W] over its pixels, weighted; an empty mask is an error, for its mean says nothing."""
    if mask is None:
        return values.mean(dim=(-2, -1))
    weight = mask.sum(dim=(-2, -1))
    if bool((weight <= 0).any()):
        raise ValueError("A mask is empty, so a masked figure has no pixels to stand on; drop that view.")
    return (values * mask).sum(dim=(-2, -1)) / weight
