from __future__ import annotations

import json
from pathlib import Path

import pytest
from tlm_analysis.gpu.baseline import network_baseline
from tlm_analysis.gpu.device.devices import A100
from tlm_analysis.gpu.measure import main, measure_windows, summarise
from tlm_analysis.gpu.measuring.measured import kernel_class, model_class
from tlm_analysis.gpu.measuring.ncu import add_counters, read_counters
from tlm_analysis.gpu.step.recorded import network_named

from tlm.errors import TraceError
from tlm.workload import open_workload

# As ncu 2023.3 prints it with --csv --print-units base: its own lines and the program's, then a
# table with one row a kernel and counter. Names hold commas; kernels come in the order of launch.
HEAD = (
    '"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size",'
    '"Grid Size","Device","CC","Section Name","Metric Name","Metric Unit","Metric Value"'
)
BATCH_NORM = (
    "void cudnn::bn_fw_tr_1C11_kernel_NCHW<__half2, float, 512, true, 1, true>"
    "(cudnnTensorStruct, const T1 *)"
)
PRODUCT = "sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc_nchw_tilesize128x128x32"
NEURONS = "_forward_kernel"


def row(number: int, kernel: str, counter: str, value: str, unit: str = "byte") -> str:
    """One line of the table."""
    section = "Command line profiler metrics"
    fields = (number, 4711, "python3.11", "127.0.0.1", kernel, 1, 7, "(256, 1, 1)", "(784, 1, 1)")
    rest = (0, "8.0", section, f"dram__bytes_{counter}.sum", unit, value)
    return ",".join(f'"{field}"' for field in (*fields, *rest))


LOG = "\n".join(
    (
        "==PROF== Connected to process 4711 (/usr/bin/python3.11)",
        '==PROF== Profiling "_forward_kernel" - 10: 0%....50%....100% - 1 pass',
        "==PROF== Disconnected from process 4711",
        HEAD,
        row(0, PRODUCT, "read", "25,690,112"),
        row(0, PRODUCT, "write", "9633792"),
        row(1, BATCH_NORM, "read", "51380224"),
        row(1, BATCH_NORM, "write", "0"),
        row(10, NEURONS, "read", "1.5", "Mbyte"),
        row(10, NEURONS, "write", "1,024", "Kbyte"),
        row(2, "void at::native::vectorized_elementwise_kernel<4>(int)", "read", "64"),
        row(2, "void at::native::vectorized_elementwise_kernel<4>(int)", "write", "32"),
    )
)


def test_counters_of_a_profiler_log_by_kernel() -> None:
    """Units are read, thousands separators too, and kernels come in the order of launch."""
    found = read_counters(LOG.splitlines())
    assert [kernel["name"][:12] for kernel in found] == [
        PRODUCT[:12],
        BATCH_NORM[:12],
        "void at::nat",
        NEURONS[:12],
    ]
    assert found[0] == {
        "name": PRODUCT,
        "dram_read_nbytes": 25_690_112,
        "dram_write_nbytes": 9_633_792,
    }
    assert found[-1] == {
        "name": NEURONS,
        "dram_read_nbytes": 1_500_000,
        "dram_write_nbytes": 1_024_000,
    }


@pytest.mark.parametrize(
    ("log", "text"),
    [
        ("nothing\n", "no DRAM counters"),
        (LOG.replace('"byte"', '"sector"'), "unit"),
        (f"{HEAD}\n{row(3, PRODUCT, 'read', '8')}", r"kernel 3 .* has no dram_write_nbytes"),
    ],
)
def test_a_log_without_counters_is_refused(tmp_path: Path, log: str, text: str) -> None:
    """One line says what was expected of which file."""
    (tmp_path / "m.json").write_text("{}")
    (tmp_path / "log.csv").write_text(log)
    with pytest.raises(TraceError, match=text):
        add_counters(tmp_path / "m.json", tmp_path / "log.csv")


def test_counters_join_a_measurement(tmp_path: Path) -> None:
    """The sums of both directions stand beside the kernels."""
    (tmp_path / "m.json").write_text('{"time_s": {"median": 1.0}}')
    (tmp_path / "log.csv").write_text(LOG)
    found = json.loads(add_counters(tmp_path / "m.json", tmp_path / "log.csv").read_text())
    assert found["dram_read_nbytes"] == 25_690_112 + 51_380_224 + 1_500_000 + 64
    assert found["time_s"] == {"median": 1.0}


