"""Average models of one training: the mean of their weights makes fewer errors than any of them alone (Wortsman et al.,
arXiv:2203.05482), and what a model was before keeps in it what later training made it forget (arXiv:2109.01903).

    python -m generator.average OUT.safetensors orbit-s:0.5 later.safetensors:0.5
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import torch

from .dit import OrbitDiT
from .vae import VideoAutoencoder
from .weights import load_model, model_path, save_model


@torch.no_grad()
def average_models(models: dict[str, float]) -> tuple[VideoAutoencoder, OrbitDiT, dict]:
    """Return the autoencoder that the models (names or .safetensors files) have in common, the mean of their
    transformers weighted by their shares, and the settings of the last one, whose formats it is taken to know.

    Raises ValueError where shares do not add up to 1, or the models are not of one size with one autoencoder.
    """
    if not math.isclose(sum(models.values()), 1, abs_tol=1e-6):
        raise ValueError(f"The shares of the models must add up to 1, not {sum(models.values()):g}.")
    loaded = {model: load_model(model_path(model)) for model in models}
    (first, (vae, mean, _)), *_ = loaded.items()
    for model, (other, dit, _) in loaded.items():
        if dit.config != mean.config:
            raise ValueError(f"{model} and {first} are transformers of different sizes: they have no mean.")
        pairs = zip(vae.state_dict().values(), other.state_dict().values())
        if other.config != vae.config or not all(torch.equal(a, b) for a, b in pairs):
            raise ValueError(f"{model} and {first} have different autoencoders: their latents mean different things.")
    weights = [dit.state_dict() for _, dit, _ in loaded.values()]
    mean.load_state_dict(
        {name: sum(share * w[name] for w, share in zip(weights, models.values())) for name in weights[0]}
    )
    return vae, mean, [settings for *_, settings in loaded.values()][-1]


def main() -> None:
    """Read models and shares, and write their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="where the mean goes, NAME.safetensors")
    parser.add_argument("models", nargs="+", help="MODEL:SHARE, a name or a .safetensors file and its share")
    options = parser.parse_args()
    if options.out.suffix != ".safetensors":
        parser.error(f"{options.out} must end in .safetensors.")
    models = {}
    for given in options.models:
        model, _, share = given.rpartition(":")
        try:
            models[model] = float(share)
        except ValueError:
            parser.error(f"{given!r} lacks its share: write it as {given}:0.5.")
    try:
        averaged = average_models(models)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_model(options.out, *averaged)


if __name__ == "__main__":
    main()
