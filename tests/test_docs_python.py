"""The examples of docs/python.md do what they say: all of them run, in order, in one folder."""

import re

import pytest
import trimesh

import vid2three


@pytest.mark.slow
def test_every_example_runs(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```", (root / "docs/python.md").read_text("utf-8"), re.M | re.S)
    assert len(examples) == 6
    printed = []
    for number, example in enumerate(examples):
        exec(compile(example, f"docs/python.md, example {number + 1}", "exec"), {})
        printed.append(capsys.readouterr().out)
    assert "mesh.glb" in printed[0]
    assert "The handle is green. mug" in printed[1]
    assert (tmp_path / "from-video" / "splats.ply").is_file()
    assert int(printed[3]) <= 2000
    low, high = trimesh.load(tmp_path / "mug.obj", force="mesh").bounds
    assert (high - low)[1] == pytest.approx(0.12, rel=1e-3)  # an .obj is y up
    assert (tmp_path / "mug-splats.glb").is_file()
    assert len(vid2three.load_run(tmp_path / "chest-2").manifest["files"]) > 20
    assert "chest-" in printed[5]
