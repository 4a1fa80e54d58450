"""The mean of models: by its shares, of one autoencoder and one size alone."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from generator.average import average_models
from generator.weights import load_model, save_model
from generator_parts import DIT, tiny_dit, tiny_vae


@pytest.fixture
def models(tmp_path):
    """Two tiny models with one autoencoder."""
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for seed, path in enumerate(paths):
        save_model(path, tiny_vae(3), tiny_dit(seed), {"num_frames": 4, "size": 16, "steps": seed})
    return [str(path) for path in paths]


def test_weights_lie_between_by_their_shares(models):
    vae, mean, settings = average_models(dict(zip(models, (0.25, 0.75))))
    (known, first, _), (_, second, last) = (load_model(Path(path)) for path in models)
    assert settings == last
    assert all(torch.equal(a, b) for a, b in zip(vae.state_dict().values(), known.state_dict().values()))
    moved = 0.0
    for name, value in mean.state_dict().items():
        a, b = first.state_dict()[name], second.state_dict()[name]
        assert torch.allclose(value, 0.25 * a + 0.75 * b, atol=1e-7), name
        moved += float((a - b).abs().sum())
    assert moved > 1


def test_a_share_of_one_keeps_a_model(models):
    kept, known = average_models({models[0]: 1.0})[1], load_model(Path(models[0]))[1]
    assert all(torch.equal(a, b) for a, b in zip(kept.state_dict().values(), known.state_dict().values()))


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"vae": tiny_vae(4)}, "have different autoencoders"),
        ({"dit": tiny_dit(0, replace(DIT, depth=3))}, "are transformers of different sizes"),
    ],
)
def test_models_that_have_no_mean_are_refused(models, tmp_path, other, sentence):
    path = tmp_path / "other.safetensors"
    save_model(path, **{"vae": tiny_vae(3), "dit": tiny_dit(5), "settings": {}, **other})
    with pytest.raises(ValueError, match=sentence):
        average_models({models[0]: 0.5, str(path): 0.5})


def test_shares_must_be_all(models):
    with pytest.raises(ValueError, match=re.escape("must add up to 1, not 1.2")):
        average_models(dict(zip(models, (0.5, 0.7))))


def test_the_command_writes_the_mean_or_says_what_is_wrong(models, tmp_path):
    def run(*words):
        return subprocess.run([sys.executable, "-m", "generator.average", *words], capture_output=True, text=True)

    out = tmp_path / "new" / "mean.safetensors"
    assert run(str(out), f"{models[0]}:0.5", f"{models[1]}:0.5").returncode == 0
    mean = average_models(dict(zip(models, (0.5, 0.5))))[1].state_dict()
    assert all(torch.equal(mean[k].bfloat16().float(), v) for k, v in load_model(out)[1].state_dict().items())
    assert "lacks its share: write it as " in run(str(out), models[0]).stderr
    assert run(str(out), f"{models[0]}:0.5").stderr == "The shares of the models must add up to 1, not 0.5.\n"
    assert "There is no model 'gone'" in run(str(out), "gone:1").stderr
