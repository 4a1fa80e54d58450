"""What test_generator_ranks.py runs in one process and in two (`torchrun ranks_script.py FOLDER WHAT`).

Each rank leaves FOLDER/RANK-of-COUNT.pt with what came of it.
"""

import sys
from contextlib import nullcontext
from pathlib import Path

import torch

from generator import train_dit, train_vae
from generator.config import PhaseConfig
from generator.dit import RAY_CHANNELS
from generator.optimizers import make_optimizers
from generator.ranks import Ranks, join
from generator.stepper import Stepper
from generator.text import MAX_TOKENS
from generator.train_dit import Batch, dit_loss
from generator.train_vae import vae_loss
from generator_parts import DIT, VAE, tiny_dit, tiny_vae

CLIPS, FRAMES, SIZE = 8, 4, 16


def whole_clips() -> torch.Tensor:
    x = torch.rand(CLIPS, FRAMES, 5, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    x[:, :, 3] = (x[:, :, 3] > 0.5).float()
    return x


def whole_batch(seed: int = 2, num: int = CLIPS) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    t, h, p = FRAMES // 2, SIZE // 8, SIZE // 8 // DIT.patch
    basis = torch.randn(3, t * VAE.latent_channels * h * h, generator=torch.Generator().manual_seed(3))
    z = torch.randn(num, 3, generator=generator) @ basis  # all lie in three dimensions: something to learn
    return Batch(
        z=z.view(num, t, VAE.latent_channels, h, h),
        text=torch.randn(num, MAX_TOKENS, DIT.text_width, generator=generator),
        text_mask=torch.ones(num, MAX_TOKENS, dtype=torch.bool),
        rays=torch.randn(num, t, p, p, RAY_CHANNELS, generator=generator),
        angles=torch.rand(num, t, generator=generator),
    ).tensors()


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def one_step(ranks: Ranks) -> dict:
    """One step of each loss on this rank's part of a batch, with its part of the whole batch's noise."""
    part = slice(ranks.rank * CLIPS // ranks.count, (ranks.rank + 1) * CLIPS // ranks.count)

    def noise_like(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(CLIPS, *x.shape[1:], generator=generator)[part]

    train_vae.noise_like = train_dit.noise_like = noise_like
    vae, dit, generator = tiny_vae(), tiny_dit(), torch.Generator().manual_seed(4)
    cases = {
        "vae": (vae, {"x": whole_clips()}, lambda x: vae_loss(vae, x, generator)),
        "dit": (dit, whole_batch(), lambda **tensors: dit_loss(dit, Batch(**tensors), generator, 2.0)),
    }
    result = {}
    for name, (model, tensors, loss) in cases.items():
        stepper = Stepper(loss, model, [torch.optim.SGD(model.parameters())], ranks=ranks)  # moves by the gradient
        value = stepper.step({key: value[part] for key, value in tensors.items()}, 0.1, nullcontext())
        result[name] = {"weights": weights(model), "loss": ranks.mean(float(value))}
    return result


def many_steps(ranks: Ranks) -> dict:
    """Steps on batches of this rank's own; CLIPS a step in all."""
    dit = tiny_dit(ranks.rank)
    ranks.align(dit)
    start, generator = weights(dit), torch.Generator().manual_seed(100 + ranks.rank)

    def loss(**tensors: torch.Tensor) -> torch.Tensor:
        return dit_loss(dit, Batch(**tensors), generator, 1.0)

    stepper, losses = Stepper(loss, dit, make_optimizers(dit, PhaseConfig()), ranks=ranks), []
    for step in range(150):
        batch = whole_batch(1000 * (ranks.rank + 1) + step, CLIPS // ranks.count)
        losses.append(ranks.mean(float(stepper.step(batch, 3e-3, nullcontext()))))
    return {"start": start, "weights": weights(dit), "losses": losses}


def fail(ranks: Ranks) -> dict:
    """One rank fails; the others would go on for ever."""
    if ranks.rank == 1:
        raise RuntimeError("this rank has had enough")
    while True:
        ranks.wait()


def talk(ranks: Ranks) -> dict:
    return {
        "mean": ranks.mean(float(ranks.rank)),
        "first": ranks.first({"rank": ranks.rank, "tensor": torch.full((2,), ranks.rank)}),
        "number": ranks.first_number(ranks.rank + 0.1),
        "share": ranks.share(range(5)),
        "is_first": ranks.is_first,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    this = join("cpu")
    found = {name: globals()[name](this) for name in names}
    torch.save(found, folder / f"{this.rank}-of-{this.count}.pt")
