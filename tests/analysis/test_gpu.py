from __future__ import annotations

from pathlib import Path

import pytest

from analysis.gpu import baseline
from analysis.gpu.devices import A100
from analysis.gpu.kernels import Kernel
from analysis.gpu.roofline import kernel_time_s
from tlm.errors import ConfigError
from tlm.workload.model import Layer, Pool, Workload
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
        sources=(-1,),
        input_pool=None,
        input_kind="analog",
        bias=False,
        norm=None,
        current_pool=None,
        neuron=NEURON,
        pool=Pool("max", 2, 2),
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
        sources=(0,),
        input_pool=None,
        input_kind="binary",
        bias=False,
        norm=None,
        current_pool=None,
        neuron=NEURON,
        pool=None,
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


# By hand, N = T B = 6 images, FP32: conv in 6*64 = 384, out 6*256 = 1536, pooled 6*64 = 384,
# weights 36; linear in 384, out 60, weights 640. Elements read and written:
FP32_ELEMENTS = {
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


def test_the_first_layer_has_no_input_gradient() -> None:
    """Nothing uses the gradient of the image, so no dgrad kernel computes it."""
    assert "conv dgrad" not in {k.name for k in baseline(job()).kernels}


def test_amp_halves_tensors_and_keeps_the_optimizer_in_fp32() -> None:
    """FP16 halves the LIF's bytes; the update still moves 7 x 4 bytes a weight; casts appear."""
    nbytes = {k.name: k.nbytes for k in baseline(job(), precision="amp").kernels}
    assert nbytes["conv lif"] == 2 * 3 * 1536
    assert nbytes["adam update"] == 28 * 676
    assert nbytes["fc weight cast"] == nbytes["fc gradient cast"] == 6 * 640


def test_sgd_moves_12_bytes_a_weight() -> None:
    """SGD without momentum reads weight and gradient and writes the weight."""
    assert baseline(job(optimizer="sgd")).kernels[-1].nbytes == 12 * 676


def test_fused_lif_moves_12_bytes_a_neuron_step_each_way() -> None:
    """SpikingJelly's fused kernels in FP32: 12 B forward and 12 B backward a neuron-step."""
    nbytes = {k.name: k.nbytes for k in baseline(job(), precision="fp32").kernels}
    assert nbytes["conv lif"] == nbytes["conv lif grad"] == 12 * 1536


def test_plain_neuron_kernels_move_more_and_take_longer() -> None:
    """Eight elementwise kernels a step: 8 times the fused kernel's bytes, and many launches."""
    fused, plain = baseline(job()), baseline(job(), neuron="plain")
    lif = sum(k.nbytes for k in plain.kernels if k.name.startswith("conv lif"))
    assert lif == 8 * sum(k.nbytes for k in fused.kernels if k.name.startswith("conv lif"))
    assert plain.time_s > fused.time_s


def test_kernel_time_is_the_higher_roof_plus_the_floor() -> None:
    """A long copy runs at 0.87 of 1555 GB/s, a big FP16 product at 0.93 of 312 TFLOP/s."""
    copy = Kernel("copy", "elementwise", "fp", 10**9, 10**9, 0)
    assert kernel_time_s(copy, A100, "amp", in_l2=False) == pytest.approx(
        5e-6 + 2e9 / (0.87 * 1555e9)
    )
    assert kernel_time_s(copy, A100, "amp", in_l2=True) == pytest.approx(5e-6 + 2e9 / 7219e9)
    product = Kernel("product", "linear", "fp", 10, 10, 10**12)
    assert kernel_time_s(product, A100, "amp", in_l2=False) == pytest.approx(
        5e-6 + 1e12 / (0.93 * 312e12)
    )


def test_a_small_job_fits_in_l2_and_says_so() -> None:
    """Where DRAM need not be touched its bytes are not comparable and its energy counts as 0."""
    small = baseline(job())
    assert small.fits_in_l2
    assert "DRAM comparison is not applicable" in small.conditions[-1]
    assert small.energy_j_range == pytest.approx((44.3 * small.time_s, 230 * small.time_s))


def test_a_large_job_does_not_fit() -> None:
    """4096 images of 4096 neurons: h and spikes alone are 67 MB in FP16, over the 40 MB of L2."""
    large = baseline(job(64, steps=4, batch=1024))
    assert not large.fits_in_l2
    assert not any("not applicable" in line for line in large.conditions)
    least, most = large.energy_j_range
    assert least == pytest.approx(44.3 * large.time_s + 40e-12 * large.dram_nbytes)
    assert least < most


def test_working_set_by_hand() -> None:
    """FP32: saved input, h, spikes, pooled and indices; two gradients; four tensors a weight."""
    saved = 384 + 2 * 1536 + 384 + 2 * 384 + 2 * 60
    assert baseline(job(), precision="fp32").working_set_nbytes == 4 * (saved + 2 * 1536 + 4 * 676)


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"gpu": "V1000"}, "GPU 'V1000' is unknown; there is A100"),
        ({"precision": "int8"}, "expected one of amp, fp32, got 'int8'"),
        ({"neuron": "cupy"}, "expected one of fused, plain, got 'cupy'"),
    ],
)
def test_unknown_choices_are_refused(choice: dict[str, str], text: str) -> None:
    """A wrong name is one line that says what there is."""
    with pytest.raises(ConfigError, match=text):
        baseline(job(), **choice)
