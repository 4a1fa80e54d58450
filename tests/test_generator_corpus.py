"""The packed corpus against GLBs written here, against the shared files, and the truth of its captions."""

import itertools
import json
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from generator.corpus import MAX_FACES, STEPS, Corpus, Model, caption, face_normals, pack
from generator.corpus_glb import Soup, read_glb
from generator.grammar import COLORS, SUBJECT_RADIUS
from generator.recolor import color_names, recolor, study
from generator.words import article

# A tetrahedron: a small one, so that numbers can be worked out by hand.
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def glb(colors: np.ndarray, alpha_mode: str = "OPAQUE") -> bytes:
    """A tetrahedron of quantised positions and linear colours uint8 [4,4], as the shared files write it."""
    positions = np.zeros((4, 4), np.int16)
    positions[:, :3] = np.round(CORNERS * 32767)
    parts = [positions.tobytes(), colors.astype(np.uint8).tobytes(), FACES.astype(np.uint16).tobytes()]
    offsets = np.cumsum([0, *map(len, parts)])
    views = [{"buffer": 0, "byteOffset": int(o), "byteLength": len(p)} for o, p in zip(offsets, parts)]
    views[0]["byteStride"] = 8
    document = {
        "nodes": [{"mesh": 0, "scale": [1 / 32767] * 3}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}, "indices": 2, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {}, "alphaMode": alpha_mode}],
        "accessors": [
            {"bufferView": 0, "componentType": 5122, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5121, "count": 4, "type": "VEC4", "normalized": True},
            {"bufferView": 2, "componentType": 5123, "count": 12, "type": "SCALAR"},
        ],
        "bufferViews": views,
    }
    text, blob = json.dumps(document).encode(), b"".join(parts)
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(blob))
    return header + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(blob), b"BIN\0") + blob


def model(number: int, held_out: bool = False, **changes) -> Model:
    words = {"kind": "prop", "pack": "pack", "noun": "mug", "short": "red mug", "long": "a red mug with a white handle"}
    return Model(id=f"m{number}", held_out=held_out, **(words | changes))


def soup(color=(200, 20, 20), second=(235, 235, 235)) -> Soup:
    colors = np.broadcast_to(np.array([color, color, color, second], np.uint8)[:, None], (4, 3, 3))
    return Soup((CORNERS - 0.25)[FACES], None, colors.copy())


def test_a_glb_gives_its_corners_and_its_colours_as_srgb():
    colors = np.array([[255, 0, 55, 255], [0, 255, 0, 255], [0, 0, 255, 255], [10, 10, 10, 255]])
    read = read_glb(glb(colors))
    assert np.abs(read.positions - CORNERS[FACES]).max() < 1e-4
    assert read.normals is None
    assert read.colors[0, 0].tolist() == [255, 0, 128]  # 55 of 255 in linear light
    assert read_glb(glb(colors, "BLEND")) is None


def test_draws_stay_in_the_unit_sphere_and_never_leave_their_side():
    corpus = Corpus([model(i, held_out=i % 3 == 0) for i in range(9)], [soup() for _ in range(9)])
    rng = np.random.default_rng(0)
    for held_out in (False, True):
        for _ in range(40):
            drawn = corpus.draw(rng, held_out)
            assert drawn.model.held_out == held_out
            assert np.linalg.norm(drawn.positions, axis=-1).max() == pytest.approx(SUBJECT_RADIUS, abs=1e-5)
            outward = face_normals(drawn.positions)  # a mirrored model is turned outside again
            assert (
                np.einsum("ti,ti->t", outward, drawn.positions.mean(axis=1) - drawn.positions.mean((0, 1))) > 0
            ).all()
            assert np.abs(drawn.normals / 127.0 - outward[:, None]).max() < 0.01


def test_a_seed_gives_a_draw():
    corpus = Corpus([model(i) for i in range(5)], [soup() for _ in range(5)])
    first, second = (corpus.draw(np.random.default_rng(7)) for _ in range(2))
    assert first.captions == second.captions
    assert np.array_equal(first.positions, second.positions)
    assert np.array_equal(first.colors, second.colors)