def test_windows_divide_time_and_energy_by_steps() -> None:
    """A step of 0.1 s and 2 J, counted over windows of at least a second."""
    steps = [0]

    def run() -> None:
        steps[0] += 1

    windows = measure_windows(run, lambda: steps[0] / 10, lambda: 2.0 * steps[0], 1.0, 3)
    assert steps[0] == 30
    assert windows == [pytest.approx((0.1, 2.0))] * 3
    assert summarise(windows)["board_energy_j"]["median"] == pytest.approx(2.0)


def test_energy_is_null_without_a_counter() -> None:
    """No number is made up where the board cannot be read."""
    assert summarise([(1.0, None), (3.0, None)]) == {
        "windows": 2,
        "time_s": {"median": 2.0, "q1": 1.5, "q3": 2.5},
        "board_energy_j": None,
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (PRODUCT, "products"),
        (BATCH_NORM, "normalisation"),
        (NEURONS, "neurons"),
        ("void at::native::(anonymous)::max_pool_forward_nchw<c10::Half>(int)", "pooling"),
        ("void at::native::multi_tensor_apply_kernel<FusedAdamMathFunctor<float>>()", "optimizer"),
        ("void at::native::vectorized_elementwise_kernel<4>(int)", "other"),
    ],
)
def test_kernels_of_pytorch_by_class(name: str, expected: str) -> None:
    """Names as PyTorch, cuDNN and SpikingJelly launch them."""
    assert kernel_class(name) == expected


def test_every_class_has_kernels_in_the_model() -> None:
    """The residual job has them all; unfused neurons are elementwise launches like others."""
    network = network_named("cifar-sew")
    classes = [model_class(k, "fused") for k in network_baseline(network, A100).kernels]
    assert set(classes) == {
        "products",
        "normalisation",
        "neurons",
        "pooling",
        "optimizer",
        "other",
    }
    unfused = network_baseline(network, A100, neuron="unfused").kernels
    assert "neurons" not in {model_class(kernel, "unfused") for kernel in unfused}


def measurement(folder: Path, **changed: object) -> Path:
    """A measurement of cifar-sew on an A100, with its counters."""
    found = {
        "workload": "cifar-sew",
        "sha256": open_workload("cifar-sew").sha256,
        "precision": "amp",
        "neuron": "fused",
        "conditions": {"gpu": "NVIDIA A100-SXM4-40GB"},
        "time_s": {"median": 1e-3, "q1": 0.9e-3, "q3": 1.1e-3},
        "board_energy_j": {"median": 0.2, "q1": 0.19, "q3": 0.21},
        "peak_nbytes": 2**25,
    }
    path, log = folder / "a100.json", folder / "step.csv"
    path.write_text(json.dumps(found | changed))
    log.write_text(LOG)
    return add_counters(path, log)


def test_a_measurement_stands_beside_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Time, energy, memory and bytes by class, each with the model's error."""
    path = measurement(tmp_path)
    assert main(["cifar-sew", "--compare", str(path)]) == 0
    text = capsys.readouterr().out
    assert "1,000.00 (900.00 to 1,100.00)" in text
    for what in ("board energy, mJ", "peak memory, MiB", "DRAM MB, all kernels", "normalisation"):
        assert what in text
    model = network_baseline(network_named("cifar-sew"), A100)
    assert f"{model.time_s / 1e-3 - 1:+.1%}" in text


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"sha256": "0"}, "expected a measurement of cifar-sew"),
        ({"conditions": {"gpu": "NVIDIA T4"}}, "measured on NVIDIA T4; the model knows A100"),
        ({"conditions": {}}, "measured on a CPU"),
    ],
)
def test_a_measurement_of_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, object], text: str
) -> None:
    """One line says what was expected."""
    path = measurement(tmp_path, **changed)
    assert main(["cifar-sew", "--compare", str(path)]) == 2
    assert text in capsys.readouterr().err


def test_a_dry_run_on_the_cpu(tmp_path: Path) -> None:
    """The step trains on the CPU, and the file names versions and conditions."""
    torch = pytest.importorskip("torch")
    out = tmp_path / "cpu.json"
    words = ["mnist-fc", "--device", "cpu", "--precision", "fp32", "--neuron", "unfused"]
    assert main([*words, "--window", "0.01", "--windows", "1", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["time_s"]["median"] > 0
    assert found["conditions"]["torch"] == torch.__version__


def test_the_cpu_refuses_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    """AMP and fused neurons need a GPU; the line says what to give instead."""
    assert main(["mnist-fc", "--device", "cpu"]) == 2
    assert "--precision fp32 --neuron unfused" in capsys.readouterr().err
