"""Keys that change nothing, because of what another key says: whoever sets one is told so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tlm.config.chip import ChipConfig
from tlm.config.key_lines import KeyPath

# Zeros that an engine never meets, so that there is nothing to look for.
_NEVER_MET = {
    ("fp", "skip_gradients"): "FP reads no gradients",
    ("fp", "skip_outputs"): "FP needs every output",
    ("bp", "skip_spikes"): "BP reads no spikes",
    ("wg", "skip_outputs"): "WG needs every output",
}
_SKIPPING = ("skip_spikes", "skip_gradients", "skip_outputs")


def _organisations(chip: ChipConfig) -> list[str]:
    weights = chip.core.weights
    return [weights.organisation, *(organisation for _, organisation in weights.layers)]


def _looked_up(chip: ChipConfig) -> bool:
    return any(organisation.startswith("pb-") for organisation in _organisations(chip))


# Where the first holds, the keys change nothing; why, and what would give them an effect.
_IDLE: tuple[tuple[Callable[[ChipConfig], bool], tuple[str, ...], str], ...] = (
    (
        lambda chip: chip.noc.model != "router",
        ("noc.routing",),
        "only noc.model=router has other routes than xy",
    ),
    (
        lambda chip: chip.dram.model == "controller",
        ("dram.latency",),
        "only dram.model=ideal has a fixed latency",
    ),
    (
        lambda chip: chip.dram.model == "ideal",
        ("dram.read_queue", "dram.write_queue", "dram.write_high", "dram.write_low", "dram.page"),
        "only dram.model=controller has queues and rows",
    ),
    (
        lambda chip: chip.mapping.schedule != "pipelined",
        ("mapping.group", "mapping.in_flight"),
        "only mapping.schedule=pipelined forms groups of samples",
    ),
    (
        lambda chip: chip.mapping.search == "none",
        ("mapping.search_steps", "mapping.objective"),
        "nothing is searched; set mapping.search=greedy or local",
    ),
    (
        lambda chip: all(engine.mode == "dense" for _, engine in chip.core.engines),
        ("core.scan_slots",),
        "no engine looks for zeros; set a mode to vector or element",
    ),
    (
        lambda chip: not _looked_up(chip),
        ("core.weights.lookups",),
        "only weights of pb-bmp and pb-csr are looked up one by one",
    ),
    (
        lambda chip: set(_organisations(chip)) == {"crossbar"},
        ("core.weights.rewired",),
        "a crossbar has no tables beside its weights",
    ),
    (
        lambda chip: all(engine.mode != "element" for _, engine in chip.core.engines),
        ("core.queue_depth",),
        "only engines of mode element have queues",
    ),
)


def never_met(chip: ChipConfig) -> Iterator[tuple[KeyPath, str]]:
    """The ``skip_*`` that are true of zeros their engine never meets, and why it does not."""
    for name, engine in chip.core.engines:
        for policy in _SKIPPING:
            if getattr(engine, policy) and (name, policy) in _NEVER_MET:
                yield (
                    ("core", "engines", name, policy),
                    f"{_NEVER_MET[name, policy]}, so it has no effect; set it to false",
                )


def idle(chip: ChipConfig) -> Iterator[tuple[KeyPath, str]]:
    """The keys that change nothing on ``chip``, each with the reason; a value must still stand."""
    for holds, keys, reason in _IDLE:
        if holds(chip):
            for key in keys:
                yield tuple(key.split(".")), f"has no effect: {reason}; or leave it out"
    for name, engine in chip.core.engines:
        for policy in _SKIPPING:
            if engine.mode == "dense" and getattr(engine, policy):
                yield (
                    ("core", "engines", name, policy),
                    f"has no effect: mode dense skips nothing; set it to false, or the mode of "
                    f"{name} to vector or element",
                )
