"""A language model that rewrites prompts: tiny Llamas with tokenizers made here, loaded from a folder and run."""

import json

import pytest
import torch

import pipeline_parts
from generator.caption import expand
from generator.captioner import SHOTS, Captioner, _cleaned, _system, find_captioner, settle, write
from generator.config import GenerateConfig
from generator.model_folder import ModelFolder

SAID = "a glossy red mug with blue handle"
NOBODY = Captioner(ModelFolder(folder=None, name="tiny"), "mit", "0")  # type: ignore[arg-type]


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("style", ["orbit", "film"])
def test_what_a_model_writes_comes_back(tmp_path, chat, style):
    captioner = find_captioner(str(pipeline_parts.save_captioner(tmp_path / "tiny", SAID, chat=chat)))
    assert captioner.facts == {"name": "tiny", "licence": "mit", "fingerprint": captioner.fingerprint}
    assert write(captioner, "a red mug", style) == SAID
    settled = settle(captioner, "a red mug", SAID, style)
    assert (settled.words, settled.is_used) == (SAID, True)
    assert "The captioner tiny says it as 'a glossy red mug" in settled.note


def test_a_random_model_writes_what_its_seed_says_and_is_not_listened_to(tmp_path):
    captioner = find_captioner(str(pipeline_parts.save_captioner(tmp_path / "noise", None)))
    before = torch.random.get_rng_state()
    first, again, other = (write(captioner, "a pirate ship", "film", temperature=1.0, seed=k) for k in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert first == again != other
    assert write(captioner, "a pirate ship", "film") == write(captioner, "a pirate ship", "film", seed=9)
    assert 0 < len(first.split()) <= 80
    settled = settle(captioner, "a pirate ship", first, "film")
    assert (settled.words, settled.is_used) == ("a pirate ship", False)
    assert settled.note.endswith(": the prompt is taken as it was.")


@pytest.mark.parametrize(
    ("prompt", "written", "style", "trouble"),
    [
        ("a red mug", "", "film", "wrote nothing"),
        ("a red mug", "!!! 12 --", "film", "wrote nothing"),
        ("a red mug", "mug mug red mug red mug red mug mug red", "film", "only stammered"),
        ("a red mug", "I cannot help with that request.", "film", "left out red, mug"),
        ("a red mug", "a red dragon", "orbit", "named 'dragon', which the model does not know"),
        ("a red mug", "red", "orbit", "named no thing"),
        ("a red mug", "a red teapot", "orbit", "made a teapot of it"),
        ("a red mug", "a mug with a blue handle", "orbit", "left out red"),
        ("a metallic mug with polka dots", "a mug with polka dots", "orbit", "left out metallic"),
    ],
)
def test_useless_words_leave_the_prompt_as_it_was(prompt, written, style, trouble):
    settled = settle(NOBODY, prompt, written, style)
    assert (settled.words, settled.is_used) == (prompt, False)
    assert settled.note == f"The captioner tiny {trouble}: the prompt is taken as it was."


@pytest.mark.parametrize(
    ("prompt", "written", "style"),
    [
        ("a red mug", "A red ceramic mug with a thick curved handle.", "film"),
        ("two pirate ships", "A pair of wooden ships such as pirates had, two masts each.", "film"),
        ("a crimson mug", "a glossy red mug with a white handle", "orbit"),
        ("something to boil water in", "a white teapot with blue polka dots", "orbit"),
    ],
)
def test_words_that_keep_what_was_asked_are_taken(prompt, written, style):
    assert settle(NOBODY, prompt, written, style).words == written


def test_the_examples_are_what_the_task_asks_for():
    for asked, answer in SHOTS["orbit"]:
        assert expand(answer).attributes is not None, answer
        assert settle(NOBODY, asked, answer, "orbit").is_used or expand(asked).attributes is None
    for asked, answer in SHOTS["film"]:
        assert settle(NOBODY, asked, answer, "film").is_used, answer
    for word in ("lighthouse", "teal", "metallic", "zigzags"):
        assert word in _system("orbit")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n\n  **Description:** a red mug\nAnd more.", "a red mug"),
        ("<think>The user\nwants a mug</think>\n\"A red mug.\"", "A red mug."),
        ("<think>never ends", ""),
        ("- a red\x1b[31m mug\x00", "a red[31m mug"),
        (" ".join(["One two."] * 9), "One two. One two. One two. One two. One two."),
        ("word " * 50, " ".join(["word"] * 10)),
    ],
)  # fmt: skip
def test_a_line_is_taken_out_of_what_was_written(text, line):
    assert _cleaned(text, 10) == line


def test_a_small_model_gets_what_it_can_hold(tmp_path):
    folder = pipeline_parts.save_captioner(tmp_path / "tiny", SAID)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "max_position_embeddings": 200}))
    assert write(find_captioner(str(folder)), "a red mug " * 200, "orbit") == SAID


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"holds no config\.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no weights: the model is there in part"),
        (lambda folder: (folder / "config.json").write_text('{"architectures": ["BertModel"]}'), "no language model"),
        (lambda folder: (folder / "config.json").write_text('{"architectures": [3]}'), "no language model"),
        (lambda folder: [path.unlink() for path in folder.glob("tokenizer*")], "holds no tokenizer"),
    ],
)
def test_a_folder_that_is_no_language_model_is_refused_unloaded(tmp_path, spoil, complaint):
    folder = pipeline_parts.save_captioner(tmp_path / "tiny", SAID)
    spoil(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=complaint):
        find_captioner(str(folder))


def test_weights_that_break_off_are_refused_by_one_sentence(tmp_path):
    folder = pipeline_parts.save_captioner(tmp_path / "tiny", SAID)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"^The captioner tiny cannot be loaded \(.*\); take another\.$"):
        write(find_captioner(str(folder)), "a red mug", "film")


def test_code_of_a_models_own_is_not_run(tmp_path):
    folder = pipeline_parts.save_captioner(tmp_path / "tiny", SAID)
    settings = json.loads((folder / "config.json").read_text())
    own = {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps({**settings, **own}))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ValueError, match="cannot be loaded"):
        write(find_captioner(str(folder)), "a red mug", "film")
    assert not (tmp_path / "ran").exists()


def test_the_run_keeps_both_and_says_who_wrote(tmp_path):
    from vid2three.pipeline import generate
    from vid2three.run import load_run

    folder = pipeline_parts.save_captioner(tmp_path / "tiny", SAID)
    config = GenerateConfig(steps=2, num_frames=4, height=32, width=32, retry_below=0.0, captioner=str(folder))
    events = []
    for _ in range(2):
        made = generate("a red mug", tmp_path / "run", config, progress=lambda *event: events.append(event))
    manifest = load_run(made.folder).manifest
    assert manifest["prompt"] == "a red mug"
    assert manifest["caption"] == expand(SAID).text != expand("a red mug").text
    assert manifest["captioner"]["words"] == manifest["captioner"]["written"] == SAID
    assert (manifest["captioner"]["name"], manifest["captioner"]["licence"]) == ("tiny", "mit")
    assert [stage for stage, _, _, facts in events if "seconds" in facts] == ["caption", "generate", "show"]
    assert "The captioner tiny says it as" in str(events)
    plain = generate("a red mug", tmp_path / "plain", GenerateConfig(**{**vars(config), "captioner": ""}))
    assert plain.manifest["caption"] == expand("a red mug").text
    assert "captioner" not in plain.manifest
    assert plain.manifest["files"]["orbit.mp4"]["sha256"] != manifest["files"]["orbit.mp4"]["sha256"]
