"""Two cores whose programs are made by hand."""

from __future__ import annotations

from tests.hardware.kernels import tuples
from tests.program.jobs import IDEAL_DRAM, loaded_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.kernel import run_until
from tlm.space.phase import ENGINES, Command, Phase
from tlm.space.program import Completions, Program
from tlm.space.tile import Message, Tile
from tlm.space.trace_rows import EngineState

CYCLE = 2000  # ps, 500 MHz, cores and network alike
LATENCY = 60_000  # ps of the ideal DRAM
TWO_CORES = (
    IDEAL_DRAM, "mesh.columns=2", "mesh.rows=1", "cores=2", "dram.channels=1", "dram.nodes=[0]",
)  # fmt: skip
FP0, BP0, WG0, FP1 = (0, "fp"), (0, "bp"), (0, "wg"), (1, "fp")
UNIT = {FP0: 0, BP0: 1, WG0: 2, FP1: 3}


class Bench:
    """Two cores in a row, one DRAM channel beside core 0, tiles made by hand."""

    def __init__(self, kernel, *overrides):
        self.kernel = kernel
        self.config = loaded_chip(*TWO_CORES, *overrides).config
        self.timing = load_dram_timing(self.config.dram.device)
        self.done = Completions()
        self.tiles = [{engine: [] for engine in ENGINES} for _ in range(2)]
        self.transactions, self.activity = [], []

    def add(self, where, cycles=0, **fields):
        """Append a tile to an engine's program, of its array unless ``phase`` is another."""
        core, engine = where
        phases = {"fp": Phase.FP, "bp": Phase.BP, "wg": Phase.WG}
        phase = fields.pop("phase", phases[engine])
        tile = Tile(phase, 0, len(self.tiles[core][engine]), 1, 0, 1, cycles, **fields)
        self.tiles[core][engine].append(tile)
        return tile

    def message(self, core, nbytes, ident):
        """A message of spikes that counts towards a completion."""
        self.done.expect(ident, max(1, -(-nbytes // 256)))
        return Message(Command.SPIKE, core, nbytes, (ident,))

    def run(self):
        """The chip, run to the end; what it leaves is in ``transactions`` and ``activity``."""
        program = Program(self.tiles, self.done)
        self.chip, *tables = self.kernel.chip(self.config, self.timing, program)
        run_until(self.chip.env, self.chip.finished)
        self.chip.settle()
        self.transactions, self.activity = map(tuples, tables)
        return self.chip

    def intervals(self, where):
        """(what, begin, end) of an engine, in ps, without idling."""
        return [
            (row[3], row[1], row[2])
            for row in self.activity
            if row[0] == UNIT[where] and row[3] != EngineState.IDLE
        ]

    def bus(self, nbytes):
        """ps the DRAM bus is busy with some bytes."""
        return int(-(-nbytes * 1000 // (self.timing.peak_bytes_per_ps * 1000)))

    def read_ps(self, nbytes, hops=0):
        """Zero-load time of one read: request, bus, latency, response."""
        return mesh_ps(hops, 0) + self.bus(nbytes) + LATENCY + mesh_ps(hops, nbytes)


def mesh_ps(hops, nbytes):
    """Zero-load time of a packet with a 16 B header on 128 bit links, 3 router stages."""
    flits = -(-(nbytes + 16) // 16)
    return ((hops + 1) * 4 + flits + 1) * CYCLE
