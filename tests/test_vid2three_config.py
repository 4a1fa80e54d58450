"""The strict loader of settings, and the presets that come with vid2three."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pytest

from generator.config import TrainConfig
from vid2three.config import MakeConfig, ReconstructConfig, load_config, overlay, preset_names, preset_path


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    kind: Literal["soft", "hard"] = "soft"


@dataclass(frozen=True)
class Outer:
    steps: int = 10
    is_fast: bool = False
    name: str = "a"
    sizes: tuple[int, int] = (1, 2)
    limit: float | None = None
    folder: Path = Path(".")
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("values", "path", "expected"),
    [
        ({"steps": 3}, "steps", 3),
        ({"is_fast": True}, "is_fast", True),
        ({"sizes": [4, 5]}, "sizes", (4, 5)),
        ({"limit": 2}, "limit", 2.0),
        ({"limit": None}, "limit", None),
        ({"folder": "x/y"}, "folder", Path("x/y")),
        ({"inner": {"rate": "1e-3"}}, "inner.rate", 0.001),
        ({"inner": {"rate": 2, "kind": "hard"}}, "inner.kind", "hard"),
    ],
)
def test_values_take_the_types_of_their_fields(values, path, expected):
    found = overlay(Outer(), values)
    for name in path.split("."):
        found = getattr(found, name)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"stepz": 3}, "Unknown key 'stepz'; did you mean 'steps'?"),
        ({"inner": {"raet": 3}}, "Unknown key 'inner.raet'; did you mean 'rate'?"),
        ({"steps": "many"}, "'steps' must be a whole number, not 'many'"),
        ({"steps": 2.5}, "'steps' must be a whole number, not 2.5"),
        ({"steps": True}, "'steps' must be a whole number, not True"),
        ({"is_fast": 1}, "'is_fast' must be true or false, not 1"),
        ({"name": 3}, "'name' must be text, not 3"),
        ({"sizes": [1, 2, 3]}, "'sizes' must be a list of 2 values"),
        ({"sizes": [1, "b"]}, "'sizes' must be a whole number, not 'b'"),
        ({"inner": 3}, "'inner' is a section of settings, not 3"),
        ({"inner": {"kind": "medium"}}, "'inner.kind' must be one of soft, hard, not 'medium'"),
        ({"inner": {"rate": "quick"}}, "'inner.rate' must be a number, not 'quick'"),
    ],
)
def test_each_wrong_value_has_its_sentence(values, words):
    with pytest.raises(ValueError) as caught:
        overlay(Outer(), values)
    assert words in str(caught.value)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_file_wins_over_preset_and_preset_over_default(tmp_path):
    file = write(tmp_path / "mine.yaml", "export: {turntable_frames: 7}")
    draft = load_config(MakeConfig(), "draft", file)
    assert draft.export.turntable_frames == 7
    assert draft.export.turntable_size == 256  # of the preset
    assert draft.export.height_m == 1.0  # of the default
    assert draft.generate.steps < MakeConfig().generate.steps


def test_a_section_of_another_command_is_checked_and_left_out(tmp_path):
    file = write(tmp_path / "mine.yaml", "generate: {steps: 5}\ninput: {background: keep}")
    assert load_config(ReconstructConfig(), None, file).input.background == "keep"
    assert load_config(MakeConfig(), None, file).generate.steps == 5
    with pytest.raises(ValueError, match=r"mine\.yaml: Unknown key 'generate\.stepz'"):
        load_config(ReconstructConfig(), None, write(file, "generate: {stepz: 5}"))


def test_a_key_outside_its_section_is_told_where_it_belongs(tmp_path):
    with pytest.raises(ValueError, match=r"Unknown key 'fov_deg'; did you mean 'generate\.fov_deg'\?"):
        load_config(MakeConfig(), None, write(tmp_path / "mine.yaml", "fov_deg: 5"))


@pytest.mark.parametrize("text", ["- a\n- b", "just text", "{unclosed"])
def test_a_file_without_sections_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"mine\.yaml"):
        load_config(MakeConfig(), None, write(tmp_path / "mine.yaml", text))


def test_unknown_preset_and_missing_file():
    with pytest.raises(ValueError, match=r"no preset 'standart'; did you mean 'standard'\? Presets: .*draft"):
        load_config(MakeConfig(), "standart")
    with pytest.raises(FileNotFoundError, match=r"no config file nowhere\.yaml"):
        load_config(MakeConfig(), None, Path("nowhere.yaml"))


PRESETS = [
    (name, default)
    for name in preset_names()
    for default in ([TrainConfig()] if name.startswith("train-") else [MakeConfig(), ReconstructConfig()])
]


@pytest.mark.parametrize(("name", "default"), PRESETS)
def test_every_preset_loads_and_holds_only_differences(name, default):
    import yaml

    loaded = asdict(load_config(default, name))
    before = asdict(default)
    own = {MakeConfig: "make", ReconstructConfig: "reconstruct"}.get(type(default))

    def same(values, ours, theirs):
        for key, value in values.items():
            if isinstance(value, dict) and key in ours:
                yield from same(value, ours[key], theirs[key])
            elif key in ours and ours[key] == theirs[key]:
                yield key

    written = yaml.safe_load(preset_path(name).read_text()) or {}
    unchanged = [*same(written, loaded, before), *same(written.get(own, {}), loaded, before)]
    assert isinstance(default, TrainConfig) or unchanged == []


def test_a_section_may_be_for_one_command_alone(tmp_path):
    own = "reconstruct: {mesh: {num_faces: 9}}\nmake: {fit: {iterations: 7}}"
    file = write(tmp_path / "mine.yaml", f"mesh: {{lods: 1}}\n{own}")
    made, found = load_config(MakeConfig(), None, file), load_config(ReconstructConfig(), None, file)
    assert (made.mesh.lods, made.mesh.num_faces, made.fit.iterations) == (1, MakeConfig().mesh.num_faces, 7)
    assert (found.mesh.lods, found.mesh.num_faces, found.fit.iterations) == (1, 9, ReconstructConfig().fit.iterations)
    with pytest.raises(ValueError, match=r"Unknown key 'make.mesh.faces'"):
        load_config(ReconstructConfig(), None, write(tmp_path / "bad.yaml", "make: {mesh: {faces: 9}}"))
