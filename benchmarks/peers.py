"""Score what another program made of an orbit, by the measures of `vid2three evaluate`; peers.md says how to run it.

    python benchmarks/peers.py poses IMAGES OUT                 # pycolmap as it comes: OUT/sparse/0
    python benchmarks/peers.py splats FILE.ply ORBIT [--widen] [--colmap OUT | --dataparser FILE.json]
    python benchmarks/peers.py mesh FILE.glb ORBIT

ORBIT holds transforms_train.json, transforms_test.json, their pictures, and for meshes mesh.ply. Splats must lie in the
orbit's world; --colmap lays those on that were trained on a model of its own (by the cameras' places), --dataparser
those of nerfstudio. Meshes are laid on by a similarity (ICP), as generators place them where they like.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from recon.mesh_quality import quality
from recon.metrics import (
    psnr,
    silhouette_iou,
    ssim,
    umeyama,
)
from recon.poses.compare import compare
from recon.splats import Splats
from recon.views import composited
from vid2three.capture import load_views
from vid2three.evaluate import drawn_on_white, surface_figures, true_mesh
from vid2three.formats import MESH_READERS, SPLAT_READERS
from vid2three.formats.colmap import load_colmap
from vid2three.nerfstudio.world import load_world, splats_from, widened
from vid2three.place import moved_splats


def poses(images: Path, out: Path) -> None:
    """Run pycolmap's own way, features to model, with what it does by default."""
    import pycolmap

    (out / "sparse").mkdir(parents=True)
    database = out / "database.db"
    pycolmap.extract_features(database, images, camera_mode=pycolmap.CameraMode.SINGLE)
    pycolmap.match_exhaustive(database)
    found = pycolmap.incremental_mapping(database, images, out / "sparse")
    if not found:
        raise SystemExit("pycolmap found no model.")
    largest = max(found, key=lambda index: found[index].num_reg_images())
    total = sum(1 for path in images.iterdir() if path.is_file())
    print(f"{found[largest].num_reg_images()} of {total} pictures registered, in sparse/{largest}")


def splats(file: Path, orbit: Path, widen: bool, colmap: Path | None, dataparser: Path | None) -> dict:
    """Return what the splats look like from the test cameras."""
    loaded = SPLAT_READERS[file.suffix.lower()](file, None)
    content, facts = loaded.splats, {}
    if dataparser is not None:
        content = splats_from(content, load_world(dataparser))
    if colmap is not None:
        content, facts = _laid_on(content, colmap, orbit)
    test = load_views(orbit / "transforms_test.json")
    if widen:
        content = widened(content, test.cameras)
    drawn_as = {"antialiased": loaded.antialiased, "primitive": loaded.primitive}
    rgb, alpha = drawn_on_white(content, test.cameras, drawn_as)
    truth = composited(test)
    facts |= {"num_splats": len(content), "bytes": file.stat().st_size}
    facts |= {"psnr": psnr(rgb, truth), "ssim": ssim(rgb, truth)}
    if test.alphas is not None:
        facts |= {"psnr_masked": psnr(rgb, truth, test.alphas), "iou": silhouette_iou(alpha, test.alphas)}
    return facts


def _laid_on(content: Splats, colmap: Path, orbit: Path) -> tuple[Splats, dict]:
    """Take splats of a COLMAP world to the orbit's, by the cameras of pictures that both name alike."""
    model, data = load_colmap(colmap), json.loads((orbit / "transforms_train.json").read_text())
    train = load_views(orbit / "transforms_train.json")
    names = [Path(frame["file_path"]).stem for frame in data["frames"]]
    index = torch.tensor([names.index(path.stem) for path in model.images])
    truth = train.cameras[index]
    matrix = umeyama(model.cameras.centers.double(), truth.centers.double())
    facts = {"registered": f"{len(index)} of {len(names)}", "auc_5": compare(model.cameras, truth).auc_5}
    return moved_splats(content, matrix.numpy()), facts


def mesh(file: Path, orbit: Path) -> dict:
    """Return how far a mesh lies from the true one after the best similarity, and how sound its triangles are."""
    found = MESH_READERS[file.suffix.lower()](file, None).mesh
    surface = surface_figures(found, true_mesh(orbit / "mesh.ply"))
    return {"num_faces": len(found.faces), **quality(found), **surface["aligned"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("poses", "splats", "mesh"):
        command = commands.add_parser(name)
        command.add_argument("source", type=Path)
        command.add_argument("target", type=Path)
        if name == "splats":
            command.add_argument("--widen", action="store_true", help="draw as 3DGS and gsplat, which add 0.3 px^2")
            command.add_argument("--colmap", type=Path, help="the project that the splats were trained on")
            command.add_argument("--dataparser", type=Path, help="nerfstudio's dataparser_transforms.json")
    options = parser.parse_args()
    if options.command == "poses":
        poses(options.source, options.target)
    elif options.command == "splats":
        found = splats(options.source, options.target, options.widen, options.colmap, options.dataparser)
        print(json.dumps(found, indent=1))
    else:
        print(json.dumps(mesh(options.source, options.target), indent=1, default=float))


if __name__ == "__main__":
    main()
