"""Lists for `batch`: what rows mean, and every mistake told with its line before anything runs."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vid2three.batches.jobs import Defaults, Job, jobs_of
from vid2three.batches.table import Mistakes, load_rows
from vid2three.config import MakeConfig, ReconstructConfig, VideoMakeConfig
from vid2three.flags import SHORT, SHORT_OF_VIDEO_MODEL, long_name, with_flags
from vid2three.stages import slug


def jobs(path: Path, **defaults) -> list[Job]:
    rows, name = load_rows(path)
    return jobs_of(rows, name, path.parent, Defaults(**defaults), slug)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_text_file_is_a_prompt_a_line(tmp_path):
    found = jobs(write(tmp_path, "a.txt", "\ufeff# ours\na red mug\n\n  a chair, wooden \na red mug\n"))
    assert [(job.name, job.what, job.place) for job in found] == [
        ("a-red-mug", "a red mug", "Line 2"),
        ("a-chair-wooden", "a chair, wooden", "Line 4"),
        ("a-red-mug-2", "a red mug", "Line 5"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_an_asset_a_row_whatever_stands_between_its_cells(tmp_path, delimiter):
    lines = [
        ["prompt", "input", "name", "seed", "preset", "elevation", "mesh.num-faces", "export"],
        ['"a ""red"" mug"', "", "cup", "7", "draft", "20", "1234", "mesh.obj splats.spz"],
        ["", "clips/turn.mp4", "", "", "", "", "", ""],
    ]
    path = write(tmp_path, "a.csv", "\r\n".join(delimiter.join(line) for line in lines) + "\r\n")
    cup, turn = jobs(path)
    assert (cup.name, cup.what, cup.seed, cup.preset, cup.command) == ("cup", 'a "red" mug', 7, "draft", "make")
    assert cup.config.generate.elevation_deg == 20.0
    assert cup.config.generate.steps == 8  # of the preset
    assert cup.config.mesh.num_faces == 1234  # which wins over it
    assert cup.config.export.files == ("mesh.obj", "splats.spz")
    assert (turn.name, turn.what, turn.command) == ("turn", str(tmp_path / "clips/turn.mp4"), "reconstruct")


def test_a_quoted_cell_may_go_over_lines_and_later_places_still_fit(tmp_path):
    path = write(tmp_path, "a.csv", 'prompt,name\n"a red\nmug",one\na chair,two\n')
    assert [(job.what, job.place) for job in jobs(path)] == [("a red\nmug", "Line 2"), ("a chair", "Line 4")]


def test_json_rows_take_sections_and_lists(tmp_path):
    rows = [
        {"prompt": "a mug", "seeds": [0, 5], "mesh": {"num_faces": 900}, "fit.iterations": 77},
        {"prompt": "a mug", "name": "n", "seeds": 2, "image": "p/robot.png"},
    ]
    found = jobs(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))))
    assert [(job.name, job.seed) for job in found] == [("a-mug", 0), ("a-mug-seed-5", 5), ("n", 0), ("n-seed-1", 1)]
    assert found[0].config.mesh.num_faces == 900
    assert found[0].config.fit.iterations == 77
    assert found[2].config.generate.image == str(tmp_path / "p/robot.png")


@pytest.mark.parametrize(("cell", "seeds"), [("3", [0, 1, 2]), ("4 2", [4, 2]), ("[7]", [7]), ("5;6", [5, 6])])
def test_seeds_are_a_count_or_a_list(tmp_path, cell, seeds):
    assert [job.seed for job in jobs(write(tmp_path, "a.csv", f'prompt,seeds\na mug,"{cell}"\n'))] == seeds


def test_what_a_row_leaves_out_is_the_commands(tmp_path):
    own = write(tmp_path, "own.yaml", "fit: {iterations: 55}\n")
    found = jobs(write(tmp_path, "a.txt", "a mug"), preset="draft", config=own, seeds=2)
    assert [job.seed for job in found] == [0, 1]
    assert {(job.config.fit.iterations, job.config.generate.steps) for job in found} == {(55, 8)}


def test_every_mistake_is_told_with_its_line(tmp_path):
    lines = [
        "prompt,input,name,seed,seeds,preset,mesh.num-faces,mesh.nun-faces,masks",
        "a mug,,,x,,,,,",
        "a mug,,,,,drafty,,,",
        "a mug,,../up,,,,,,",
        "a mug,a.mp4,,,,,,,",
        "a mug,,,1,2,,,,",
        "a mug,,,,,,many,,",
        "a mug,,,,,,,10,",
        "a mug,,,,,,,,here",
        "a mug,,cup,,,,,,",
        "a mug,,CUP,,,,,,",
        "a mug,,con,,,,,,",
        "a mug,,,,0,,,,",
    ]
    with pytest.raises(Mistakes) as found:
        jobs(write(tmp_path, "a.csv", "\n".join(lines)))
    told = found.value.lines
    places = [line.partition(":")[0] for line in told]
    assert places == [f"Line {n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13)]
    words = ["'seed'", "no preset 'drafty'; did you mean 'draft'?", "'../up' cannot", "either a prompt or an input"]
    words += ["either a seed or seeds", "mesh.num_faces", "did you mean 'mesh.num-faces'?", "'masks' goes with"]
    words += ["taken by line 10", "'con' cannot", "'seeds' must"]
    for line, word in zip(told, words, strict=True):
        assert word in line
        assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.xlsx", b"", "must end in"),
        ("a.csv", b"prompt\n\xff\n", "not UTF-8"),
        ("a.csv", b"prompt,prompt\na,b\n", "stands twice"),
        ("a.csv", b"prompt,name\na,b,c\n", "Line 2: 3 cells, but 2 columns"),
        ("a.csv", b'prompt\n"a\n', "line 2: unexpected end"),
        ("a.jsonl", b'{"prompt": "a"}\n[1]\n{', "Line 2: a row is an object"),
        ("a.txt", b"# nothing\n", "nothing to make"),
    ],
)
def test_a_list_that_cannot_be_read_says_where(tmp_path, name, data, told):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=told):
        load_rows(tmp_path / name)


def test_a_list_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(17 * 2**20)
    with pytest.raises(ValueError, match="17825792 bytes"):
        load_rows(path)


NESTED = st.dictionaries(st.text(max_size=4), st.integers(), max_size=2)
CELLS = st.one_of(st.text(max_size=20), st.integers(), st.none(), st.lists(st.integers(), max_size=3), NESTED)
KEYS = st.one_of(st.text(max_size=8), st.sampled_from(["prompt", "input", "name", "seeds", "seed", "mesh", "faces"]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(KEYS, CELLS, max_size=4), max_size=4))
def test_whatever_rows_hold_the_answer_is_jobs_or_a_sentence(rows):
    try:
        found = jobs_of(*load_rows(rows), Path("."), Defaults(), slug)
    except ValueError:
        pass
    else:
        names = [job.name.casefold() for job in found]
        assert len(set(names)) == len(names)
        assert not any("/" in name or "\\" in name or name.startswith(".") for name in names)


@pytest.mark.parametrize(
    ("short", "walks"),
    [(SHORT, (MakeConfig, ReconstructConfig)), (SHORT_OF_VIDEO_MODEL, (MakeConfig, VideoMakeConfig))],
)
def test_short_flags_lead_to_settings_that_are_there(short, walks):
    for name in short:
        section, key = long_name(name.removeprefix("--"), short).replace("-", "_").split(".")
        assert any(hasattr(getattr(walk(), section, None), key) for walk in walks), name


def test_rows_may_name_a_video_model_of_the_users(tmp_path):
    (tmp_path / "models" / "wan").mkdir(parents=True)
    rows = [
        {"prompt": "a mug", "generator": "wan", "model": "models/wan", "image": "mug.png", "generator.steps": 7},
        {"prompt": "a mug", "generator": "auto", "model": "owner/on-the-hub", "force": True, "input.num-frames": 24},
        {"prompt": "a mug", "generator": "embedded", "image": "mug.png"},
        {"prompt": "a mug"},
    ]
    by_wan, by_hub, embedded, usual = jobs(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))))
    wanted = by_wan.config.generator
    assert (by_wan.command, wanted.family, wanted.steps) == ("make", "wan", 7)
    assert (wanted.model, wanted.image) == (str(tmp_path / "models/wan"), str(tmp_path / "mug.png"))
    assert (by_hub.config.generator.model, by_hub.config.input.num_frames) == ("owner/on-the-hub", 24)
    assert by_hub.extra == {"force": True}
    assert embedded.config.generate.image == str(tmp_path / "mug.png")
    assert usual.config == MakeConfig() == jobs(write(tmp_path, "b.txt", "a mug"), preset=None)[0].config
    assert isinstance(jobs(write(tmp_path, "b.txt", "a mug"), generator="ltx")[0].config, VideoMakeConfig)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "a mug", "generator": "vam"}, "There is no generator 'vam'; there are: embedded, auto, wan"),
        ({"input": "a.mp4", "generator": "wan"}, "'generator' goes with a prompt"),
        ({"prompt": "a mug", "generator": "wan", "elevation": 20}, "'elevation' is no column or setting of make."),
        ({"input": "a.mp4", "image": "mug.png"}, "'image' is no column or setting of reconstruct."),
        (
            {"prompt": "a mug", "lora": "a.safetensors"},
            "'lora' is no column or setting of make: it goes with a video model",
        ),
        ({"prompt": "a mug", "generator": "wan", "masks": "m"}, "'masks' goes with an input"),
        ({"prompt": "a mug", "force": True}, "'force' goes with cameras that are estimated"),
    ],
)
def test_what_does_not_go_with_a_generator_is_told(tmp_path, row, said):
    with pytest.raises(Mistakes, match=re.escape(said)):
        jobs(write(tmp_path, "a.jsonl", json.dumps(row)))


def test_text_is_read_as_what_the_setting_holds():
    found = with_flags(
        MakeConfig(),
        {"faces": "3", "height-m": "none", "generate.negative-prompt": "12", "fit.antialiased": "no", "pivot": "base"},
    )
    assert found.mesh.num_faces == 3
    assert found.export.height_m is None
    assert found.generate.negative_prompt == "12"
    assert found.fit.antialiased is False
    assert found.export.pivot == "base"
    with pytest.raises(ValueError, match=r"mesh\.num_faces' must be a whole number"):
        with_flags(MakeConfig(), {"faces": "1.5"})
