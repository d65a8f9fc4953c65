from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from tlm_analysis.gpu import baseline
from tlm_analysis.gpu.checks.cifar10dvs_vgg import cifar10dvs_vgg
from tlm_analysis.gpu.step.network import NetworkShapes
from tlm_analysis.gpu.step.neuron import NEURONS
from tlm_analysis.gpu.step.recorded import network_named, network_of
from tlm_analysis.gpu.step.training_step import training_step

from tlm.errors import ConfigError, WorkloadError
from tlm.workload import bundled_networks
from tlm.workload.model import Layer, Pool, Shortcut, Workload
from tlm.workload.surrogate import lif_neuron

NEURON = lif_neuron()


def job(channels: int = 4, *, steps: int = 2, batch: int = 3, optimizer: str = "adam") -> Workload:
    """A convolution 1 -> ``channels`` of 3x3 on 8x8, pooled to 4x4, and a linear layer to 10."""
    conv = Layer(
        index=0,
        name="conv",
        kind="conv",
        in_shape=(1, 8, 8),
        out_shape=(channels, 8, 8),
        kernel=(3, 3),
        stride=(1, 1),
        padding=(1, 1),
        pool=Pool.square("max", 2, 2),
        neuron=NEURON,
        sources=(-1,),
        input_kind="analog",
        bias=False,
        input_pool=None,
        norm=None,
        current_pool=None,
    )
    linear = Layer(
        index=1,
        name="fc",
        kind="linear",
        in_shape=(channels * 16, 1, 1),
        out_shape=(10, 1, 1),
        kernel=(1, 1),
        stride=(1, 1),
        padding=(0, 0),
        pool=None,
        neuron=NEURON,
        sources=(0,),
        input_kind="binary",
        bias=False,
        input_pool=None,
        norm=None,
        current_pool=None,
    )
    return Workload(
        path=Path("job.h5"),
        name="job",
        layers=(conv, linear),
        steps=steps,
        batch=batch,
        dataset="none",
        licence="none",
        accuracy=0.0,
        optimizer=optimizer,  # type: ignore[arg-type]
        encoding="direct",
        iterations=(0,),
        levels=("bits",),
        provenance={},
        sha256="0" * 64,
    )


def test_a_dropout_is_a_kernel_each_way() -> None:
    """It reads 384 inputs and writes them with a byte each; its gradient reads both."""
    plain = job()
    conv, linear = plain.layers
    dropped = replace(plain, layers=(conv, replace(linear, dropout=0.5)))
    kernels = {each.name: each for each in baseline(dropped, precision="fp32").kernels}
    forward, backward = kernels["fc dropout"], kernels["fc dropout grad"]
    assert (forward.read_nbytes, forward.write_nbytes) == (4 * 384, 4 * 384 + 384)
    assert (backward.read_nbytes, backward.write_nbytes) == (4 * 384 + 384, 4 * 384)


def with_second_convolution(groups: int) -> Workload:
    """The job with a convolution 4 -> 4 of 3x3 in between, on 8x8, of some groups."""
    plain = job()
    first, linear = plain.layers
    first = replace(first, pool=None)
    deep = replace(first, index=1, name="deep", in_shape=(4, 8, 8), sources=(0,), groups=groups)
    linear = replace(linear, index=2, in_shape=(256, 1, 1), sources=(1,))
    return replace(plain, layers=(first, deep, linear))


# By hand, N = T B = 6 images, FP32: conv in 6*64 = 384, out 6*256 = 1536, pooled 6*64 = 384,
# weights 36; linear in 384, out 60, weights 640. Elements read and written:
FP32_ELEMENTS = {
    "copy from host": (0, 3 * 64),
    "repeat input": (3 * 64, 6 * 64),
    "conv conv": (384 + 36, 1536),
    "conv lif": (1536, 2 * 1536),
    "conv pool": (1536, 384 + 2 * 384),  # an int64 index is two FP32 elements
    "fc linear": (384 + 640, 60),
    "fc lif": (60, 120),
    "loss": (60, 30),
    "loss grad": (30, 60),
    "fc lif grad": (120, 60),
    "fc dgrad": (60 + 640, 384),
    "fc wgrad": (60 + 384, 640),
    "conv pool grad": (384 + 2 * 384, 1536),
    "conv lif grad": (2 * 1536, 1536),
    "conv wgrad": (1536 + 384, 36),
    "adam update": (4 * 676, 3 * 676),
}


