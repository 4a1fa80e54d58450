"""Whatever stands in a settings file, it is a config or one sentence: never a traceback of another kind, never code."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from generator.config import TrainConfig
from vid2three.config import MakeConfig, ReconstructConfig, load_config, overlay

ROOT = Path(__file__).parents[1]
PRESETS = [path.read_text("utf-8") for path in sorted((ROOT / "configs").glob("*.yaml"))]
CONFIGS = st.sampled_from([MakeConfig(), ReconstructConfig(), TrainConfig()])
QUICK = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=20)
WORDS = sorted({word for text in PRESETS for word in yaml.safe_load(text) or {}}) + ["generate", "fit", "seed", "vae"]
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inner),
    max_leaves=12,
)


def is_config_or_sentence(text: bytes, default: object, folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_bytes(text)
    made = said_or_made(lambda: load_config(default, file=file))
    assert made if isinstance(made, str) else type(made) is type(default)


def said_or_made(make: Callable[[], object]) -> object:
    """Return what is made, or the sentence of its refusal; any other error goes on."""
    try:
        return make()
    except ValueError as error:
        return str(error).strip()


@QUICK
@given(st.sampled_from(PRESETS), st.data(), CONFIGS)
def test_a_spoilt_preset_is_a_config_or_a_sentence(tmp_path, preset, data, default):
    text = bytearray(preset.encode())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(text) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                text[place] = data.draw(st.integers(0, 255))
            case 1:
                del text[place : place + data.draw(st.integers(1, 20))]
            case _:
                text[place:place] = data.draw(st.binary(min_size=1, max_size=6))
        if not text:
            break
    is_config_or_sentence(bytes(text), default, tmp_path)


@QUICK
@given(VALUES, CONFIGS)
def test_any_tree_of_values_is_a_config_or_a_sentence(tmp_path, tree, default):
    is_config_or_sentence(yaml.safe_dump(tree, allow_unicode=True).encode(), default, tmp_path)


@QUICK
@given(st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), VALUES, max_size=6), CONFIGS)
@example({"generate": {"steps": 10**400}}, MakeConfig())
@example({"fit": {"iterations": float("nan")}}, MakeConfig())
@example({"fit": []}, MakeConfig())
def test_settings_of_a_manifest_are_a_config_or_a_sentence(values, default):
    made = said_or_made(lambda: overlay(default, values))
    assert made if isinstance(made, str) else type(made) is type(default)


def test_a_settings_file_runs_no_code(tmp_path):
    mark = tmp_path / "mark"
    text = f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.PosixPath [{mark}]]"
    is_config_or_sentence(text.encode(), MakeConfig(), tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nfit: *b\n", "repeats a part"),
        ("fit: " + 5000 * "[" + 5000 * "]", "nested too deeply"),
        ("# " + 2**20 * "x", "bytes"),
    ],
    ids=["laughs", "deep", "large"],
)
def test_small_files_cannot_ask_for_much(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_config(MakeConfig(), file=file)
