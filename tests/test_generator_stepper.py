"""Steps of training: as written, and recorded on a GPU."""

from contextlib import nullcontext

import pytest
import torch

from generator.config import PhaseConfig
from generator.optimizers import make_optimizers
from generator.stepper import Stepper


def test_a_step_moves_by_the_rate_it_is_given_and_tells_its_loss():
    model = torch.nn.Linear(3, 2)
    start, x = model.weight.detach().clone(), torch.ones(4, 3)
    followed = []
    optimizers = make_optimizers(model, PhaseConfig(lr=0.5))
    stepper = Stepper(lambda x: model(x).square().mean(), model, optimizers, after_step=lambda: followed.append(1))
    assert stepper.step({"x": x}, 0.0, nullcontext()) == pytest.approx(
        float((x @ start.T + model.bias).square().mean())
    )
    torch.testing.assert_close(model.weight.detach(), start)
    stepper.step({"x": x}, 0.01, nullcontext())
    torch.testing.assert_close((model.weight.detach() - start).abs(), torch.full((2, 3), 0.01), rtol=0.1, atol=0)
    assert followed == [1, 1]


def test_a_state_that_was_recorded_on_a_gpu_goes_on_on_a_cpu():
    model = torch.nn.Linear(3, 2)
    optimizers = make_optimizers(model, PhaseConfig(lr=0.01))
    for group in optimizers[0].param_groups:
        group["capturable"], group["lr"] = True, torch.tensor(0.01)
    stepper = Stepper(lambda x: model(x).square().mean(), model, optimizers)
    assert torch.isfinite(stepper.step({"x": torch.ones(4, 3)}, 0.01, nullcontext()))


@pytest.mark.gpu
def test_recorded_steps_are_the_plain_ones():
    def weights(graphed: bool) -> torch.Tensor:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.SiLU(), torch.nn.Linear(16, 8)).cuda()
        start = {name: value.clone() for name, value in model.state_dict().items()}
        loss = lambda x: (model(x) - 1).square().mean()  # noqa: E731
        generator = torch.Generator().manual_seed(1)
        xs = [torch.randn(4 + 4 * (i % 2), 8, generator=generator).cuda() for i in range(12)]
        stepper = Stepper(loss, model, make_optimizers(model, PhaseConfig(lr=0.01)), graphed)
        if graphed:  # a recording warms up by steps of its own: begin anew after it
            for x in xs[:2]:
                stepper.step({"x": x}, 0.01, nullcontext())
            model.load_state_dict(start)
            for optimizer in stepper.optimizers:
                for state in optimizer.state.values():
                    for value in state.values():
                        value.zero_()
        for x in xs:
            stepper.step({"x": x}, 0.01, nullcontext())
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    torch.testing.assert_close(weights(True), weights(False), rtol=1e-4, atol=1e-5)
