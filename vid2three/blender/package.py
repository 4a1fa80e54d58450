"""The extension as the zip that Blender installs: its sources and a manifest, the same bytes every time."""

from __future__ import annotations

import zipfile
from pathlib import Path

from vid2three import __version__
from vid2three.run import whole_file

SOURCES = Path(__file__).parent / "extension"
MANIFEST = f"""schema_version = "1.0.0"

id = "vid2three"
version = "{__version__}"
name = "vid2three"
tagline = "A prompt, a picture or a video becomes a 3D asset in the scene"
maintainer = "The authors of vid2three"
type = "add-on"
tags = ["Import-Export", "3D View", "Mesh", "Camera"]
blender_version_min = "4.2.0"
license = ["SPDX:Apache-2.0"]

[permissions]
files = "Run the vid2three program and read the assets it makes"
"""
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold


def default_name() -> str:
    """Return what the zip is called unless the user says otherwise."""
    return f"vid2three-blender-{__version__}.zip"


def save_zip(path: Path) -> Path:
    """Write the extension as a zip and return its path. Raises ValueError or FileNotFoundError with the cure."""
    if path.is_dir():
        path = path / default_name()
    if path.suffix.lower() != ".zip":
        raise ValueError(f"Blender installs a .zip, not '{path.name}'; give --zip a name that ends in .zip.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}; make it first.")
    files = {"blender_manifest.toml": MANIFEST.encode()}
    files |= {source.name: source.read_bytes().replace(b"\r\n", b"\n") for source in sorted(SOURCES.glob("*.py"))}
    with whole_file(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:  # zlibs differ
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, data)
    return path
