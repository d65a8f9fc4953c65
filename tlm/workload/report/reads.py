"""What a layer reads, in a few words."""

from __future__ import annotations

from tlm.workload.held import Held
from tlm.workload.model import NETWORK_INPUT, Layer, Pair, Pool
from tlm.workload.operand import Factor, Line, Operand, Part, Step, Term, Window


def reads(layer: Layer) -> str:
    """The input, or layers multiplied (and), added up (+), side by side (|), pooled all at once.

    What a matmul holds stands in front, the two as they are multiplied (x), turned ones with a '.
    """
    read = _words(layer)
    if layer.input_pool is not None:
        read = f"{pool_words(layer.input_pool)} of {read}"
    if (held := layer.held) is None:
        return read
    turned = (_turned(_words(held), held.transposed), _turned(read, held.input_transposed))
    return " x ".join(turned) + (f" times {held.scale:g}" if held.scale != 1 else "")


def _words(read: Layer | Held) -> str:
    if read.operand is not None:
        return _operand(read.operand)
    return " + ".join(map(_source, read.sources))


def _turned(words: str, transposed: bool) -> str:
    return f"({words})'" if transposed else words


def pool_words(pool: Pool | None) -> str:
    """Kind, window and stride of a pool."""
    if pool is None:
        return "-"
    pad = f" pad {sides(pool.padding)}" if any(pool.padding) else ""
    up = " rounded up" if any(pool.overhang) else ""
    return f"{pool.kind} {sides(pool.size)}/{sides(pool.stride)}{pad}{up}"


def sides(pair: Pair) -> str:
    """Rows and columns; one number if they are equal."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def _source(source: int) -> str:
    return "input" if source == NETWORK_INPUT else str(source)


def _operand(operand: Operand) -> str:
    return " | ".join(map(_part, operand.parts))


def _part(part: Part) -> str:
    return " + ".join(map(_term, part.terms)) or f"{part.channels} zeros"


def _term(term: Term) -> str:
    return " and ".join(map(_factor, term.factors))


def _factor(factor: Factor) -> str:
    words = ("not " if factor.inverted else "") + _source(factor.source)
    words += "".join(map(_step, factor.way))
    return f"{words} of {factor.delay} before" if factor.delay else words


def _step(step: Step) -> str:
    if isinstance(step, Window):
        return "" if step.is_whole else f"[{_window(step)}]"
    assert isinstance(step, Pool)
    return f" {pool_words(step)}"


def _window(window: Window) -> str:
    """Channels, and rows and columns where they are not all."""
    words = [f"{window.start}:{window.stop}"]
    if not (window.rows.is_whole(window.shape[1]) and window.columns.is_whole(window.shape[2])):
        words += [_line(window.rows), _line(window.columns)]
    return ", ".join(words)


def _line(line: Line) -> str:
    words = f"{line.start}:{line.stop}" + (f":{line.step}" if line.step > 1 else "")
    apart = f" every {line.spread}" if line.spread > 1 else ""
    around = f" pad {line.before}/{line.after}" if line.before or line.after else ""
    return f"{words}{f' x{line.repeat}' if line.repeat > 1 else ''}{apart}{around}"