def nbytes(
    network: NetworkShapes, precision: str = "fp32", neuron: str = "fused"
) -> dict[str, int]:
    """Compulsory bytes by kernel name."""
    return {k.name: k.nbytes for k in training_step(network, precision, neuron)}


def with_norm(network: NetworkShapes) -> NetworkShapes:
    """The same with BN behind its first layer."""
    first, *others = network.stages
    return replace(network, stages=(replace(first, norm=True), *others))


def test_bytes_of_every_kernel_by_hand() -> None:
    """FP32, fused neuron: each kernel moves the bytes counted by hand, in this order."""
    kernels = baseline(job(), precision="fp32").kernels
    assert [(k.name, k.read_nbytes, k.write_nbytes) for k in kernels] == [
        (name, 4 * read, 4 * write) for name, (read, write) in FP32_ELEMENTS.items()
    ]


def test_operations_by_hand() -> None:
    """2 FLOP a multiply-accumulate: 6 images x 256 outputs x 9 taps, and 6 x 640 weights."""
    flop = {k.name: k.flop for k in baseline(job(), precision="fp32").kernels}
    assert flop["conv conv"] == flop["conv wgrad"] == 2 * 6 * 256 * 9
    assert flop["fc linear"] == flop["fc dgrad"] == flop["fc wgrad"] == 2 * 6 * 640


def test_a_strided_input_gradient_does_no_more_operations_than_the_forward_pass() -> None:
    """A GPU skips the zeros that a stride of 2 would insert."""
    kernels = training_step(network_named("s-resnet18"), "amp", "fused")
    flop = {k.name: k.flop for k in kernels}
    strided = [
        stage.name
        for stage in network_named("s-resnet18").stages[1:-1]
        if stage.in_shape[1] > stage.out_shape[1]
    ]
    assert len(strided) == 6
    for name in strided:
        assert flop[f"{name} dgrad"] == flop[f"{name} conv"]


def test_a_depthwise_convolution_does_its_own_work_and_reads_each_operand_once() -> None:
    """4 groups of 1 x 1 channels, 6 images of 64 positions: a quarter of a dense layer's work."""
    grouped = with_second_convolution(groups=4)
    kernels = {k.name: k for k in training_step(network_of(grouped), "fp32", "fused")}
    products = [kernels[f"deep {name}"] for name in ("conv", "dgrad", "wgrad")]
    assert {kernel.flop for kernel in products} == {2 * 6 * 64 * 4 * 9}
    image, weights = 4 * 6 * 256, 4 * 4 * 9
    assert [(k.read_nbytes, k.write_nbytes) for k in products] == [
        (image + weights, image), (image + weights, image), (2 * image, weights)
    ]  # fmt: skip
    assert kernels["adam update"].read_nbytes == 4 * 4 * (36 + 36 + 640 * 4)
    # A product of one channel each fills one column of a tile of 32.
    forward = products[0].gemm
    assert forward is not None
    assert (forward.tiles, forward.n, forward.tile_n) == (4 * forward.rows, 1, 32)


def test_neurons_without_weights_are_the_kernels_of_neurons_alone() -> None:
    """They read what the first layer left, and return the gradient there; no product is missing."""
    plain = with_second_convolution(groups=1)
    first, deep, linear = plain.layers
    neurons = replace(deep, kind="identity", name="n", kernel=(1, 1), padding=(0, 0))
    job = replace(plain, layers=(first, neurons, linear))
    names = [kernel.name for kernel in training_step(network_of(job), "fp32", "fused")]
    assert [name for name in names if name.startswith("n ")] == ["n lif", "n lif grad"]
    assert not [name for name in names if "add" in name]
    kernels = {k.name: k for k in training_step(network_of(job), "fp32", "fused")}
    assert kernels["adam update"].read_nbytes == 4 * 4 * (36 + 640 * 4)


