"""``gpu``: the same training step on a GPU, modelled."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tlm.cli.options import AsJson, BatchOption, ModeOption, mode_of


class Gpu(StrEnum):
    """Devices of the baseline."""

    A100 = "A100"
    V100 = "V100"
    H100 = "H100"
    H200 = "H200"


class PrecisionOption(StrEnum):
    """Numbers a GPU trains with."""

    AMP = "amp"
    TF32 = "tf32"
    FP32 = "fp32"


class NeuronKernels(StrEnum):
    """How a GPU runs the neurons."""

    FUSED = "fused"
    FUSED_FP32 = "fused-fp32"
    CUPY = "cupy"
    UNFUSED = "unfused"


def gpu(
    workload: Annotated[
        str | None,
        typer.Argument(
            help="A recorded job (a bundled name or a file), or s-resnet18, s-vgg16, s-resnet50."
        ),
    ] = None,
    gpu: Annotated[Gpu, typer.Option("--gpu", case_sensitive=False, help="The GPU.")] = Gpu.A100,
    precision: Annotated[
        PrecisionOption, typer.Option(help="AMP (FP16 with FP32 master weights), TF32 or FP32.")
    ] = PrecisionOption.AMP,
    neuron: Annotated[
        NeuronKernels, typer.Option(help="One fused kernel over all steps, or elementwise ones.")
    ] = NeuronKernels.FUSED,
    mode: ModeOption = None,
    batch: BatchOption = None,
    run_dirs: Annotated[
        list[Path] | None,
        typer.Option(
            "--run", metavar="RUN_DIR", help="Compare with a finished run of it; repeatable."
        ),
    ] = None,
    sweeps: Annotated[
        list[Path] | None,
        typer.Option(
            "--counterfactual",
            metavar="JSON",
            help="With --validate: tlm counterfactual JOB --json, as JOB.json; repeatable.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="How many kernels to list.")] = 10,
    validate: Annotated[
        bool, typer.Option("--validate", help="Check the model against published figures instead.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where --validate writes its page and plots."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Model a training step, or inference, on a GPU, kernel by kernel, beside runs of the chip."""
    from tlm.errors import ConfigError

    if validate and workload is not None:
        raise ConfigError(f"--validate: takes its own networks; leave {workload} out")
    if not validate and (out is not None or sweeps):
        option = "--counterfactual" if sweeps else "--out"
        raise ConfigError(f"{option}: is for --validate; leave it out, or give --validate as well")
    if validate:
        from tlm_analysis.gpu.page.page import write_page

        typer.echo(write_page(out or Path(), run_dirs or [], sweeps or []))
        return
    if workload is None:
        raise ConfigError("no workload: expected a recorded job's name or file, or --validate")
    from tlm_analysis.gpu import screen
    from tlm_analysis.gpu.step.recorded import network_named

    from tlm.cli.tables import Hanging, console

    network = network_named(workload, mode_of(mode), batch)
    if as_json:
        content = screen.figures(network, gpu.value, precision.value, neuron.value, run_dirs or [])
        typer.echo(json.dumps(content, indent=1, allow_nan=False))
        return
    text = screen.screen(
        network,
        gpu=gpu.value,
        precision=precision.value,
        neuron=neuron.value,
        run_dirs=run_dirs or [],
        top=top,
    )
    console().print(*map(Hanging, text.splitlines()), sep="\n")
