"""The examples of docs/serve.md do what they say; with tiny settings, so that they take seconds."""

import json
import re
import shutil
import subprocess

import pytest
import trimesh

from batch_parts import TINY
from test_docs_batch import blocks


@pytest.mark.slow
def test_the_examples_of_the_server_fetch_a_mesh(root, tmp_path, monkeypatch, capsys):
    from test_vid2three_server import start

    if not shutil.which("curl"):
        pytest.skip("no curl")
    monkeypatch.chdir(tmp_path)
    process, address = start(tmp_path / "work")

    def here(example: str) -> str:
        tiny = json.dumps(TINY)
        example = re.sub(r'"settings": \{.*?\}\}', f'"settings": {tiny}', example)
        if '"settings"' not in example:
            example = example.replace('"preset": "draft"', f'"preset": "draft", "settings": json.loads({tiny!r})')
        return example.replace("http://127.0.0.1:8321", address)

    page = root / "docs/serve.md"
    try:
        with_curl = next(block for block in blocks(page, "sh") if "ID=$(curl" in block)
        subprocess.run(["sh", "-ec", here(with_curl)], check=True, timeout=600)
        (from_python,) = blocks(page, "python")
        exec(here(from_python), {})
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert capsys.readouterr().out.startswith("done ")
    for name in ("mug.glb", "chest.glb"):
        assert len(trimesh.load(tmp_path / name, force="mesh").faces) > 50