@pytest.mark.parametrize("of", ["spikes", "current"])
def test_a_shortcut_is_an_addition_each_way(of: Literal["spikes", "current"]) -> None:
    """6 images of 4 x 8 x 8: two tensors read and one written, in FP and where gradients meet."""
    plain = with_second_convolution(groups=1)
    first, deep, linear = plain.layers
    job = replace(plain, layers=(first, replace(deep, shortcuts=(Shortcut(0, of),)), linear))
    before, after = (training_step(network_of(each), "fp32", "fused") for each in (plain, job))
    names = [kernel.name for kernel in before]
    new = [kernel for kernel in after if kernel.name not in names]
    gradient = f"conv {'spikes' if of == 'spikes' else 'product'} gradient add"
    assert [kernel.name for kernel in new] == ["deep shortcut add", gradient]
    image = 4 * 6 * 256
    assert {(kernel.read_nbytes, kernel.write_nbytes) for kernel in new} == {(2 * image, image)}
    order = [kernel.name for kernel in after]
    behind = order.index("conv lif grad") < order.index(gradient)
    assert behind == (of == "current")


@pytest.mark.parametrize("groups", [2, 4])
def test_products_of_groups_move_no_more_than_a_dense_product(groups: int) -> None:
    """Fewer weights and no operand that more than one group reads."""
    dense, grouped = (baseline(with_second_convolution(n), precision="fp32") for n in (1, groups))
    assert grouped.compulsory_nbytes < dense.compulsory_nbytes
    assert grouped.l2_nbytes <= dense.l2_nbytes
    assert grouped.time_s > 0


def test_the_first_layer_has_no_input_gradient() -> None:
    """Nothing uses the gradient of the image, so no dgrad kernel computes it."""
    assert "conv dgrad" not in {k.name for k in baseline(job()).kernels}


def test_amp_halves_tensors_and_keeps_the_optimizer_in_fp32() -> None:
    """FP16 halves the LIF's bytes; the update still moves 7 x 4 bytes a weight; casts appear."""
    moved = nbytes(network_of(job()), "amp")
    assert moved["conv lif"] == 2 * 3 * 1536
    assert moved["adam update"] == 28 * 676
    assert moved["unscale"] == 8 * 676
    assert moved["fc weight cast"] == moved["fc gradient cast"] == 6 * 640


def test_sgd_moves_12_bytes_a_weight() -> None:
    """SGD without momentum reads weight and gradient and writes the weight."""
    assert baseline(job(optimizer="sgd")).kernels[-1].nbytes == 12 * 676


def test_fused_lif_moves_12_bytes_a_neuron_step_each_way() -> None:
    """SpikingJelly's fused kernels in FP32: 12 B forward and 12 B backward a neuron-step."""
    moved = nbytes(network_of(job()))
    assert moved["conv lif"] == moved["conv lif grad"] == 12 * 1536


@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize(("reset", "tensors"), [("none", 2), ("hard", 3)])
def test_a_potential_that_leaves_is_written_once(
    neuron: str, reset: Literal["none", "hard"], tensors: int
) -> None:
    """Current in, potential out; back dS and dI, and the potential where a reset looks at it."""
    whole = job()
    potential = replace(NEURON, output="membrane", reset=reset)
    head = replace(whole.layers[1], neuron=potential)
    moved = nbytes(network_of(replace(whole, layers=(whole.layers[0], head))), "fp32", neuron)
    each = 4 * 2 * 3 * 10
    assert moved["fc lif"] == 2 * each
    assert moved["fc lif grad"] == tensors * each


def test_neurons_that_learn_read_their_spikes_again() -> None:
    """A tensor more in the backward pass of a fused kernel."""
    whole = job()
    learning = replace(whole.layers[0], neuron=replace(NEURON, learnt=("leak",)))
    moved = nbytes(network_of(replace(whole, layers=(learning, whole.layers[1]))))
    assert moved["conv lif grad"] == nbytes(network_of(whole))["conv lif grad"] + 4 * 1536


def test_cupy_clears_and_copies_what_it_then_writes() -> None:
    """Three cleared, the membrane copied, x read, three written; two cleared, four back: 15."""
    network = network_of(job())
    kernels = training_step(network, "fp32", "cupy")
    moved = [k.nbytes for k in kernels if k.name.startswith("conv lif")]
    assert sum(moved) == (3 + 2 + 4 + 2 + 4) * 4 * 1536


def test_a_membrane_in_fp32_moves_two_bytes_more_each_way() -> None:
    """SpikingJelly 2.0 under AMP: 2 + 2 + 4 bytes a neuron-step forward and backward."""
    moved = nbytes(network_of(job()), "amp", "fused-fp32")
    assert moved["conv lif"] == moved["conv lif grad"] == 8 * 1536


