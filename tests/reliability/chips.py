"""A Hypothesis strategy for chips: overrides of the preset, any of which may be wrong together."""

from __future__ import annotations

from hypothesis import strategies as st

ENGINES = ("fp", "bp", "wg")
BOOLEANS = ("true", "false")
CHOICES: dict[str, tuple[str, ...]] = {
    "core.clock": ("500 MHz", "200 MHz", "1 GHz"),
    "core.pipeline_depth": ("1 cycles", "8 cycles"),
    "core.scan_slots": ("1", "3", "16"),
    "core.queue_depth": ("1", "2", "4"),
    "core.zero_operand_adds": BOOLEANS,
    "core.unit_lanes": ("1", "5", "16"),
    "core.outstanding": ("1", "2", "8"),
    "core.skip_slices": BOOLEANS,
    "core.memory.spikes": ("64 bit", "4 Kib", "256 Kib"),
    "core.memory.weights": ("4 Kib", "18 Kib", "1 Mib"),
    "core.memory.partial_sums": ("4 Kib", "64 Kib"),
    "core.memory.membrane": ("8 Kib", "1 Mib"),
    "core.memory.gradients": ("8 Kib", "1 Mib"),
    "core.memory.spike_gradients": ("8 Kib", "1 Mib"),
    "core.memory.batch_norm": ("8 Kib", "1 Mib"),
    "core.memory.accumulators": ("8 Kib", "1 Mib"),
    "core.memory.optimizer": ("1 Kib", "340 Kib", "1 Mib", "48 Mib"),
    "core.memory.banks": ("1", "4", "16", "64"),
    "precision.weight": ("16 bit", "8 bit"),
    "precision.membrane": ("16 bit", "12 bit"),
    "precision.gradient": ("16 bit", "8 bit"),
    "precision.input": ("16 bit", "8 bit"),
    "precision.partial_sum": ("32 bit", "24 bit"),
    "noc.model": ("packet", "ideal", "router"),
    "noc.clock": ("500 MHz", "250 MHz", "800 MHz"),
    "noc.link": ("128 bit", "8 bit", "512 bit"),
    "noc.router_stages": ("2", "3", "4"),
    "noc.synchroniser": ("1 cycles", "3 cycles"),
    "noc.vcs": ("1", "2", "4"),
    "noc.vc_buffer": ("1", "2", "8"),
    "noc.routing": ("xy", "yx", "west-first"),
    "noc.payload": ("64 B", "256 B", "1 KiB"),
    "noc.header": ("16 B", "0 B", "5 B"),
    "dram.model": ("controller", "ideal"),
    "dram.interleave": ("256 B", "1 KiB", "4 KiB"),
    "dram.read_queue": ("1", "4", "32"),
    "dram.write_queue": ("26", "64"),
    "dram.write_high": ("2", "8", "26"),
    "dram.write_low": ("1", "6"),
    "dram.policy": ("ready-first", "hits-first"),
    "dram.page": ("open", "closed"),
    "dram.latency": ("1 ns", "60 ns"),
    "dram.energy": ("auto", "table", "device", "currents"),
    "mapping.split": (
        "auto", "k", "batch", "spatial", "k+batch", "k+spatial", "batch+spatial",
        "placed", "placed+k", "placed+batch", "placed+spatial", "placed+k+spatial",
    ),
    "mapping.schedule": ("pipelined", "wavefront", "layerwise"),
    "mapping.group": ("1", "2", "3"),
    "mapping.in_flight": ("1", "2", "3"),
    "mapping.search": ("none", "greedy", "local"),
    "mapping.objective": ("time", "energy", "edp", "bytes"),
    "mapping.batch_norm": ("exact", "frozen", "folded"),
    "mapping.static_input": ("once", "every_step"),
    "mapping.state": ("auto", "spill", "keep", "recompute"),
    "mapping.parameters": ("auto", "spill"),
    "core.memory.sharing": ("pool", "separate"),
    "energy": ("neuromc", "cacti28"),
}  # fmt: skip
DEVICES = {
    "LPDDR4-3200": 32, "LPDDR4-2400": 32, "LPDDR5-6400": 16, "DDR3-1600": 64, "DDR4-3200": 64,
    "HBM2-2000": 128, "HBM2E-3200": 64,
}  # fmt: skip
POLICIES = {
    "dataflow": ("weight", "output", "input"),
    "mode": ("dense", "vector", "element"),
    "skip_spikes": BOOLEANS,
    "skip_gradients": BOOLEANS,
    "skip_outputs": BOOLEANS,
    "grid": ("inserted", "compacted"),
}
NO_EFFECT = {
    ("fp", "grid"),
    ("fp", "skip_gradients"),
    ("fp", "skip_outputs"),
    ("bp", "skip_spikes"),
    ("wg", "skip_outputs"),
}
# Keys that are refused unless another has one of these values.
NEEDED = {
    "noc.routing": ("noc.model", "router"),
    "dram.latency": ("dram.model", "ideal"),
    "mapping.group": ("mapping.schedule", "pipelined"),
    "mapping.in_flight": ("mapping.schedule", "pipelined"),
    "mapping.objective": ("mapping.search", "local"),
    "core.queue_depth": ("core.engines.wg.mode", "element"),
    "core.engines.fp.skip_spikes": ("core.engines.fp.mode", "vector"),
    "core.engines.bp.skip_gradients": ("core.engines.bp.mode", "vector"),
    "core.engines.bp.skip_outputs": ("core.engines.bp.mode", "vector"),
    "core.engines.wg.skip_spikes": ("core.engines.wg.mode", "vector"),
    "core.engines.wg.skip_gradients": ("core.engines.wg.mode", "vector"),
}
FIXED = ("cores={cores}", "mesh.columns={columns}", "mesh.rows={rows}")


