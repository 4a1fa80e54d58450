"""Cut known subjects out of backgrounds of many kinds, measure against the true alphas, and write docs/quality.md.

    python benchmarks/masks.py DATA [--write] [--kinds WORD] [--subjects spot] [--size 256] [--sheet FOLDER]

DATA holds orbits/ (renders with alphas) and captures/ (photographs for the backgrounds), as described beside a
checkout. Every clip is 32 frames, a full turn, compressed by H.264 unless its kind says otherwise. The table goes
between `<!-- masks -->` and `<!-- end -->`.
"""

from __future__ import annotations

import argparse
import io
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from recon.masks import estimate_alphas
from vid2three.show import save_mask_preview

QUALITY = Path(__file__).parents[1] / "docs" / "quality.md"
SUBJECTS = ("spot", "bunny", "fuze")
FOV_DEG = 36.0  # of the panned panorama: a tenth of it is in the picture
CRF = 23  # x264's own default


@dataclass(frozen=True)
class Kind:
    """A kind of background."""

    name: str
    behind: Callable[[Scene], np.ndarray]
    """Makes it, float [F,H,W,3]."""
    has_shadow: bool = False
    crf: int | None = CRF


@dataclass(frozen=True, eq=False)
class Scene:
    """A subject and what may stand behind it."""

    colors: np.ndarray
    """float [F,H,W,3], straight."""
    alphas: np.ndarray
    """float [F,H,W]."""
    captures: Path


@dataclass(frozen=True)
class Figures:
    """What one clip came to."""

    iou: list[float]
    """One a frame."""
    boundary_px: float
    """Mean distance between the outlines, at the size of the pictures."""
    alpha_error: float
    """Mean absolute difference of alpha within 2 px of the true outline."""
    seconds: float
    """CPU time a frame."""
    doubt: float
    method: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true", help="write the table into docs/quality.md")
    parser.add_argument("--kinds", default="", help="only kinds whose name holds this")
    parser.add_argument("--subjects", nargs="*", default=list(SUBJECTS))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--sheet", type=Path, help="a folder for contact sheets")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scenes = {name: loaded(options.data, name, options.size) for name in options.subjects}
    rows = {}
    for kind in KINDS:
        if options.kinds in kind.name:
            rows[kind.name] = {name: measured(scene, kind, name, options.sheet) for name, scene in scenes.items()}
            for name, figures in rows[kind.name].items():
                mean, worst = statistics.fmean(figures.iou), min(figures.iou)
                print(
                    f"{kind.name:34s} {name:6s} IoU {mean:.3f} worst {worst:.3f} edge {figures.boundary_px:5.2f} px "
                    f"alpha {figures.alpha_error:.3f} {figures.seconds:.2f} s doubt {figures.doubt:.2f} "
                    f"{figures.method}",
                    flush=True,
                )
    text = table(rows)
    print(text)
    if options.write:
        QUALITY.write_text(placed(QUALITY.read_text(encoding="utf-8"), text), encoding="utf-8")


def loaded(data: Path, name: str, size: int) -> Scene:
    """Return a subject's training views."""
    files = sorted((data / "orbits" / name / "train").glob("*.png"))
    rgba = np.stack([np.asarray(Image.open(file), np.float32) / 255 for file in files])
    premultiplied = np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], -1)
    if size != rgba.shape[1]:
        premultiplied = np.stack(
            [ndimage.zoom(x, (size / x.shape[0], size / x.shape[1], 1), order=1) for x in premultiplied]
        )
    alphas = premultiplied[..., 3]
    colors = premultiplied[..., :3] / np.maximum(alphas, 1 / 255)[..., None]
    return Scene(np.clip(colors, 0, 1), alphas, data / "captures")


def measured(scene: Scene, kind: Kind, name: str, sheets: Path | None) -> Figures:
    """Return the figures of one subject before one kind of background."""
    images = torch.from_numpy(clip(scene, kind))
    start = time.process_time()
    masking = estimate_alphas(images, seed=0)
    seconds = (time.process_time() - start) / len(images)
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        save_mask_preview(sheets / f"{kind.name} {name}.png".replace(" ", "_"), f"{kind.name}, {name}", images, masking)
    if masking.alphas is None:
        return Figures([0.0] * len(images), float("nan"), float("nan"), seconds, masking.doubt, masking.method)
    found = masking.alphas.numpy()
    errors = [_edge_errors(ours, truth) for ours, truth in zip(found, scene.alphas, strict=True)]
    return Figures(
        [_iou(ours > 0.5, truth > 0.5) for ours, truth in zip(found, scene.alphas, strict=True)],
        *(float(value) for value in np.mean(errors, axis=0)),
        seconds,
        masking.doubt,
        masking.method,
    )


