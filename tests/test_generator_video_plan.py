"""What is settled before a video model's weights are loaded: family, sizes, defaults; one sentence for what is off."""

import importlib.util
import json
import struct

import pytest
import torch

from generator.config import VideoModelConfig
from generator.families import FAMILIES, family_of
from generator.video_plan import caption_for, plan

PART = {"text_encoder": ["transformers", "UMT5EncoderModel"], "tokenizer": ["transformers", "T5TokenizerFast"]}


@pytest.fixture(autouse=True)
def all_packages(monkeypatch):
    """No plan imports any of them, so it is enough that they seem to be there."""
    real = importlib.util.find_spec
    pretended = ("diffusers", "ftfy", "cosmos_guardrail", "peft")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: True if name in pretended else real(name, *a))


def save(folder, pipeline, network=None, **more):
    """Write a folder that looks like a pipeline, with empty weights."""
    name = "unet" if "Stable" in pipeline else "transformer"
    parts = {name: ["diffusers", "Network"], "vae": ["diffusers", "Vae"], "scheduler": ["diffusers", "S"], **PART}
    index = {"_class_name": pipeline, "_diffusers_version": "0.42.0", **parts, "image_encoder": [None, None], **more}
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    for part in (name, "vae", "text_encoder"):
        (folder / part).mkdir()
        (folder / part / "config.json").write_text(json.dumps((network or {}) if part == name else {}))
        (folder / part / "model.safetensors").write_bytes(weights(1000))
    for part in ("tokenizer", "scheduler"):
        (folder / part).mkdir()
        (folder / part / f"{part}_config.json").write_text("{}")
    return folder


def weights(num):
    header = json.dumps({"w": {"dtype": "F32", "shape": [num], "data_offsets": [0, 4 * num]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4 * num)


def planned(folder, **changes):
    return plan(VideoModelConfig(model=str(folder), **changes))


@pytest.mark.parametrize(
    ("pipeline", "network", "more", "num_frames", "size", "fps"),
    [
        ("WanPipeline", {}, {}, 81, (480, 832), 16),
        ("WanPipeline", {}, {"expand_timesteps": True}, 121, (704, 1280), 24),
        ("CogVideoXPipeline", {"patch_size_t": 2}, {}, 81, (768, 1360), 16),
        ("CogVideoXPipeline", {"patch_size_t": None}, {}, 49, (480, 720), 8),
        ("LTXPipeline", {}, {}, 161, (512, 704), 24),
        ("LTXConditionPipeline", {}, {}, 161, (512, 704), 24),
        ("HunyuanVideoPipeline", {}, {}, 129, (544, 960), 24),
        ("MochiPipeline", {}, {}, 85, (480, 848), 30),
        ("CosmosTextToWorldPipeline", {}, {}, 121, (704, 1280), 30),
    ],
)
def test_a_family_makes_what_it_was_trained_for(tmp_path, pipeline, network, more, num_frames, size, fps):
    settled = planned(save(tmp_path / "model", pipeline, network, **more))
    assert (settled.num_frames, (settled.height, settled.width), settled.fps) == (num_frames, size, fps)
    assert settled.pipeline == pipeline
    assert settled.licence == "apache-2.0"
    assert settled.num_weights == pytest.approx(3000, rel=0.05)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_familys_own_settings_are_such_as_it_takes(name):
    family = FAMILIES[name]
    assert (family.num_frames - family.frame_offset) % family.frame_step == 0
    assert family.height % family.side_step == family.width % family.side_step == 0
    assert all(family_of(pipeline) == name for pipeline in family.pipelines)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_familys_pipelines_take_the_arguments_that_they_are_given(name):
    diffusers = pytest.importorskip("diffusers")
    import inspect

    family = FAMILIES[name]
    for pipeline in (*family.pipelines, *family.with_image.values()):
        takes = inspect.signature(getattr(diffusers, pipeline).__call__).parameters
        given = {"height", "width", "num_frames", "num_inference_steps", family.guidance_argument, *family.arguments}
        given |= {"generator", "output_type", "callback_on_step_end"}
        given |= {"prompt"} if family.recipe else set()
        given |= {"negative_prompt"} if family.negative_prompt is not None else set()
        given |= {family.fps_argument} - {""}
        given |= {"image"} if family.pipelines.get(pipeline) != "text" else set()
        assert given - set(takes) == set(), pipeline


def test_the_recipe_asks_for_an_orbit_around_a_still_thing_on_white(tmp_path):
    for name, family in FAMILIES.items():
        if name != "svd":
            text = family.recipe.lower()
            assert any(word in text for word in ("orbit", "circle")), name
            assert "white" in text, name
            assert any(word in text for word in ("still", "rigid", "motionless")), name
    settled = planned(save(tmp_path / "model", "WanPipeline"))
    words = caption_for(settled, "  a red mug. ")
    assert words.startswith("A red mug. The camera orbits slowly around it")
    assert caption_for(settled, " a  red mug ", recipe=False) == "a red mug"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"num_frames": 80}, r"makes 4k \+ 1 frames, .* 80 were asked for: try --generator.num-frames 81"),
        ({"num_frames": 5}, r"8 are needed; 5 were asked for: try --generator.num-frames 9"),
        ({"height": 500}, r"a height that is a multiple of 16, not 500: try --generator.height 496"),
        ({"width": 0}, r"a width that is a multiple of 16, not 0: try --generator.width 16"),
        ({"num_frames": 4001}, "do not fit the memory"),
        ({"steps": 0}, "steps must lie between 1 and 1000"),
        ({"guidance": float("nan")}, "guidance must lie between 0 and 100"),
        ({"fps": 0}, "fps must lie between 1 and 120"),
        ({"device": "npu"}, "There is no device 'npu' here; there is: cpu"),
        ({"device": "cpu", "offload": "model"}, "needs a GPU"),
        ({"image": "a.png"}, r"\(WanPipeline\) reads text alone: leave out --image, or take an image-to-video model"),
        ({"family": "ltx"}, r"is of the family wan \(WanPipeline\), not ltx: pass --generator wan"),
        ({"lora": "nowhere.safetensors"}, "There is no LoRA nowhere.safetensors"),
        ({"variant": "fp16"}, r"no weights of the variant 'fp16'; leave out --generator\.variant"),
    ],
)
def test_what_cannot_be_is_refused_with_the_cure(tmp_path, changes, complaint):
    folder = save(tmp_path / "model", "WanPipeline")
    with pytest.raises((ValueError, FileNotFoundError), match=complaint):
        planned(folder, **changes)