@st.composite
def chips(draw: st.DrawFn) -> list[str]:
    """Overrides ``key=value`` of preset neuromc-20: mesh and arrays, and up to twelve others."""
    columns, rows = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    cores = draw(st.integers(1, columns * rows))
    sizes = {"columns": columns, "rows": rows, "cores": cores}
    found = [text.format(**sizes) for text in FIXED]
    found += draw(_arrays())
    every = CHOICES | {
        f"core.engines.{engine}.{key}": values
        for engine in ENGINES
        for key, values in POLICIES.items()
        if (engine, key) not in NO_EFFECT
    }
    keys = draw(st.lists(st.sampled_from(sorted(every)), max_size=12, unique=True))
    chosen = {key: draw(st.sampled_from(every[key])) for key in keys}
    if draw(st.integers(0, 9)):  # else they are left to be refused
        chosen |= dict(NEEDED[key] for key in keys if key in NEEDED)
    if chosen.get("mapping.search", "none") != "none":
        chosen["mapping.search_steps"] = "10"
    found += [f"{key}={value}" for key, value in chosen.items()]
    found += draw(_clocks(cores)) + draw(_channels(columns * rows)) + draw(_states())
    return found


@st.composite
def _arrays(draw: st.DrawFn) -> list[str]:
    """One shape for the three arrays; BP has its sides exchanged."""
    if draw(st.booleans()):
        return []
    chunk, tile = (draw(st.sampled_from((4, 8, 16, 24))) for _ in range(2))
    sides = {"fp": (chunk, tile), "bp": (tile, chunk), "wg": (chunk, tile)}
    return [
        f"core.engines.{engine}.{side}={size}"
        for engine in ENGINES
        for side, size in zip(("rows", "cols"), sides[engine], strict=True)
    ]


@st.composite
def _clocks(draw: st.DrawFn, cores: int) -> list[str]:
    """Some cores with a clock of their own."""
    if draw(st.booleans()):
        return []
    last = draw(st.integers(0, cores - 1))
    first = draw(st.integers(0, last))
    clock = draw(st.sampled_from(("400 MHz", "125 MHz", "1 GHz")))
    return [f'core.clocks=["{first}-{last}: {clock}"]']


@st.composite
def _channels(draw: st.DrawFn, nodes: int) -> list[str]:
    """Channels of some device, at the edges, or anywhere."""
    channels = draw(st.sampled_from((1, 2, 3, 4, 6)))
    device = draw(st.sampled_from(list(DEVICES)))
    found = [
        f"dram.channels={channels}",
        f"dram.device={device}",
        f"dram.bus={DEVICES[device]} bit",
    ]
    if draw(st.booleans()):
        at = st.lists(st.integers(0, nodes - 1), min_size=channels, max_size=channels)
        found.append(f"dram.nodes={draw(at)}")
    return found


@st.composite
def _states(draw: st.DrawFn) -> list[str]:
    """An exception to the policy of saved state, at times of a layer that is not there."""
    if draw(st.integers(0, 3)):
        return []
    policy = draw(st.sampled_from(("spill", "keep", "recompute")))
    return [f"mapping.states=[layer{draw(st.integers(0, 2))}={policy}]"]


ORGANISATIONS = ("crossbar", "pb-bmp", "pb-csr", "1:2", "2:4", "3:8")
RULES = ("dense", "density=0.3", "rows=0.5", "tiles=0.4", "magnitude=0.5", "recorded", "2:4")


@st.composite
def pruned_weights(draw: st.DrawFn) -> tuple[list[str], str]:
    """Mostly nothing; else an organisation of the weights, and the rule that prunes them."""
    if draw(st.integers(0, 2)):
        return [], "dense"
    organisation = draw(st.sampled_from(ORGANISATIONS))
    found = [f"core.weights.organisation={organisation}"]
    for key, values in (
        ("layers", ("[layer0=pb-bmp]", "[layer1=crossbar]", "[layer1=2:4,layer0=pb-csr]")),
        ("lookups", ("1", "3")),
        ("rewired", ("0", "0.1", "1")),
    ):
        if not draw(st.integers(0, 2)):
            found.append(f"core.weights.{key}={draw(st.sampled_from(values))}")
    # Any other engine is refused: mostly it is not asked for.
    if draw(st.integers(0, 5)):
        found += [f"core.engines.{engine}.dataflow=weight" for engine in ENGINES]
        found += [f"core.engines.{engine}.mode=vector" for engine in ENGINES]
    rule = draw(st.sampled_from(RULES))
    fitting = organisation if ":" in organisation else rule
    return found, fitting if draw(st.integers(0, 5)) else rule
