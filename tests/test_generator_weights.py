"""Files of weights: what is written is read, in bf16, with its settings and its checksum."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from generator import weights
from generator.weights import card, load_model, model_path, save_model, shards, trained_for, write_card
from generator_parts import DIT, VAE, tiny_dit, tiny_vae

SETTINGS = {"num_frames": 4, "size": 16, "steps": 123}


@pytest.fixture
def path(tmp_path):
    save_model(tmp_path / "tiny.safetensors", tiny_vae(), tiny_dit(), SETTINGS)
    return tmp_path / "tiny.safetensors"


def test_a_model_comes_back_as_bf16(path):
    vae, dit, settings = load_model(path)
    assert (vae.config, dit.config, settings) == (VAE, DIT, SETTINGS)
    for written, read in ((tiny_vae(), vae), (tiny_dit(), dit)):
        assert not read.training
        for name, value in written.state_dict().items():
            assert read.state_dict()[name].dtype == torch.float32
            assert torch.equal(read.state_dict()[name], value.bfloat16().float()), name
    assert {value.dtype for value in load_file(path).values()} == {torch.bfloat16}


def test_a_file_says_what_it_was_trained_for_without_being_loaded(path):
    assert trained_for(path) == SETTINGS
    assert trained_for(model_path("orbit-s"))["size"] == 128


def test_the_latents_statistics_travel(tmp_path):
    vae = tiny_vae()
    vae.latent_mean.fill_(0.5)
    vae.latent_std.fill_(2)
    save_model(tmp_path / "a.safetensors", vae, tiny_dit(), SETTINGS)
    read = load_model(tmp_path / "a.safetensors")[0]
    assert (read.latent_mean == 0.5).all()
    assert (read.latent_std == 2).all()


def test_saving_what_was_loaded_changes_nothing(path, tmp_path):
    save_model(tmp_path / "again.safetensors", *load_model(path))
    first, second = load_file(path), load_file(tmp_path / "again.safetensors")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert load_model(tmp_path / "again.safetensors")[2] == SETTINGS
    assert not list(tmp_path.glob("*.partial"))


def test_a_card_names_the_file_it_is_about(path):
    known = card(str(path))
    assert known["name"] == "tiny"
    assert known["licence"] == "unknown"
    assert known["scores"] == {}
    assert known["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    write_card(path, {"seen": {"category": 0.9}}, {"machine": "two cores"}, "256 clips")
    known = card(str(path))
    assert known["licence"] == "Apache-2.0"
    assert known["scores"]["seen"]["category"] == 0.9
    assert json.loads(path.with_suffix(".json").read_text())["data"] == "256 clips"
    save_model(path, tiny_vae(1), tiny_dit(1), SETTINGS)
    assert card(str(path))["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_large_weights_lie_in_several_files(path, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "MAX_BYTES", 40_000)
    many = tmp_path / "many.safetensors"
    save_model(many, tiny_vae(), tiny_dit(), SETTINGS)
    files = shards(many)
    assert len(files) > 2
    assert all(file.stat().st_size < 50_000 for file in files)
    for one, other in zip(load_model(path)[:2], load_model(many)[:2]):
        for name, value in one.state_dict().items():
            assert torch.equal(other.state_dict()[name], value)
    assert model_path(str(many)) == many
    assert card(str(many))["sha256"] == hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    files[1].unlink()
    with pytest.raises(FileNotFoundError, match="There is no model"):
        model_path(str(many))
    monkeypatch.undo()
    save_model(many, tiny_vae(), tiny_dit(), SETTINGS)
    assert [file.name for file in tmp_path.glob("many*")] == ["many.safetensors"] or shards(many) == [many]


def test_an_unknown_model_is_refused_with_those_that_are_there():
    for model in ("orbit-xxl", "somewhere/model.safetensors", ""):
        with pytest.raises(FileNotFoundError, match=r"There is no model .* embedded are: .* must end in .safetensors"):
            model_path(model)


def test_a_strange_file_is_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="is not a model of vid2three"):
        load_model(tmp_path / "other.safetensors")
