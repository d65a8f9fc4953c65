from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tlm.workload import open_workload

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from tlm_analysis.gpu.measuring.job_network import JobNetwork  # noqa: E402
from tlm_analysis.gpu.measuring.training import TrainingStep  # noqa: E402

from tlm.workload.model import Neuron, Workload  # noqa: E402
from tlm.workload.surrogate import lif_neuron  # noqa: E402
from tlm.workload.training.lif import LIF, Unfolded  # noqa: E402

EXACT = ["mnist-fc", "mnist-csnn", "mnist-csnn-bn", "digits", "nmnist-cnn"]


def network(workload: Workload) -> JobNetwork:
    """The job's network with neurons as PyTorch runs them."""
    return JobNetwork(workload, lambda neuron: Unfolded(workload.steps, LIF(neuron)))


def folded(workload: Workload, images: Any) -> Any:
    """Images as the network takes them, [T B, ...]."""
    images = torch.from_numpy(np.asarray(images, np.float32))
    if workload.encoding == "direct":
        return images.repeat(workload.steps, 1, 1, 1)
    return images.flatten(0, 1)


@pytest.mark.parametrize("name", EXACT)
def test_a_step_makes_the_recorded_weight_gradients(name: str) -> None:
    """From the recorded input, weights and loss gradient come the recorded gradients of all."""
    workload = open_workload(name)
    values = workload.load_values(len(workload.iterations) - 1)
    found = network(workload)
    found.load(values.parameters)
    outputs = found(folded(workload, values.inputs))
    (gradient,) = values.loss_gradients.values()
    given = torch.from_numpy(gradient).sum(0).reshape(outputs.shape)
    outputs.backward(given)
    for product, expected in zip(found.products, values.parameter_gradients, strict=True):
        mine = product.weight.grad.numpy().reshape(expected.weights.shape)
        scale = np.abs(expected.weights).max()
        np.testing.assert_allclose(mine, expected.weights, atol=1e-4 * scale)


@pytest.mark.parametrize("name", ["cifar-sew", "cifar-vgg8", "cifar-vgg8-bn", "mnist-fc-t25"])
def test_the_graph_computes_what_the_recipe_trained(name: str) -> None:
    """Residual sums, average pools, norms and read-outs: outputs as of the recipe's network."""
    from tlm.workload.training import torchnet

    workload, recipe = open_workload(name), recipe_of(name)
    torch.manual_seed(0)
    shape = workload.layers[0].in_shape
    in_shape = (1, 28, 28) if name == "mnist-fc-t25" else shape
    trained = torchnet.build(recipe.blocks, in_shape, recipe.steps, recipe.neuron, recipe.norm)
    found = network(workload)
    copy_parameters(trained, found)
    images = torch.rand(workload.input_shape) * 4
    expected = trained(images if workload.encoding == "direct" else images.unflatten(2, in_shape))
    mine = found(folded(workload, images.numpy()))
    assert any(rate > 0 for rate in found.spike_rates)
    torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-5)


def recipe_of(name: str) -> Any:
    """The recipe beside a bundled job."""
    import runpy

    from tlm.workload.bundled import bundled_folder

    return runpy.run_path(str(bundled_folder() / f"{name.replace('-', '_')}.py"))["RECIPE"]


def copy_parameters(source: Any, target: JobNetwork) -> None:
    """Weights of products and norms, in the order of the layers."""
    nn = torch.nn
    for kinds in ((nn.Conv2d, nn.Linear), (nn.BatchNorm1d, nn.BatchNorm2d)):
        pairs = zip(
            (one for one in source.modules() if isinstance(one, kinds)),
            (one for one in target.modules() if isinstance(one, kinds)),
            strict=True,
        )
        for one, other in pairs:
            for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
                theirs.data.copy_(mine.reshape(theirs.shape))


@pytest.mark.parametrize(
    "name",
    [
        "cifar-vgg8",
        "nmnist-cnn",
        pytest.param("s-resnet18[B=1,T=2]:dense", marks=pytest.mark.slow),
    ],
)
def test_a_dry_step_trains(name: str) -> None:
    """Drawn, scaled or recorded: the loss is finite, weights move, every layer fires at first."""
    step = TrainingStep(open_workload(name), "cpu", "fp32", "unfused")
    step.run()
    first, rates = float(step.loss), step.spike_rates()
    step.run()
    assert np.isfinite(first) and float(step.loss) != first
    assert rates and all(0 < rate < 1 for rate in rates)
    recorded = name == "nmnist-cnn"
    assert (step.inputs == "recorded") == (step.weights == "recorded") == recorded


@pytest.mark.parametrize(("surrogate", "width"), [("triangular", 2.0), ("arctangent", 1.0)])
@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_spikingjelly_computes_the_same_neurons(surrogate: str, width: float, reset: Any) -> None:
    """Spikes and gradients of its LIF, by its CPU code, are those of the recorded neurons."""
    pytest.importorskip("spikingjelly")
    from tlm_analysis.gpu.measuring.training import spikingjelly_lif

    neuron: Neuron = lif_neuron(surrogate=surrogate, width=width, reset=reset)
    currents = torch.randn(5, 3, 16, generator=torch.Generator().manual_seed(1)) * 2 + 1
    found = []
    for module in (LIF(neuron), spikingjelly_lif(neuron)):
        given = currents.clone().requires_grad_()
        spikes = module(given)
        (spikes * torch.arange(1, 6)[:, None, None]).sum().backward()
        found.append((spikes.detach(), given.grad))
    (mine, my_gradient), (theirs, their_gradient) = found
    assert 0 < mine.mean() < 1
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(my_gradient, their_gradient, rtol=1e-4, atol=1e-5)
