"""A sentence in, an asset out, with the model that ships: every file, the same bytes twice, resumed, refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from generator.weights import card
from recon.mesh_render import vertex_colors
from vid2three.config import MakeConfig, load_config
from vid2three.formats.glb import load_mesh
from vid2three.mesh_facts import BOOKKEEPING, MESH_FACTS
from vid2three.pipeline import make
from vid2three.remake import remake
from vid2three.run import sha256

PROMPT = "a red mug with a blue handle"
DRAFT = load_config(MakeConfig(), "draft")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "mug"
    make(PROMPT, folder, DRAFT, seed=5)
    return folder


def test_a_sentence_becomes_a_closed_mesh_of_the_height_asked(made):
    scene = trimesh.load(made / "mesh.glb")
    (mesh,) = scene.geometry.values()
    mesh.merge_vertices(merge_tex=True, merge_norm=True)  # cut at the seams of the texture
    assert mesh.is_watertight
    assert mesh.bounds[1, 1] - mesh.bounds[0, 1] == pytest.approx(1.0, rel=1e-4)  # glTF: y is up
    assert mesh.bounds[0, 1] == pytest.approx(0.0, abs=1e-5)
    assert len(mesh.faces) <= DRAFT.mesh.num_faces


def test_red_and_blue_were_asked_and_are_there(made):
    mesh = load_mesh(made / "mesh.glb")
    colors = 255 * vertex_colors(mesh)[mesh.faces].mean(axis=1)
    strong = colors[np.ptp(colors, axis=1) > 40]
    assert len(strong) > 0.3 * len(colors)
    red, green, blue = np.bincount(strong.argmax(axis=1), minlength=3) / len(strong)
    assert red > 0.25
    assert blue > 0.05
    assert green < 0.1


def test_the_manifest_vouches_for_the_mesh(made):
    facts = json.loads((made / "asset.json").read_text())["files"]["mesh.glb"]
    assert set(facts) == {*MESH_FACTS, *BOOKKEEPING}  # all of them have words in report.html
    assert facts["is_watertight"] is True
    assert facts["num_degenerate_faces"] == 0
    assert facts["uv_overlap"] == 0
    assert facts["seam_contrast"] < 0.02
    assert 0 < facts["unseen_share"] < 0.6
    assert facts["texels_per_edge"] > 5
    assert facts["material"] == {"roughness": 0.9, "metallic": 0.0, "is_estimate": True}


def test_the_manifest_says_how_it_was_made(made):
    manifest = json.loads((made / "asset.json").read_text())
    assert manifest["prompt"] == PROMPT
    assert "The handle is blue." in manifest["caption"]
    assert manifest["weights"]["sha256"] == card("orbit-s")["sha256"]
    assert manifest["weights"]["licence"] == "Apache-2.0"
    assert manifest["timings"]["total"] > 0
    for name, facts in manifest["files"].items():
        assert sha256(made / name) == facts["sha256"], name


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_thing(made, tmp_path):
    remake(made, tmp_path / "again")
    for name in json.loads((made / "asset.json").read_text())["files"]:
        assert (made / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name
    make(PROMPT, tmp_path / "other", DRAFT, seed=6)
    assert (made / "splats.ply").read_bytes() != (tmp_path / "other" / "splats.ply").read_bytes()


def test_a_finished_run_is_not_made_again(made):
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*") if path.is_file() and path.suffix != ".json"}
    make(PROMPT, made, DRAFT, seed=5)
    assert {path: path.stat().st_mtime_ns for path in before} == before
