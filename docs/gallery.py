"""Make docs/preview.png: run folders of `vid2three make` side by side, each mesh as Blender renders it.

python docs/gallery.py --blender PYTHON_WITH_BPY -o docs/preview.png RUN [RUN ...]
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS, SIZE, FRAME, GAP, MARGIN = 3, 400, 92, 12, 40
PAGE, TILE, INK = (244, 244, 241), (255, 255, 255), (28, 28, 30)
NUM_FRAMES = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blender", required=True)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("preview.png"))
    parser.add_argument("runs", nargs="+", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pictures = [Path(folder) / f"{index}.png" for index in range(len(args.runs))]
        pairs = [str(p) for run, picture in zip(args.runs, pictures, strict=True) for p in (run / "mesh.glb", picture)]
        script = Path(__file__).with_name("gallery_blender.py")
        subprocess.run([args.blender, str(script), str(SIZE), *pairs], check=True, stdout=subprocess.DEVNULL)
        cells = [cell(run, picture) for run, picture in zip(args.runs, pictures, strict=True)]
    rows = -(-len(cells) // COLUMNS)
    width, height = cells[0].size
    page = Image.new(
        "RGB", (2 * MARGIN + COLUMNS * (width + GAP) - GAP, 2 * MARGIN + rows * (height + GAP) - GAP), PAGE
    )
    for index, picture in enumerate(cells):
        left, top = MARGIN + index % COLUMNS * (width + GAP), MARGIN + index // COLUMNS * (height + GAP)
        page.paste(picture, (left, top))
    page.save(args.output, optimize=True)


def cell(run: Path, render: Path) -> Image.Image:
    """The prompt, the mesh, and four frames of the clip that it comes from."""
    prompt = json.loads((run / "asset.json").read_text())["prompt"]
    tile = Image.new("RGB", (SIZE, SIZE + FRAME + 60), TILE)
    mesh = Image.open(render).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    tile.paste(mesh, (0, 44), mesh)
    frames = sorted((run / "views").glob("*.png"))
    for column, index in enumerate(np.linspace(0, len(frames), NUM_FRAMES, endpoint=False).astype(int)):
        frame = Image.open(frames[index]).resize((FRAME, FRAME), Image.Resampling.BICUBIC)
        tile.paste(frame, (8 + column * (FRAME + (SIZE - 16 - NUM_FRAMES * FRAME) // 3), SIZE + 52), frame)
    pen = ImageDraw.Draw(tile)
    pen.text((SIZE / 2, 30), f"“{prompt}”", INK, ImageFont.load_default(20), anchor="mm")
    return tile


if __name__ == "__main__":
    main()
