"""One run in its folder: manifest, model and trace; every way it can end has its status."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from tlm.config.resolved import resolved_yaml
from tlm.errors import (
    DISK_FULL,
    DeadlockError,
    DiskFullError,
    InterruptedRunError,
    OutOfMemoryError,
    TlmError,
)
from tlm.hardware.chip import Chip, Site, unit_names
from tlm.hardware.energy import EnergyRow, energy_rows
from tlm.hardware.waits import wait_graph
from tlm.kernel import StuckError, collector_paused, run_until
from tlm.laws import Bill, Check, check_run
from tlm.running.cost import RunCost, SimulationCost
from tlm.running.figures.energy import energy_part
from tlm.running.figures.summary import summarise
from tlm.running.folder import release, release_reserve, sha256, write_atomic
from tlm.running.interrupts import Abort, StopRequest
from tlm.running.kernels import kernel_of
from tlm.running.manifest import Manifest, RunInputs
from tlm.running.memory import memory_limit, peak_bytes
from tlm.running.partial import partial_summary
from tlm.running.preparation import PreparedRun
from tlm.running.request import RunProgress, RunRequest, RunResult
from tlm.running.results import digests, file_digest, write_partial, write_results, write_waits
from tlm.storage.mapping_file import mapping_text
from tlm.trace.schema import FILE_NAME
from tlm.trace.summary import Summary
from tlm.trace.writer import TraceWriter
from tlm.version import __version__
from tlm.workload.job_file import FILE_NAME as JOB_NAME
from tlm.workload.job_file import drawn_job_text


class _Clocks:
    """Wall and processor time from the beginning of a simulation on."""

    def __init__(self, started: float, kernel: str) -> None:
        self.kernel = kernel
        self.started = started  # when the run began to load
        self.wall = time.perf_counter()
        self.processor = time.process_time()

    def cost(self, events: int, transactions: int, writer: TraceWriter) -> SimulationCost:
        """What a simulation that ends now has taken."""
        now = time.perf_counter()
        wall_s = now - self.wall
        return SimulationCost(
            events=events,
            transactions=transactions,
            events_per_transaction=events / max(1, transactions),
            simulation_wall_s=wall_s,
            simulation_cpu_s=time.process_time() - self.processor,
            transactions_per_s=transactions / wall_s,
            total_wall_s=now - self.started,
            peak_rss_mib=peak_bytes() / 2**20,
            trace_truncated=writer.truncated,
            kernel=self.kernel,
        )


class Execution:
    """A run whose folder is made and locked; ``run`` takes it to its end, and only once."""

    def __init__(
        self,
        prepared: PreparedRun,
        request: RunRequest,
        folder: Path,
        stop: StopRequest,
        cost: RunCost,
    ) -> None:
        self.prepared = prepared
        self.request = request
        self.folder = folder
        self.stop = stop
        self.kernel = kernel_of(request.kernel)
        self.on_progress: Callable[[RunProgress], None] | None = None
        self.writer: TraceWriter | None = None
        self.manifest = self._begin(cost)

    def run(self, started: float, on_progress: Callable[[RunProgress], None] | None) -> RunResult:
        """Simulate and write; whatever happens, the manifest says how it ended.

        ``started`` is the wall time at which the run began to load, by ``time.perf_counter``.
        """
        self.on_progress = on_progress
        try:
            with memory_limit(self.request.mem_bytes):
                return self._simulate(started)
        except MemoryError:
            self._close_trace()
            self._end("out-of-memory")
            raise OutOfMemoryError(
                f"{self.folder}: memory ran out during the run; raise --mem, or choose a smaller "
                "batch or fewer steps"
            ) from None
        except BaseException as error:
            text = str(error) if isinstance(error, TlmError) else f"{type(error).__name__}: {error}"
            self._close_trace()
            self._end(_status(error), reason=text)
            raise

    def _begin(self, cost: RunCost) -> Manifest:
        """The manifest, before anything else; without room even for it, nothing is left."""
        try:
            return Manifest(self.folder, self.request, _inputs(self.prepared), cost)
        except TlmError:
            release(self.folder)
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            raise

    def _close_trace(self) -> None:
        """Leave the trace of a run that ends early as far as it got."""
        if self.writer is not None:
            with contextlib.suppress(TlmError):
                self.writer.close(complete=False)

    def _end(
        self, status: str, cost: SimulationCost | None = None, reason: str | None = None
    ) -> None:
        release_reserve(self.folder)
        self.manifest.close(status, digests(self.folder), cost, reason)

    def _simulate(self, started: float) -> RunResult:
        prepared, trace = self.prepared, self.request.trace
        job = drawn_job_text(prepared.asked)
        if job is not None:
            write_atomic(self.folder / JOB_NAME, job)
        write_atomic(self.folder / "config.resolved.yaml", resolved_yaml(prepared.chip))
        write_atomic(self.folder / "mapping.yaml", mapping_text(prepared.plan))
        writer = self.writer = self._new_writer()
        with self.stop.urgent("the building of the chip"), collector_paused():
            chip = Chip(
                prepared.chip.config,
                prepared.timing,
                prepared.program,
                writer.transactions if trace == "transaction" else None,
                writer.activity if trace != "off" else None,
                Site.of(self.kernel.model),
            )
        began = _Clocks(started, self.kernel.name)
        try:
            events = self._events(chip, writer)
            chip.settle()
            writer.close(complete=True)
            cost = began.cost(events, _queued(chip), writer)
            with self.stop.urgent("the check of the laws"), collector_paused():
                summary, rows, checks = self._figures(chip)
        except (DeadlockError, InterruptedRunError) as error:
            self._write_partial(chip, _status(error))
            raise
        finally:
            chip.env.clear()
        release_reserve(self.folder)
        write_results(self.folder, summary, rows, checks)
        full = cost.trace_truncated == "disk-full" and summary.ok
        self._end("disk-full" if full else summary.status, cost=cost)
        return RunResult(self.folder, summary, prepared.workload, prepared.chip, cost)

    def _figures(self, chip: Chip) -> tuple[Summary, list[EnergyRow], list[Check]]:
        """The figures of a run that reached its end, checked."""
        prepared = self.prepared
        rows = energy_rows(chip, prepared.chip.energy)
        bill = Bill(rows, energy_part(rows).total_pj, prepared.chip.energy)
        checks = check_run(chip, prepared.program, prepared.due, bill)
        return summarise(chip, prepared, rows, checks), rows, checks

    def _new_writer(self) -> TraceWriter:
        attributes = {"tlm_version": __version__, "workload_sha256": self.prepared.workload.sha256}
        return self.kernel.writer(
            self.folder / FILE_NAME,
            self.request.trace,
            attributes,
            self.prepared.config_text,
            unit_names(self.prepared.chip.config),
            self.request.limits,
        )

    def _events(self, chip: Chip, writer: TraceWriter) -> int:
        """Run to the end; returns the number of kernel events."""
        tiles = sum(len(engine.tiles) for engine in chip.engines)

        def look(now: int, _: int) -> None:
            chip.link_load.look(now)
            writer.flush_if_due()
            if self.stop.exit_code:
                raise InterruptedRunError(
                    f"interrupted after {now / 1e6:,.1f} us of simulated time; what was done so "
                    f"far is in {self.folder}",
                    self.stop.exit_code,
                )
            if self.on_progress is not None:
                done = sum(engine.position for engine in chip.engines)
                self.on_progress(RunProgress(now, _queued(chip), done, tiles))

        try:
            return run_until(chip.env, chip.finished, look, lambda: _work_done(chip))
        except StuckError as error:
            waiting = chip.waiting()
            raise DeadlockError(
                f"deadlock: {error}; {wait_graph(chip).explain()}; {len(waiting)} engines wait: "
                + "; ".join(waiting[:3])
            ) from error

    def _write_partial(self, chip: Chip, status: str) -> None:
        self._close_trace()
        release_reserve(self.folder)
        if status == "deadlock":
            write_waits(self.folder, wait_graph(chip))
        rows = energy_rows(chip, self.prepared.chip.energy)
        write_partial(self.folder, partial_summary(status, chip, self.prepared.plan, rows))


def _status(error: BaseException) -> str:
    """What the manifest calls this end."""
    if isinstance(error, DeadlockError):
        return "deadlock"
    if isinstance(error, InterruptedRunError | KeyboardInterrupt | Abort):
        return "interrupted"
    is_full = isinstance(error, OSError) and error.errno in DISK_FULL
    return "disk-full" if is_full or isinstance(error, DiskFullError) else "error"


def _queued(chip: Chip) -> int:
    """Transactions handed to a DMA so far."""
    return sum(t.transactions for t in chip.traffic.values())


def _work_done(chip: Chip) -> int:
    """Tiles begun and transactions ended so far: it grows for as long as a run gets anywhere."""
    tiles = sum(engine.position for engine in chip.engines)
    in_flight = sum(e.dma.outstanding + len(e.dma.queue) for e in chip.engines)
    return tiles + _queued(chip) - in_flight


def _inputs(prepared: PreparedRun) -> RunInputs:
    return RunInputs(
        workload=prepared.workload.name,
        workload_sha256=prepared.workload.sha256,
        iteration=prepared.recording.iteration,
        chip=prepared.chip.config.name,
        config_sha256=sha256(prepared.config_text),
        energy_table=prepared.chip.energy.name,
        energy_sha256=file_digest(prepared.chip.energy.path),
        dram_device=prepared.timing.name,
        dram_sha256=sha256(repr(prepared.timing)),
        seed=prepared.workload.seed,
    )