def test_a_variant_may_be_there_of_some_networks_only(tmp_path):
    folder = save(tmp_path / "model", "WanPipeline")
    plain = planned(folder).fingerprint
    (folder / "transformer" / "model.fp16.safetensors").write_bytes(weights(10))
    assert planned(folder).fingerprint == plain
    half = planned(folder, variant="fp16")
    assert half.fingerprint != plain
    assert half.num_weights == pytest.approx(2010, rel=0.1)


def test_a_lora_that_is_pickled_is_refused(tmp_path):
    (tmp_path / "lora.pt").touch()
    with pytest.raises(ValueError, match=r"lora\.pt is no \.safetensors file"):
        planned(save(tmp_path / "model", "WanPipeline"), lora=str(tmp_path / "lora.pt"))


def test_a_model_that_goes_on_from_a_picture_asks_for_one(tmp_path):
    folder = save(tmp_path / "model", "StableVideoDiffusionPipeline", {"num_frames": 14})
    with pytest.raises(ValueError, match="goes on from a picture: pass --image"):
        planned(folder)
    settled = planned(folder, image="a.png")
    assert settled.num_frames == 14
    assert any("reads no text" in note for note in settled.notes)


def test_a_folder_of_no_pipeline_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is no pipeline of diffusers: it holds no model_index\.json"):
        planned(tmp_path)


@pytest.mark.parametrize("name", ["FluxPipeline", ["pipeline", "Own"], None, 3])
def test_a_pipeline_of_no_known_family_is_refused(tmp_path, name):
    save(tmp_path / "model", "WanPipeline", _class_name=name)
    with pytest.raises(ValueError, match=r"of no family that vid2three knows .* Families: Wan 2\.x, CogVideoX"):
        planned(tmp_path / "model")


