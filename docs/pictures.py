"""Make docs/pictures/ out of run folders, so that every picture there shows what the command line gives.

    P="a red mug with a blue handle"
    vid2three make "$P" -o runs/mug
    vid2three make "$P" -o runs/draft --preset draft
    vid2three make "$P" -o runs/high --preset high
    for s in 0 1 2 3; do vid2three generate "$P" -o runs/seed-$s --seed $s; done
    vid2three generate "two cats on a striped table" -o runs/scene-0
    vid2three generate "a red mug next to a blue mug" -o runs/scene-1
    vid2three generate "a mug, a teapot and a cake on a table" -o runs/scene-2
    vid2three generate "a parrot on a wooden barrel" -o runs/scene-3
    python docs/film.py spot.glb runs/cow.mp4 && vid2three reconstruct runs/cow.mp4 -o runs/cow
    python docs/film.py spot.glb runs/pale.mp4 --wall pale && vid2three reconstruct runs/pale.mp4 -o runs/pale
    python docs/pictures.py runs

spot.glb is Spot by Keenan Crane (CC0), y up; any model with a texture will do. docs/screenshots.py makes the rest.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image, ImageDraw, ImageFont

from camera_ring import camera_ring
from recon.camera import Cameras, project, resized
from recon.consistency.measure import measure
from recon.consistency.verdict import repair
from recon.mesh_render import base_color, render_mesh
from recon.render import render
from recon.splats import Splats
from recon.views import Views, composited
from vid2three import Run, load_run
from vid2three.capture import load_views
from vid2three.formats.glb import load_mesh
from vid2three.formats.images import load_image
from vid2three.formats.ply import read_splats
from vid2three.place import Y_UP_FROM_Z_UP, moved
from vid2three.turntable import four_sides

WIDTH, GAP, LABEL = 1400, 12, 44
PAGE, INK, FAINT = (255, 255, 255), (28, 28, 30), (110, 110, 114)
GOOD, BAD, LIMIT = (90, 150, 90), (214, 80, 60), (60, 60, 62)
MASKED_OUT = torch.tensor([1.0, 0.2, 0.9])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder with the run folders above")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("pictures"))
    parser.add_argument("--only", nargs="*", default=list(PICTURES), help="names of pictures")
    args = parser.parse_args()
    args.output.mkdir(exist_ok=True)
    for name in args.only:
        picture = PICTURES[name](args.runs)
        path = args.output / f"{name}.jpg"
        picture.save(path, quality=84, optimize=True, progressive=True)
        print(path, picture.size, f"{path.stat().st_size / 1024:.0f} KiB")


def orbit(runs: Path) -> Image.Image:
    """The frames of a clip, their alpha, their depth."""
    views = load_views(runs / "mug")
    chosen = torch.arange(0, len(views), 3)
    frames, covered = composited(views[chosen]), views.alphas[chosen]
    depth = views.depths[chosen]
    near, far = depth[depth > 0].min(), depth[depth > 0].max()
    nearness = torch.where(depth > 0, 1 - 0.85 * (depth - near) / (far - near), 0.0)
    degrees = [f"frame {i}, {360 * i // len(views)}°" for i in chosen.tolist()]
    rows = [strip(bytes_of(frames), degrees)]
    rows += [strip(bytes_of(grey[..., None].expand(-1, -1, -1, 3))) for grey in (covered, nearness)]
    return stacked(rows, ["frames", "alpha", "depth, white is near"])


def cameras(runs: Path) -> Image.Image:
    """The cameras of a prompt, around its mesh."""
    return camera_ring(load_views(runs / "mug"), world_mesh(load_run(runs / "mug")))


def splats(runs: Path) -> Image.Image:
    """Splats as they are, smaller, and few of them; from near."""
    run = load_run(runs / "mug")
    file = read_splats(run.path("splats.ply"))
    near = aside(run)
    small = replace(file.splats, log_scales=file.splats.log_scales - 1.1)
    few = file.splats[torch.arange(0, len(file.splats), 12)]
    shown = [
        (file.splats, near, f"all {len(file.splats):,}"),
        (small, near, "the same at a third of their size"),
        (small, aside(run, 3.2), "these from nearer"),
        (few, near, "one in twelve, as they are"),
    ]
    return strip([drawn(s, c, file.antialiased) for s, c, _ in shown], [label for _, _, label in shown])


def mesh(runs: Path) -> Image.Image:
    """A mesh as wires, as a shape, with its colours, and its texture."""
    run = load_run(runs / "mug")
    shape = world_mesh(run)
    camera = aside(run)
    bare = trimesh.Trimesh(shape.vertices, shape.faces, process=False)
    white = torch.ones(3)
    grey = bytes_of(render_mesh(bare, camera, background=white, shaded=True).rgb)[0]
    colored = bytes_of(render_mesh(shape, camera, background=white).rgb)[0]
    texture = (255 * base_color(shape)).round().astype(np.uint8)
    labels = [
        f"{len(shape.faces):,} triangles",
        "the shape alone",
        "with its texture",
        f"the texture, {len(texture)} px",
    ]
    return strip([wires(shape, camera), grey, colored, texture], labels)


def verdict(runs: Path) -> Image.Image:
    """A clip as it is, with two frames of another take in it, and with twelve: each frame's trouble."""
    own, other = load_views(runs / "mug"), load_views(runs / "seed-2")
    parts = []
    for strangers, what in (
        ((), "as generated"),
        ((7, 8), "frames 7 and 8 from another take"),
        (range(0, 24, 2), "every other frame from another take"),
    ):
        images, alphas = own.images.clone(), own.alphas.clone()
        for index in strangers:
            images[index], alphas[index] = other.images[index], other.alphas[index]
        found = measure(images, alphas, own.cameras, seed=0)
        judged = repair(images, alphas, own.cameras, found, seed=0)
        planted = Views(images, alphas, None, own.cameras, None)
        shown = strip(bytes_of(composited(planted[torch.arange(4, 13)])), [f"{i}" for i in range(4, 13)])
        parts += [heading(f"{judged.decision}: {what}"), shown, bars(judged.trouble)]
    return stacked(parts, [""] * len(parts))