def test_a_strided_view_reads_an_image_less_often() -> None:
    """3 x 3 at stride 2 repeats an element 9/4 times, 1 x 1 leaves out every other row."""
    kernels = {k.name: k for k in training_step(network_named("s-resnet18"), "amp", "fused")}
    strided = [
        k for k in kernels.values() if k.name.endswith(" conv") and k.gemm and k.gemm.reuse < 9
    ]
    reuse = {k.gemm.reuse for k in strided if k.gemm}
    assert reuse == {1 / 4, 9 / 4, 49 / 4} - {49 / 4}
    down = next(k for k in strided if k.gemm and k.gemm.reuse == 1 / 4)
    assert 2 * down.reads[0].nbytes == down.reads[0].storage.nbytes


def test_unfused_forward_launches_eight_kernels_a_step_and_a_stack() -> None:
    """v + (x - v) / tau, threshold, comparison, cast, 1 - s, product: eight; then the stack."""
    kernels = training_step(network_of(job(steps=5)), "fp32", "unfused")
    assert sum(k.name.startswith("conv lif ") and k.phase == "fp" for k in kernels) == 5 * 8 + 1


def test_unfused_backward_bytes_grow_with_the_square_of_the_steps() -> None:
    """Every step adds a gradient of the size of all steps: the second difference is constant."""

    def backward(steps: int) -> int:
        kernels = training_step(network_of(job(steps=steps)), "fp32", "unfused")
        return sum(k.nbytes for k in kernels if k.name.startswith("conv lif grad"))

    moved = [backward(steps) for steps in (2, 3, 4, 5)]
    steps = [later - earlier for earlier, later in pairwise(moved)]
    seconds = [later - earlier for earlier, later in pairwise(steps)]
    assert seconds[0] == seconds[1] == 2 * 4 * (4 * 3 * 256)


def test_batch_normalisation_takes_two_passes_each_way() -> None:
    """Forward reads twice and writes once; backward reads four tensors and writes one."""
    moved = nbytes(with_norm(network_of(job())))
    tensor = 4 * 1536
    assert moved["conv bn statistics"] + moved["conv bn"] == 3 * tensor
    assert moved["conv bn grad statistics"] + moved["conv bn grad"] == 5 * tensor


def test_a_norm_with_numbers_a_step_takes_a_kernel_more_each_way() -> None:
    """Read and written; back the gradient and what was scaled, for the numbers' own gradient."""
    plain = with_norm(network_of(job()))
    first, *others = plain.stages
    stage = replace(first, step_scaled=True, foldable=False)
    by_step = replace(plain, stages=(stage, *others))
    moved, tensor = nbytes(by_step), 4 * 1536
    more = {name: size for name, size in moved.items() if name not in nbytes(plain)}
    assert more == {"conv bn step scale": 2 * tensor, "conv bn step scale grad": 3 * tensor}
    forward = nbytes(replace(by_step, mode="inference"))
    assert forward["conv bn"] == 2 * tensor
    assert "conv bn" not in nbytes(replace(plain, mode="inference"))


def test_a_norm_by_step_is_a_launch_a_step() -> None:
    """The same bytes in as many launches, and a kernel that puts steps together, each way."""
    plain = with_norm(network_of(job()))
    by_step = replace(plain, stages=(replace(plain.stages[0], by_step=True), *plain.stages[1:]))
    kernels = [k for k in training_step(by_step, "fp32", "fused") if " bn" in k.name]
    names = [kernel.name for kernel in kernels]
    for name in ("conv bn statistics", "conv bn", "conv bn grad statistics", "conv bn grad"):
        assert names.count(name) == 2
    copied = [k.nbytes for k in kernels if k.name in ("conv bn cat", "conv bn grad cat")]
    assert copied == [2 * 4 * 1536] * 2
    before = sum(size for name, size in nbytes(plain).items() if " bn" in name)
    assert sum(kernel.nbytes for kernel in kernels) == before + sum(copied)


def test_a_residual_block_has_an_add_each_way() -> None:
    """ResNet18's eight blocks: eight sums, and eight gradients that meet at a block's input."""
    names = [k.name for k in training_step(network_named("s-resnet18"), "amp", "fused")]
    assert sum(name.endswith("gradient add") for name in names) == 8
    assert sum(name.endswith(" add") for name in names) == 8 + 8


