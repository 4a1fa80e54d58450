"""Videos of tiny pipelines with random weights, made of the families' own classes: frames, seeds, pictures, LoRA."""

import dataclasses

import pytest
import torch

import pipeline_parts
from generator.config import VideoModelConfig
from generator.diffusers_clip import film
from generator.video_plan import caption_for, plan

SIZES = {
    "wan": (9, 32, 48),
    "wan-i2v": (9, 32, 48),
    "cogvideox": (9, 32, 48),
    "ltx": (9, 32, 64),
    "svd": (8, 64, 128),
}
IMAGE_ALONE = ("wan-i2v", "svd")
PIPELINES = {
    "wan": "WanPipeline",
    "wan-i2v": "WanImageToVideoPipeline",
    "cogvideox": "CogVideoXPipeline",
    "ltx": "LTXPipeline",
    "svd": "StableVideoDiffusionPipeline",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("pipelines")
    return {kind: pipeline_parts.save(kind, root / kind) for kind in SIZES}


def config_of(folders, kind, **changes) -> VideoModelConfig:
    num_frames, height, width = SIZES[kind]
    image = "picture.png" if kind in IMAGE_ALONE else ""
    base = VideoModelConfig(
        model=str(folders[kind]), steps=2, num_frames=num_frames, height=height, width=width, image=image
    )
    return dataclasses.replace(base, **changes)


def filmed(config, seed=0, picture=None, prompt="a red mug", progress=lambda step, total: None):
    settled = plan(config)
    if picture is None and config.image:
        picture = picture_of(settled, 0)
    return film(settled, caption_for(settled, prompt), config, seed=seed, picture=picture, progress=progress)


def picture_of(settled, seed):
    return torch.rand(3, settled.height, settled.width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", [*list(SIZES)[:-1], pytest.param("svd", marks=pytest.mark.slow)])
def test_a_pipeline_gives_its_frames_and_tells_each_step(folders, kind):
    config, steps = config_of(folders, kind), []
    frames = filmed(config, progress=lambda step, total: steps.append((step, total)))
    assert plan(config).pipeline == PIPELINES[kind]
    assert frames.shape == (*SIZES[kind], 3)
    assert frames.dtype == torch.uint8
    assert frames.float().std() > 5  # noise that was decoded, not one colour
    assert steps == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize("kind", ["wan", "cogvideox", "ltx", "wan-i2v"])
def test_a_seed_gives_its_frames_again_and_another_seed_others(folders, kind):
    config = config_of(folders, kind)
    first, again, other = (filmed(config, seed=seed) for seed in (3, 3, 2**40))
    assert torch.equal(first, again)
    assert (first.float() - other.float()).abs().mean() > 1


def test_the_prompt_and_what_to_avoid_are_read(folders):
    config = config_of(folders, "cogvideox", guidance=20.0)
    usual = filmed(config)
    assert not torch.equal(usual, filmed(config, prompt="a blue teapot"))
    assert not torch.equal(usual, filmed(dataclasses.replace(config, negative_prompt="a red mug")))


def test_the_picture_is_what_a_video_goes_on_from(folders):
    config = config_of(folders, "wan-i2v")
    one, other = (filmed(config, picture=picture_of(plan(config), seed)) for seed in (0, 1))
    assert not torch.equal(one, other)


def test_ltx_goes_on_from_a_picture_with_the_weights_for_text(folders):
    config = config_of(folders, "ltx", image="picture.png")
    assert plan(config).pipeline == "LTXImageToVideoPipeline"
    assert filmed(config).shape == (9, 32, 64, 3)


def test_numbers_of_16_bits_are_taken_on_a_cpu_too(folders):
    narrow = filmed(config_of(folders, "wan", dtype="bfloat16")).float()
    wide, other = (filmed(config_of(folders, "wan"), seed=seed).float() for seed in (0, 1))
    assert 0 < (narrow - wide).abs().mean() < 0.5 * (other - wide).abs().mean()


def test_a_lora_changes_the_frames_by_its_scale(folders, tmp_path):
    lora = pipeline_parts.save_wan_lora(folders["wan"], tmp_path)
    plain = filmed(config_of(folders, "wan"))
    off = filmed(config_of(folders, "wan", lora=str(lora), lora_scale=0.0))
    on = filmed(config_of(folders, "wan", lora=str(lora), lora_scale=1.0))
    assert torch.equal(plain, off)
    assert not torch.equal(plain, on)
    facts = plan(config_of(folders, "wan", lora=str(lora))).facts
    assert facts["lora"] == lora.name
    assert facts["fingerprint"] != plan(config_of(folders, "wan")).fingerprint


def test_a_lora_of_something_else_is_refused_by_one_sentence(folders, tmp_path):
    from safetensors.torch import save_file

    save_file({"nothing.of.it": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"^other\.safetensors is no LoRA for WanPipeline \("):
        filmed(config_of(folders, "wan", lora=str(tmp_path / "other.safetensors")))


def test_weights_that_break_off_are_refused_by_one_sentence(folders, tmp_path):
    folder = pipeline_parts.copy_of(folders["wan"], tmp_path / "wan")
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"^wan cannot be loaded as a WanPipeline \(.*copy or download it again"):
        filmed(config_of({"wan": folder}, "wan"))


def test_numbers_that_are_none_are_refused_with_the_cure(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = pipeline_parts.copy_of(folders["wan"], tmp_path / "wan")
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    broken = {name: value * float("nan") for name, value in load_file(weights).items()}
    save_file(broken, weights, {"format": "pt"})
    with pytest.raises(ValueError, match=r"gave numbers that are none with float32: try --generator.dtype float32"):
        filmed(config_of({"wan": folder}, "wan"))


def test_a_tokenizer_of_sentencepiece_is_read(folders, tmp_path):
    folder = pipeline_parts.copy_of(folders["ltx"], tmp_path / "ltx")
    pipeline_parts.save_sentencepiece(folder / "tokenizer")
    assert not (folder / "tokenizer" / "tokenizer.json").exists()
    assert filmed(config_of({"ltx": folder}, "ltx")).shape == (9, 32, 64, 3)