@pytest.mark.parametrize("part", [["pipeline", "Own"], ["os", "system"], ["../outside", "X"]])
def test_code_of_a_models_own_is_refused(tmp_path, part):
    save(tmp_path / "model", "WanPipeline", transformer=part)
    with pytest.raises(ValueError, match="brings code of its own for 'transformer'"):
        planned(tmp_path / "model")


def test_a_part_that_lies_elsewhere_is_refused(tmp_path):
    save(tmp_path / "model", "WanPipeline", **{"../outside": ["diffusers", "X"]})
    with pytest.raises(ValueError, match="brings code of its own"):
        planned(tmp_path / "model")


@pytest.mark.parametrize("lost", ["vae", "scheduler/scheduler_config.json", "transformer/model.safetensors"])
def test_half_a_pipeline_is_refused_before_anything_is_loaded(tmp_path, lost):
    folder = save(tmp_path / "model", "WanPipeline")
    for path in [*sorted((folder / lost).glob("*")), folder / lost]:
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(FileNotFoundError, match="the model is there in part; copy or download it again"):
        planned(folder)


def test_without_a_model_or_without_diffusers_the_cure_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="--generator wan needs --model"):
        plan(VideoModelConfig(family="wan"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None)
    with pytest.raises(ImportError, match=r"pip install 'vid2three\[diffusers\]'"):
        planned(save(tmp_path / "model", "WanPipeline"))


def test_a_package_that_a_family_needs_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: name == "diffusers" or None)
    with pytest.raises(ImportError, match=r"Cosmos needs cosmos_guardrail, .* pip install cosmos_guardrail"):
        planned(save(tmp_path / "cosmos", "CosmosTextToWorldPipeline"))
    with pytest.raises(ImportError, match=r"Wan 2.x needs ftfy, .* pip install 'vid2three\[diffusers\]'"):
        planned(save(tmp_path / "wan", "WanPipeline"))


def test_what_is_to_be_downloaded_is_all_that_is_needed_and_no_pickle(tmp_path):
    from huggingface_hub.utils import filter_repo_objects

    from generator.video_plan import _parts, _wanted, find_model

    folder = save(tmp_path / "model", "WanPipeline")
    needed = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    needed += ["text_encoder/model-00001-of-00005.safetensors", "tokenizer/spiece.model", "LICENSE.txt"]
    parts = _parts(find_model(str(folder), "", []), json.loads((folder / "model_index.json").read_text()))
    extra = ["text_encoder/pytorch_model.bin", "assets/video.mp4", "transformer/model.fp16.safetensors", "run.py"]
    wanted = list(filter_repo_objects([*needed, *extra], allow_patterns=_wanted(parts, "")))
    assert sorted(wanted) == sorted(needed)
    half = list(filter_repo_objects(extra, allow_patterns=_wanted(parts, "fp16")))
    assert half == ["transformer/model.fp16.safetensors"]


def test_a_large_model_on_a_cpu_and_an_unknown_licence_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr("generator.video_plan.HOURS_FROM", 2000)
    folder = save(tmp_path / "model", "WanPipeline")
    (folder / "README.md").unlink()
    notes = planned(folder, device="cpu").notes
    assert any("on a CPU a video takes hours" in note for note in notes)
    assert any("names no licence" in note for note in notes)


def test_the_fingerprint_follows_weights_and_settings_but_not_the_card(tmp_path):
    folder = save(tmp_path / "model", "WanPipeline")
    before = planned(folder).fingerprint
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert planned(folder).fingerprint == before
    (folder / "scheduler" / "scheduler_config.json").write_text('{"shift": 3}')
    changed = planned(folder).fingerprint
    assert changed != before
    (folder / "vae" / "model.safetensors").write_bytes(weights(1001))
    assert planned(folder).fingerprint not in (before, changed)


def test_numbers_are_computed_in_what_the_device_is_good_at(tmp_path):
    folder = save(tmp_path / "model", "WanPipeline")
    assert planned(folder, device="cpu").dtype == torch.float32
    assert planned(folder, device="cpu", dtype="bfloat16").dtype == torch.bfloat16