def presets(runs: Path) -> Image.Image:
    """One prompt and seed at draft, standard and high."""
    pictures, labels = [], []
    for folder, name in (("draft", "draft"), ("mug", "standard"), ("high", "high")):
        run = load_run(runs / folder)
        shape = world_mesh(run)
        pictures.append(bytes_of(render_mesh(shape, aside(run), background=torch.ones(3)).rgb)[0])
        labels.append(f"{name}: {len(shape.faces):,} triangles, {run.manifest['scores']['psnr_db']:.1f} dB")
    return strip(pictures, labels)


def seeds(runs: Path) -> Image.Image:
    """Four seeds of one prompt, and how far each shows it."""
    found = [load_run(runs / f"seed-{seed}") for seed in range(4)]
    frames = [bytes_of(composited(load_views(run.folder)[torch.tensor([2])]))[0] for run in found]
    return strip(
        frames,
        [f"seed {run.manifest['seed']}, match {run.manifest['files']['orbit.mp4']['match']:.2f}" for run in found],
    )


def scenes(runs: Path) -> Image.Image:
    """Scenes of several things, eight frames of each."""
    found = [load_run(runs / f"scene-{number}") for number in range(4)]
    rows = [strip(bytes_of(composited(load_views(run.folder)[torch.arange(1, 24, 3)]))) for run in found]
    return stacked(rows, [run.manifest["prompt"] for run in found])


def film(runs: Path) -> Image.Image:
    """A film, what was cut out, and the mesh from four sides."""
    run = load_run(runs / "cow")
    frames, masks = frames_of(run), masks_of(run)
    shape = world_mesh(run)
    views = load_views(run.folder)
    sides = four_sides(views.cameras, read_splats(run.path("splats.ply")).splats, 320)
    turned = bytes_of(render_mesh(shape, sides, background=torch.ones(3)).rgb)
    cut = frames * masks + (1 - masks) * MASKED_OUT
    rows = [strip(bytes_of(frames)), strip(bytes_of(cut)), strip(turned)]
    return stacked(rows, ["frames", "cut out", "mesh"])


def film_cameras(runs: Path) -> Image.Image:
    """The cameras that were found in a film."""
    run = load_run(runs / "cow")
    return camera_ring(load_views(run.folder), world_mesh(run), every=3, front="-y, where the film begins")


def pale(runs: Path) -> Image.Image:
    """A subject before a wall of its own colour, and what is cut out of it."""
    run = load_run(runs / "pale")
    frames, masks = frames_of(run), masks_of(run)
    cut = frames * masks + (1 - masks) * MASKED_OUT
    return stacked([strip(bytes_of(frames)), strip(bytes_of(cut))], ["frames", "cut out"])


def world_mesh(run: Run) -> trimesh.Trimesh:
    """Return the mesh of a run in the world of its cameras."""
    matrix = np.array(run.manifest["files"]["mesh.glb"]["world_from_file"]) @ Y_UP_FROM_Z_UP
    return moved(load_mesh(run.path("mesh.glb")), matrix)


def aside(run: Run, zoom: float = 1.15, size: int = 480) -> Cameras:
    """Return the camera of a run's frame 2, a little aside of the front, square and with a longer lens."""
    camera = resized(load_views(run.folder).cameras[2], size, size)
    K = camera.K.clone()
    K[:, :2, :2] *= zoom
    return replace(camera, K=K)


def drawn(splats: Splats, camera: Cameras, antialiased: bool) -> np.ndarray:
    with torch.no_grad():
        return bytes_of(render(splats, camera, background=torch.ones(3), antialiased=antialiased).rgb)[0]