def clip(scene: Scene, kind: Kind) -> np.ndarray:
    """Return the subject over a background, float32 [F,H,W,3]."""
    behind = np.broadcast_to(kind.behind(scene), scene.colors.shape)
    if kind.has_shadow:
        behind = behind * (1 - _shadow(scene.alphas))[..., None]
    alphas = scene.alphas[..., None]
    images = np.clip(scene.colors * alphas + behind * (1 - alphas), 0, 1)
    return images.astype(np.float32) if kind.crf is None else compressed(images, kind.crf)


def compressed(images: np.ndarray, crf: int) -> np.ndarray:
    """Return pictures as they come out of H.264."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": str(crf)})
        stream.height, stream.width, stream.pix_fmt = *images.shape[1:3], "yuv420p"
        for image in images:
            pixels = np.ascontiguousarray((image * 255).round().astype(np.uint8))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).astype(np.float32) / 255


def _shadow(alphas: np.ndarray) -> np.ndarray:
    """Return how much a soft contact shadow takes away, [F,H,W]: an ellipse under each frame's lowest part."""
    height, width = alphas.shape[1:]
    v, u = np.mgrid[:height, :width] + 0.5
    taken = []
    for alpha in alphas:
        rows, columns = np.nonzero(alpha > 0.5)
        bottom, reach = rows.max(), 0.6 * (columns.max() - columns.min())
        center = columns[rows > bottom - 0.15 * height].mean()
        taken.append(
            0.5 * np.exp(-(((u - center) / reach) ** 2) - ((v - bottom + 0.03 * height) / (0.25 * reach)) ** 2)
        )
    return np.stack(taken)


def _iou(ours: np.ndarray, truth: np.ndarray) -> float:
    return float((ours & truth).sum() / max(1, (ours | truth).sum()))


def _edge_errors(ours: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the mean distance of the two outlines from each other in pixels, and alpha's error about the true one."""
    outlines = [(alpha > 0.5) & ~ndimage.binary_erosion(alpha > 0.5) for alpha in (ours, truth)]
    if not outlines[0].any():
        return float(max(truth.shape)), 1.0
    distances = [np.asarray(ndimage.distance_transform_edt(~outline)) for outline in outlines]
    apart = (distances[0][outlines[1]].mean() + distances[1][outlines[0]].mean()) / 2
    return float(apart), float(np.abs(ours - truth)[distances[1] <= 2].mean())


def _flat(*color: float) -> Callable[[Scene], np.ndarray]:
    return lambda scene: np.asarray(color, np.float32)


def _gradient(scene: Scene) -> np.ndarray:
    """A studio's backdrop: bluish above, bright in the middle, grey below."""
    height, width = scene.alphas.shape[1:]
    v, u = np.mgrid[:height, :width] / height
    light = 0.85 - 0.45 * (v - 0.45) ** 2 * 2 - 0.25 * (u - 0.5) ** 2
    return light[..., None] * np.stack([0.75 + 0.2 * v, 0.85 + 0.08 * v, 1.0 - 0.05 * v], -1)


def _own_color(scene: Scene) -> np.ndarray:
    """A flat background a little lighter than the subject's mean colour."""
    weights = scene.alphas[..., None]
    return (scene.colors * weights).sum((0, 1, 2)) / weights.sum((0, 1, 2)) + 0.12


def _checker(scene: Scene) -> np.ndarray:
    height, width = scene.alphas.shape[1:]
    v, u = np.mgrid[:height, :width] * 16 // height
    noise = np.random.default_rng(0).normal(0, 0.04, (height, width, 1))
    light = np.where((u + v) % 2, 0.75, 0.35)[..., None]
    return np.clip(light * np.array([0.9, 1.0, 0.85]) + noise, 0, 1)


def _noise(scene: Scene) -> np.ndarray:
    """Coloured clouds with grain: a rough wall."""
    height, width = scene.alphas.shape[1:]
    generator = np.random.default_rng(1)
    clouds = ndimage.gaussian_filter(generator.normal(0, 1, (height, width, 3)), (height / 32, width / 32, 0))
    return np.clip(0.5 + 0.15 * clouds / clouds.std() + generator.normal(0, 0.04, (height, width, 3)), 0, 1)


def _city(scene: Scene) -> np.ndarray:
    from vid2three.video import load_video

    frame = load_video(scene.captures / "colosseum.mp4")[0][0]
    return _fitted(frame[:, 100:460], scene.alphas.shape[1])


def _wallpaper(scene: Scene) -> np.ndarray:
    photo = np.asarray(Image.open(sorted((scene.captures / "fox" / "images").glob("*.jpg"))[0]))
    return _fitted(photo[200:504], scene.alphas.shape[1])


def _fitted(picture: np.ndarray, height: int) -> np.ndarray:
    width = round(picture.shape[1] * height / picture.shape[0])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS), np.float32) / 255


