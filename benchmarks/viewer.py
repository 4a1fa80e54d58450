"""How large viewer.html is, and how long until headless Chromium shows splats and mesh, by the page's own clock.

python benchmarks/viewer.py RUN_FOLDER... [--repeats 5]
"""

import argparse
import shutil
import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZES = {"desktop": (1280, 800, 1), "phone": (390, 844, 2)}


def measure(folder: Path, repeats: int) -> None:
    file = folder.resolve() / "viewer.html"
    print(f"{folder.name}: {file.stat().st_size / 1e6:.2f} MB")
    for name, (width, height, ratio) in SIZES.items():
        times = []
        for _ in range(repeats):
            with sync_playwright() as driver:  # a new browser each time: nothing is warm
                browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
                page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=ratio)
                page.goto(file.as_uri())
                page.wait_for_selector("html[data-ready-ms]", state="attached", timeout=60_000)
                data = page.evaluate("({...document.documentElement.dataset})")
                times.append((int(data["firstMs"]), int(data["readyMs"])))
                browser.close()
        first, ready = (statistics.median(column) for column in zip(*times, strict=True))
        print(
            f"  {name} {width} x {height}: splats after {first:.0f} ms, mesh after {ready:.0f} ms (median of {repeats})"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    for folder in arguments.folders:
        measure(folder, arguments.repeats)