def wires(mesh: trimesh.Trimesh, camera: Cameras, fine: int = 3) -> np.ndarray:
    """Draw the edges of the faces that look at the camera, hidden ones left out."""
    large = resized(camera, fine * camera.height, fine * camera.width)
    places, z = project(torch.tensor(np.asarray(mesh.vertices), dtype=torch.float32), large)
    depth = render_mesh(mesh, large).depth[0].numpy()
    page = Image.new("RGB", (large.width, large.height), PAGE)
    pen = ImageDraw.Draw(page)
    toward = large.centers[0].numpy() - mesh.triangles_center
    flat, far = places[0].numpy(), z[0].numpy()
    for face in mesh.faces[(mesh.face_normals * toward).sum(axis=1) > 0]:
        x, y = flat[face].mean(axis=0).astype(int)
        inside = 0 <= x < large.width and 0 <= y < large.height
        if inside and far[face].mean() < depth[y, x] + 0.03:
            pen.polygon([tuple(flat[corner]) for corner in face], outline=(70, 90, 120))
    return np.asarray(page.resize((camera.width, camera.height), Image.Resampling.LANCZOS))


def frames_of(run: Run, count: int = 8) -> torch.Tensor:
    return _pictures(run, "frames", count)[..., :3]


def masks_of(run: Run, count: int = 8) -> torch.Tensor:
    return _pictures(run, "masks", count)[..., :1]


def _pictures(run: Run, folder: str, count: int) -> torch.Tensor:
    paths = sorted(run.path(folder).glob("*.png"))
    chosen = [paths[index * len(paths) // count] for index in range(count)]
    return torch.from_numpy(np.stack([load_image(path) for path in chosen])).float() / 255


def bytes_of(rgb: torch.Tensor) -> list[np.ndarray]:
    return list((255 * rgb.clamp(0, 1)).round().to(torch.uint8).numpy())


def strip(pictures: list[np.ndarray], labels: list[str] | None = None) -> Image.Image:
    """Lay pictures side by side across the page, each with a label below."""
    side = (WIDTH - GAP * (len(pictures) - 1)) // len(pictures)
    height = round(side * pictures[0].shape[0] / pictures[0].shape[1])
    page = Image.new("RGB", (WIDTH, height + (LABEL if labels else 0)), PAGE)
    pen = ImageDraw.Draw(page)
    for index, picture in enumerate(pictures):
        left = index * (side + GAP)
        page.paste(Image.fromarray(picture).resize((side, height), Image.Resampling.LANCZOS), (left, 0))
        pen.rectangle((left, 0, left + side - 1, height - 1), None, (225, 225, 220))
        if labels:
            size = 20 if side > 200 else 17
            pen.text(
                (left + side / 2, height + LABEL / 2), labels[index], INK, ImageFont.load_default(size), anchor="mm"
            )
    return page


def stacked(parts: list[Image.Image], labels: list[str]) -> Image.Image:
    """Lay parts below each other, each with its label above."""
    tops = [LABEL - 6 if label else 0 for label in labels]
    page = Image.new("RGB", (WIDTH, sum(top + part.height + GAP for top, part in zip(tops, parts))), PAGE)
    pen, at = ImageDraw.Draw(page), 0
    for top, part, label in zip(tops, parts, labels, strict=True):
        pen.text((2, at + 8), label, FAINT, ImageFont.load_default(22))
        page.paste(part, (0, at + top))
        at += top + part.height + GAP
    return page


def heading(text: str) -> Image.Image:
    page = Image.new("RGB", (WIDTH, 46), PAGE)
    ImageDraw.Draw(page).text((2, 10), text, INK, ImageFont.load_default(26))
    return page


def bars(values: np.ndarray, height: int = 150, most: float = 3.0) -> Image.Image:
    """Draw each frame's trouble by its limit; what is above 1 is at fault."""
    page = Image.new("RGB", (WIDTH, height + 30), PAGE)
    pen, step = ImageDraw.Draw(page), WIDTH / len(values)
    for frame, value in enumerate(values):
        top = height - height * min(value, most) / most
        pen.rectangle((frame * step + 6, top, (frame + 1) * step - 6, height), BAD if value > 1 else GOOD)
        pen.text(((frame + 0.5) * step, height + 15), str(frame), FAINT, ImageFont.load_default(16), anchor="mm")
    level = height - height / most
    pen.line((0, level, WIDTH, level), LIMIT, 2)
    pen.text((WIDTH - 4, level - 12), "limit", LIMIT, ImageFont.load_default(16), anchor="rm")
    return page


PICTURES = {
    "orbit": orbit,
    "cameras": cameras,
    "splats": splats,
    "mesh": mesh,
    "verdict": verdict,
    "presets": presets,
    "seeds": seeds,
    "scenes": scenes,
    "film": film,
    "film-cameras": film_cameras,
    "pale": pale,
}

if __name__ == "__main__":
    main()