def _panned(scene: Scene, strip: np.ndarray) -> np.ndarray:
    """Return a strip [H,W,3], mirrored to close, as the far panorama behind an orbit."""
    width = scene.alphas.shape[2]
    around = round(width * 360 / FOV_DEG)
    closed = np.concatenate([strip, strip[:, ::-1]], 1)
    closed = np.tile(closed, (1, -(-(around + width) // closed.shape[1]), 1))
    starts = np.arange(len(scene.alphas)) * around // len(scene.alphas)
    return np.stack([closed[:, start : start + width] for start in starts])


def _city_panned(scene: Scene) -> np.ndarray:
    from vid2three.video import load_video

    frames = load_video(scene.captures / "colosseum.mp4")[0]
    height = scene.alphas.shape[1]
    return _panned(scene, np.concatenate([_fitted(frames[0], height), _fitted(frames[300][::-1], height)], 1))


def _wallpaper_panned(scene: Scene) -> np.ndarray:
    files = sorted((scene.captures / "fox" / "images").glob("*.jpg"))
    height = scene.alphas.shape[1]
    photos = [np.asarray(Image.open(files[index]))[:304] for index in (0, 4, 12, 20, 36)]
    return _panned(scene, np.concatenate([_fitted(photo, height) for photo in photos], 1))


KINDS = (
    Kind("white, uncompressed", _flat(1, 1, 1), crf=None),
    Kind("white", _flat(1, 1, 1)),
    Kind("white, shadow", _flat(0.96, 0.96, 0.96), has_shadow=True),
    Kind("black", _flat(0, 0, 0)),
    Kind("green", _flat(0.15, 0.7, 0.25)),
    Kind("gradient", _gradient),
    Kind("gradient, shadow", _gradient, has_shadow=True),
    Kind("subject's own colour", _own_color),
    Kind("noise, fixed", _noise),
    Kind("checker, fixed", _checker),
    Kind("photo of a city, fixed", _city),
    Kind("photo of a wallpaper, fixed", _wallpaper),
    Kind("photo of a wallpaper, fixed, shadow", _wallpaper, has_shadow=True),
    Kind("photo of a city, panned", _city_panned),
    Kind("photo of a wallpaper, panned", _wallpaper_panned),
    Kind("photo of a wallpaper, panned, shadow", _wallpaper_panned, has_shadow=True),
)


def table(rows: dict[str, dict[str, Figures]]) -> str:
    """Return the figures as Markdown, a kind of background a row."""
    lines = ["| background | IoU | worst frame | outline, px | alpha there | CPU s a frame | doubt | method |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |")
    for kind, clips in rows.items():
        figures = list(clips.values())
        ious = " / ".join(f"{statistics.fmean(f.iou):.3f}" for f in figures)
        worst = min(min(f.iou) for f in figures)
        edge, alpha, seconds = (
            statistics.fmean(getattr(f, name) for f in figures) for name in ("boundary_px", "alpha_error", "seconds")
        )
        doubts = " / ".join(f"{f.doubt:.2f}" for f in figures)
        methods = ", ".join(dict.fromkeys(f.method for f in figures))
        lines.append(
            f"| {kind} | {ious} | {worst:.3f} | {edge:.2f} | {alpha:.3f} | {seconds:.2f} | {doubts} | {methods} |"
        )
    return "\n".join(lines)


def placed(document: str, text: str) -> str:
    """Return the document with a text in its place."""
    pattern = re.compile(r"(<!-- masks -->).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(document):
        raise ValueError(f"{QUALITY} has no place for the table: <!-- masks --> and <!-- end -->.")
    return pattern.sub(lambda match: f"{match[1]}\n{text}\n{match[2]}", document)


if __name__ == "__main__":
    main()
