"""The chip: cores with their engines, the mesh, the DRAM channels, elaborated from a config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from tlm.config.chip import ChipConfig
from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.core.dma import Traffic
from tlm.hardware.core.engine import Engine
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.dram.ideal import IdealDram
from tlm.hardware.dram.policy import DramPolicy
from tlm.hardware.model import SIMPY, ChipModel
from tlm.hardware.noc.load import LinkLoad
from tlm.hardware.noc.network import ChipNetwork
from tlm.hardware.sockets import InitiatorSocket
from tlm.kernel import Environment
from tlm.space.packets import AddressSplit
from tlm.space.phase import ENGINES
from tlm.space.program import Program

TraceRows = list[tuple[int, ...]] | None


def unit_names(chip: ChipConfig, name: str = "chip") -> list[tuple[str, str]]:
    """(path, kind) of every unit with an id in the trace: engines of each core, then channels.

    Paths begin with the ``name`` of the chip.
    """
    engines = [
        (f"{name}.core{core:02d}.{engine}", engine)
        for core in range(chip.cores)
        for engine in ENGINES
    ]
    return engines + [(f"{name}.dram{channel}", "dram") for channel in range(chip.dram.channels)]


def own_clock_ps(chip: ChipConfig, core: int) -> int:
    """The period in ps of a core in a clock domain of its own; 0 if it is in the network's."""
    period = chip.core.period_of(core)
    shared = chip.core.domain(core) is None and period == chip.noc.period_ps
    return 0 if shared else period


@dataclass(frozen=True)
class Site:
    """Where a chip stands: the simulated time it is part of, and its name, which begins its paths.

    Chips of one environment share the time and nothing else. ``model`` has the classes of the
    kernel that the environment is of.
    """

    env: Environment
    name: str = "chip"
    model: ChipModel = SIMPY

    @classmethod
    def of(cls, model: ChipModel) -> Site:
        """A simulated time of its own, on a kernel."""
        return cls(model.environment(), model=model)


class Chip:
    """A built chip with its programs loaded, ready to run.

    Cores sit on the mesh's nodes in row-major order; a DRAM channel shares its node's router with
    the core there but has ports of its own. It stands in an environment of its own if no ``site``
    is given; its run ends, and is settled, when ``finished`` is complete.
    """

    def __init__(
        self,
        config: ChipConfig,
        timing: DramTiming,
        program: Program,
        transactions: TraceRows,
        activity: TraceRows,
        site: Site | None = None,
    ) -> None:
        self.config = config
        self.timing = timing
        self.site = site or Site.of(SIMPY)
        model = self.site.model
        self.env = self.site.env
        is_router = config.noc.model == "router"
        network = model.router_network if is_router else model.packet_network
        self.network: ChipNetwork = network(self.env, config.mesh, config.noc)
        self.traffic: dict[tuple[int, int], Traffic] = model.traffic()
        labels, counts = program.completions.labels, program.completions.counts
        self.completions = [
            model.completion(n, label) for n, label in zip(counts, labels, strict=True)
        ]
        self._cores = [  # terminals in the network
            self.network.attach(core, f"core{core:02d}", clock_ps=own_clock_ps(config, core))
            for core in range(config.cores)
        ]
        self._memories: list[int] = []  # the same, of the DRAM channels
        self.channels = [self._channel(index, node) for index, node in enumerate(config.dram_nodes)]
        self.link_load = LinkLoad(self.network)
        count = config.cores * len(ENGINES)
        self.finished = model.completion(count, "every engine to finish")
        self.engines = self._build_engines(program, transactions, activity)
        for engine in self.engines:
            engine.start(self.finished)

    @property
    def model(self) -> ChipModel:
        """The classes that it is built of: those of its site."""
        return self.site.model

    @property
    def controllers(self) -> list[DramChannel]:
        """The channels that have a controller: all of them, or none where DRAM is ideal."""
        if self.config.dram.model == "ideal":
            return []
        return cast(list[DramChannel], self.channels)

    def settle(self) -> None:
        """At the end of a run: close every engine's account, bring DRAM counters up to now."""
        now = self.env.now
        for engine in self.engines:
            engine.finish(now)
        for channel in self.controllers:
            channel.settle()

    def waiting(self) -> list[str]:
        """One line for each engine that has not finished: what it is at and what it waits for."""
        lines = []
        for engine in self.engines:
            if engine.position < len(engine.tiles):
                tile = engine.tiles[engine.position]
                awaited = engine.waits_for.label if engine.waits_for else "nothing"
                lines.append(
                    f"{engine.path} at {tile.phase.name} layer {tile.layer} sample {tile.sample} "
                    f"waits for {awaited}"
                )
        return lines

    def _build_engines(
        self, program: Program, transactions: TraceRows, activity: TraceRows
    ) -> list[Engine]:
        """Every engine with its DMA, in order of unit numbers."""
        config, idents = self.config, self.model.idents()
        split = AddressSplit.of(config.dram, config.noc, self.timing.burst_bytes)
        engines: list[Engine] = []
        first = config.cores * len(ENGINES)  # unit number of the first channel
        channels = [
            (self._memories[number], first + number, channel.callbacks)
            for number, channel in enumerate(self.channels)
        ]
        cores = {
            name: [(there, core * len(ENGINES) + index) for core, there in enumerate(self._cores)]
            for index, name in enumerate(ENGINES)
        }
        for path, name in unit_names(config, self.site.name)[: config.cores * len(ENGINES)]:
            unit = len(engines)
            core = unit // len(ENGINES)
            socket = InitiatorSocket(f"{path}.dma")
            socket.bind(self.network.send)
            dma = self.model.dma(
                self.env, self.network, split, self._cores[core], unit, config.core.outstanding,
                socket, self.traffic, transactions, idents, program.regions,
            )  # fmt: skip
            dma.connect(channels, cores[name])
            period_ps, tiles = config.core.period_of(core), program.tiles[core][name]
            engine = self.model.engine(path, period_ps, tiles, dma, self.completions, activity)
            engines.append(engine)
        return engines

    def _channel(self, index: int, node: int) -> DramChannel | IdealDram:
        name = f"dram{index}"
        dram = self.config.dram
        clock_ps = self.timing.tck_ps if dram.model == "controller" else 0
        terminal = self.network.attach(node, name, responds=True, clock_ps=clock_ps)
        self._memories.append(terminal)
        port = self.model.memory_port(self.network, terminal)
        if dram.model == "ideal":
            rate = self.timing.peak_bytes_per_ps * 1000
            return self.model.ideal_dram(self.env, dram.latency, rate, port, name)
        policy = DramPolicy(
            read_queue=dram.read_queue,
            write_queue=dram.write_queue,
            write_high=dram.write_high,
            write_low=dram.write_low,
            policy=dram.policy,
            page=dram.page,
        )
        return self.model.channel(self.env, self.timing, port, policy, name)