def test_pieces_count_a_quarter_and_variants_as_their_root():
    models = [model(0), *(model(i, noun="tree") for i in range(1, 5)), model(5, noun="floor tile", kind="tile")]
    corpus = Corpus(models, [soup() for _ in models])
    drawn = [corpus.draw(np.random.default_rng(i), num_captions=1).model.noun for i in range(1500)]
    shares = [drawn.count(noun) / len(drawn) for noun in ("mug", "tree", "floor tile")]
    assert np.allclose(shares, np.array([1, 2, 0.25]) / 3.25, atol=0.04)


def test_a_new_colour_has_the_name_that_the_captions_say():
    for name in COLORS:
        assert color_names(np.array([COLORS[name]])).tolist() == [name]
    body, rng = soup(), np.random.default_rng(0)
    paint = study(body.positions, body.colors, "mug", "red mug", "a red mug with a white handle")
    assert paint.words == ["red", "white"]
    for _ in range(60):
        colors, short, long = recolor(paint, "red mug", "a red mug with a white handle", rng)
        first, second = color_names(colors[[0, 3], 0] / 255.0)
        assert long == f"{article(f'{first} mug')} with {article(f'{second} handle')}"
        assert short == f"{first} mug"


@pytest.mark.parametrize(
    ("noun", "short", "long"),
    [
        ("red panda", "red panda", "a red panda"),  # part of the name
        ("mug", "red-brown mug", "a red-brown mug"),
        ("mug", "red mug", "a red mug with dark red rim"),  # two reds
        ("mug", "red mug", "a red mug with orange rim"),  # two words for one range
        ("house", "brick house", "a red brick house"),
        ("mug", "blue mug", "a blue mug"),  # not what it shows
    ],
)
def test_words_that_are_no_clear_pair_with_a_colour_stay(noun, short, long):
    body = soup()
    assert study(body.positions, body.colors, noun, short, long) is None


def test_captions_take_the_right_article():
    rng = np.random.default_rng(0)
    said = {caption("axe", "orange axe", "an orange axe with two blades", rng) for _ in range(300)}
    assert {"orange axe", "an orange axe", "an axe", "an orange axe with two blades", "A 3D model of an axe"} <= said
    assert "a low poly orange axe" in said
    said = {caption("bundle of arrows", "bundle of arrows", "a bundle of arrows", rng) for _ in range(300)}
    assert "a bundle of arrows" in said
    said = {caption("grapes", "green grapes", "green grapes on a stem", rng) for _ in range(300)}
    assert not any("a green grapes" in text for text in said)


@pytest.fixture(scope="module")
def few(shared_data, tmp_path_factory) -> tuple[Path, list[dict]]:
    """A folder like the shared one, of sixty of its models, and what it says of them."""
    folder, source = tmp_path_factory.mktemp("cc0"), shared_data / "cc0"
    if not source.is_dir():
        pytest.skip("no ../shared/data/cc0 beside the checkout")
    with tarfile.open(source / "models.tar.xz") as archive, tarfile.open(folder / "models.tar.xz", "w") as copy:
        for member in itertools.islice((member for member in archive if member.isfile()), 60):
            copy.addfile(member, archive.extractfile(member))
    (folder / "models.jsonl").write_text((source / "models.jsonl").read_text())
    return folder, [json.loads(line) for line in (source / "models.jsonl").read_text().splitlines()]


def test_packed_models_are_the_shared_ones(few, tmp_path):
    folder, items = few
    count = pack(folder, tmp_path / "corpus.npz")
    corpus = Corpus.load(tmp_path / "corpus.npz")
    assert 40 < count == len(corpus.models)
    known = {item["id"]: item for item in items}
    rng, kept = np.random.default_rng(0), []
    for index, packed in enumerate(corpus.models):
        item, drawn = known[packed.id], corpus.subject(index, None, rng)
        assert (packed.short, packed.held_out) == (item["short"], item["held_out"])
        assert len(drawn.positions) <= MAX_FACES
        if not item["textured"]:
            kept.append(len(drawn.positions) / item["n_faces"])
        assert np.linalg.norm(drawn.positions, axis=-1).max() == pytest.approx(SUBJECT_RADIUS, abs=2 / STEPS)
        across = np.einsum("tci,ti->tc", drawn.normals / 127.0, face_normals(drawn.positions))
        assert np.mean(np.abs(across) > 0.3) > 0.9  # normals belong to their triangles
    assert np.median(kept) > 0.98  # all but triangles without area, and those that an earlier one covers
    assert max(kept) <= 1
