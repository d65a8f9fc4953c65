"""Switch allocation: which lanes send a flit in this cycle, where their ports are contested.

Each input offers one lane for each output asked for (round-robin over lanes); each output grants
one input and each input accepts one output, in one iteration of iSLIP. An input that accepts
another output leaves the one that granted it idle for the cycle, as the hardware does.
"""

from __future__ import annotations

from collections.abc import Sequence

from tlm.hardware.noc.router.parts import InputPort, Lane, OutputPort, Router

Offers = dict[OutputPort, dict[InputPort, Lane]]


def allocate_switch(router: Router, hopeful: Sequence[Lane] = ()) -> list[Lane]:
    """The lanes granted the switch in this cycle; moves the round-robin pointers.

    ``hopeful`` ask for an output lane in this same cycle and bid on the guess that they get one;
    the switch does not tell them from the others, except for bids of one input for one output.
    """
    firm = [bidder for bidder in router.bidders if bidder.buffered and bidder.down.credit]
    bids = [*firm, *hopeful] if hopeful else firm
    inputs, outputs = len(router.inputs), len(router.outputs)
    if len(bids) < 2:
        accepted = bids
    elif len(bids) == 2 and len(firm) != 1:
        accepted = _of_two(bids[0], bids[1], inputs, outputs)
    else:
        offers = _offers(firm)
        if hopeful:
            for out, row in _offers(hopeful).items():
                offers[out] = row | offers.get(out, {})
        accepted = _accepted(offers, inputs, outputs)
    for bidder in accepted:
        turn_past(bidder)
    return accepted


def _of_two(bidder: Lane, other: Lane, inputs: int, outputs: int) -> list[Lane]:
    """The usual case, in fewer steps: both, or the first from the pointer that decides."""
    port, out = bidder.port, bidder.out
    if port is other.port:
        if out is other.out:
            turn, count = port.lane_turn, len(port.lanes)
            first = (bidder.index - turn) % count < (other.index - turn) % count
        else:
            turn = port.output_turn
            first = (out.index - turn) % outputs < (other.out.index - turn) % outputs
    elif out is other.out:
        turn = out.input_turn
        first = (port.index - turn) % inputs < (other.port.index - turn) % inputs
    else:
        return [bidder, other]
    return [bidder if first else other]


def turn_past(bidder: Lane) -> None:
    """Move the pointers of a bidder's ports behind it."""
    port, out = bidder.port, bidder.out
    out.input_turn = port.index + 1
    port.output_turn = out.index + 1
    port.lane_turn = bidder.index + 1


def _offers(bids: Sequence[Lane]) -> Offers:
    """For every output asked for, the lane that each input offers."""
    offers: Offers = {}
    for bidder in bids:
        port = bidder.port
        row = offers.get(bidder.out)
        if row is None:
            offers[bidder.out] = {port: bidder}
            continue
        other = row.get(port)
        count = len(port.lanes)
        if (
            other is None
            or (bidder.index - port.lane_turn) % count < (other.index - port.lane_turn) % count
        ):
            row[port] = bidder
    return offers


def _accepted(offers: Offers, inputs: int, outputs: int) -> list[Lane]:
    """Grant at every output, accept at every input."""
    accepted: dict[InputPort, Lane] = {}
    for out, row in offers.items():
        if len(row) == 1:
            ((port, bidder),) = row.items()
        else:
            port = _granted(out, row, inputs)
            bidder = row[port]
        other = accepted.get(port)
        turn = port.output_turn
        if other is None or (out.index - turn) % outputs < (other.out.index - turn) % outputs:
            accepted[port] = bidder
    return list(accepted.values())


def _granted(out: OutputPort, row: dict[InputPort, Lane], inputs: int) -> InputPort:
    """The first input from the output's pointer on."""
    return min(row, key=lambda port: (port.index - out.input_turn) % inputs)