def test_imagenet_networks_have_the_counted_sizes() -> None:
    """Neurons, multiply-accumulates and weights without first convolution and linear layers."""
    expected = {
        "s-resnet18": (1.68, 1.70, 11.2),
        "s-vgg16": (10.3, 15.26, 14.7),
        "s-resnet50": (10.3, 3.97, 23.4),
    }
    for name in bundled_networks():
        inner = [s for s in network_named(name).stages[1:] if s.kind == "conv"]
        found = (
            sum(s.outputs for s in inner) / 1e6,
            sum(s.outputs * s.in_shape[0] * s.taps for s in inner) / 1e9,
            sum(s.weights for s in inner) / 1e6,
        )
        assert found == pytest.approx(expected[name], rel=5e-3)


@pytest.mark.parametrize(("precision", "count"), [("amp", 42), ("fp32", 84)])
def test_vgg_bytes_agree_with_the_element_count_of_a_neuron_step(
    precision: str, count: int
) -> None:
    """Conv, BN and LIF both ways: 21 elements a neuron-step, within 5 %, by a published count."""
    network = network_named("s-vgg16")
    kernels = nbytes(network, precision).items()
    moved = sum(found for name, found in kernels if name.startswith("conv"))
    assert moved / (network.images * network.neurons) == pytest.approx(count, rel=0.05)


def test_an_unknown_network_is_refused() -> None:
    """A wrong name is one line that says what there is."""
    with pytest.raises(WorkloadError, match='unknown workload "s-vgg19"'):
        network_named("s-vgg19")


def test_saved_tensors_of_the_published_network() -> None:
    """CIFAR10DVSVGG: 921 600 neurons and 1.362 GMAC a frame, as published."""
    network = cifar10dvs_vgg(8)
    assert network.neurons == 921_600
    macs = sum(s.outputs * s.in_shape[0] * s.taps for s in network.stages)
    assert macs == pytest.approx(1.362e9, rel=1e-3)


def test_a_small_job_fits_in_l2_and_says_so() -> None:
    """Where DRAM need not be touched its bytes are 0 and the comparison is refused."""
    small = baseline(job())
    assert small.fits_in_l2
    assert small.dram_nbytes == 0
    assert "DRAM comparison is not applicable" in small.conditions[-1]


def test_a_large_job_does_not_fit() -> None:
    """4096 images of 4096 neurons: h and spikes alone are 67 MB in FP16, over the 40 MiB of L2."""
    large = baseline(job(64, steps=4, batch=1024))
    assert not large.fits_in_l2
    assert not any("not applicable" in line for line in large.conditions)
    assert 0 < large.dram_nbytes <= large.compulsory_nbytes


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"gpu": "V1000"}, "GPU 'V1000' is unknown; there is A100, V100, H100, H200"),
        ({"precision": "int8"}, "expected one of amp, tf32, fp32, got 'int8'"),
        ({"neuron": "plain"}, "expected one of fused, fused-fp32, cupy, unfused, got 'plain'"),
    ],
)
def test_unknown_choices_are_refused(choice: dict[str, str], text: str) -> None:
    """A wrong name is one line that says what there is."""
    with pytest.raises(ConfigError, match=text):
        baseline(job(), **choice)


# Of FP32_ELEMENTS those of the forward pass: no h, no index of the pool, the mean to the host.
FORWARD_ELEMENTS = {
    "copy from host": (0, 3 * 64),
    "repeat input": (3 * 64, 6 * 64),
    "conv conv": (384 + 36, 1536),
    "conv lif": (1536, 1536),
    "conv pool": (1536, 384),
    "fc linear": (384 + 640, 60),
    "fc lif": (60, 60),
    "mean output": (60, 30),
    "copy to host": (30, 0),
}


def test_inference_has_forward_kernels_alone() -> None:
    """What autograd would save is not written, and nothing follows the output."""
    kernels = baseline(replace(job(), mode="inference"), precision="fp32").kernels
    assert [(k.name, k.read_nbytes, k.write_nbytes) for k in kernels] == [
        (name, 4 * read, 4 * write) for name, (read, write) in FORWARD_ELEMENTS.items()
    ]


def test_inference_folds_statistics_and_casts_weights_before() -> None:
    """No kernel of batch normalisation, no cast of a weight."""
    network = with_norm(network_of(replace(job(), mode="inference")))
    names = [kernel.name for kernel in training_step(network, "amp", "fused")]
    assert not [name for name in names if " bn" in name or "weight cast" in name]
