"""Settings of the reconstruction. Torch-free: the command line reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FitConfig:
    """Views to splats."""

    num_splats: int = 10000
    """Splats at the end, at most."""
    primitive: Literal["3dgs", "2dgs"] = "3dgs"
    """Ellipsoids (3DGS) or flat discs (2DGS), which know the depth and the normal of every pixel."""
    splats_per_pixel: float = 4.0
    """Splats for each pixel of the subject in one view, at most; more learn the views by heart."""
    iterations: int = 1000
    """Steps of the optimisation, one view each."""
    sh_degree: int = 1
    """Degree of the spherical harmonics; 0 gives one colour a splat, 3 follows highlights."""
    start_share: float = 0.5
    """Share of the splats that are there from the start; the rest join where the pictures are worst."""
    grow_share: float = 0.1
    """Share of the splats that are split or moved each time."""
    densify: Literal["split", "mcmc"] = "split"
    """How splats join and move: halves of those that the loss pulls at most, or copies drawn by opacity (MCMC)."""
    alpha_weight: float = 0.3
    """Weight of coverage against colour."""
    quadratic: float = 3.0
    """Weight of squared errors beside absolute ones; 0 is the most robust against frames that disagree."""
    ssim_weight: float = 0.2
    """Weight of structure (1 - SSIM) beside colour."""
    depth_weight: float = 0.0
    """Weight of the views' depths, where they have them."""
    distortion_weight: float = 0.0
    """Weight of the spread in depth of what a pixel sees; discs alone."""
    normal_weight: float = 0.05
    """Weight of the discs' normals differing from those of the depth map; discs alone."""
    drop_share: float = 0.0
    """Share of the splats that is left out of a step, chosen anew each time; it grows from 0 to this."""
    average_share: float = 0.0
    """Last share of the steps over which the splats are averaged."""
    frame_colors: bool = False
    """Let every frame have an affine map of its colours, for frames that differ in brightness or tint."""
    frame_weights: bool = False
    """Let frames that stay worse than the others count for less."""
    coarse: float = 0.5
    """Size of the pictures in the first steps, as a share of their full size."""
    coarse_share: float = 0.0
    """Share of the steps that look at the smaller pictures."""
    min_scale_px: float = 0.1
    """Least standard deviation of a splat, in pixels of the views; below about 0.5 a look from nearer shows hair."""
    antialiased: bool = False
    """Weaken splats smaller than a pixel; the viewer must do the same (Mip-Splatting). Ellipsoids alone."""


@dataclass(frozen=True)
class MeshConfig:
    """Splats to a closed mesh."""

    num_faces: int = 15000
    """Triangles at the end, at most."""
    resolution: int = 192
    """Voxels along the subject's longest side; time and memory grow with its cube."""
    disc_steps: int = 0
    """Steps of a fit of flat splats for the mesh alone; its surface is the mean of both. 0: the mesh is the splats'."""
    truncation: float = 4.0
    """Reach of a depth map before and behind its surface, in voxels."""
    extra_views: int = 24
    """Depth maps rendered beside the views' own, between 30 degrees from below and 75 from above."""
    smoothing: int = 5
    """Rounds of Taubin smoothing before triangles are taken away."""
    denoise: int = 0
    """Rounds in which bumps are evened out and edges stay (bilateral normals), after the smoothing; for a bumpy mesh 20
    to 60."""
    min_share: float = 0.01
    """Loose parts below this share of the subject's volume are dropped."""
    texture_size: int = 1024
    """Height and width of the texture in texels; 0 gives vertex colours instead."""
    normal_map: bool = False
    """Bake the form that was lost with the triangles into a normal map."""
    ambient_occlusion: bool = False
    """Bake how much light from all sides reaches each place; the colours hold shadows already, so rarely wanted."""
    delight: bool = False
    """Take the shading out of the colours, as far as the form explains it; for a scene with lamps of its own."""
    lods: int = 0
    """Coarser copies beside the mesh: 1 adds one of half the triangles, 2 one of a quarter, 3 one of a tenth."""


@dataclass(frozen=True)
class NerfConfig:
    """Views to a signed distance field."""

    resolution: int = 128
    """Nodes along the subject's longest side on the finest of three grids."""
    iterations: int = 900
    """Steps of the optimisation."""
    num_rays: int = 2048
    """Rays a step."""
    alpha_weight: float = 0.5
    """Weight of coverage against colour."""
    depth_weight: float = 0.3
    """Weight of the views' depths, where they have them."""
    eikonal_weight: float = 0.1
    """Weight of the distances' being distances."""
    smooth_weight: float = 0.02
    """Weight of smoothness; more hides noise and detail."""


@dataclass(frozen=True)
class PosesConfig:
    """Frames to cameras."""

    fov_deg: float | None = None
    """Horizontal field of view of the camera in degrees; found with the cameras unless given."""
    matcher: str = ""
    """Folder of a keypoint matcher of transformers (EfficientLoFTR, LightGlue, SuperGlue) to try as well."""
