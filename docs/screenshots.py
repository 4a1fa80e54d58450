"""Make the pictures of docs/quickstart.md from a run folder: its contact sheet, and viewer and report in Chromium.

python docs/screenshots.py runs/mug

Needs a Chromium on the PATH and Playwright (the extra `dev`).
"""

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

WIDTH = 1200
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("pictures"))
    args = parser.parse_args()
    args.output.mkdir(exist_ok=True)
    with Image.open(args.run / "preview.png") as sheet:
        save(sheet, args.output / "first-asset.jpg")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1100, "height": 720})
        page.goto((args.run / "viewer.html").resolve().as_uri())
        page.wait_for_selector("html[data-ready-ms]", state="attached", timeout=120_000)
        page.wait_for_timeout(1000)
        save(shot(page), args.output / "viewer.jpg")
        page.set_viewport_size({"width": 1000, "height": 820})
        page.goto((args.run / "report.html").resolve().as_uri())
        page.wait_for_timeout(1000)
        save(shot(page), args.output / "report.jpg")
        browser.close()


def chromium() -> str:
    """Return the system's Chromium. Raises SystemExit where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise SystemExit("There is no Chromium on the PATH; install one.")


def shot(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot()))


def save(picture: Image.Image, path: Path) -> None:
    picture = picture.convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS)
    picture.save(path, quality=84, optimize=True, progressive=True)
    print(path, picture.size, f"{path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
