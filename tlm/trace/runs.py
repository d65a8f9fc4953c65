"""Deflate that seeks runs alone, in fixed codes (RFC 1951): bytes, and matches of distance 1."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

LONGEST = 258  # bytes that a match repeats at most
SHORTEST = 3  # and at least
BEGIN = (0b010, 3)  # bits, and how many: a block of fixed codes, not the last one
END = ((0, 7), (0, 3))  # its end; then a stored block without a byte, so that bytes begin anew
EMPTY = b"\x00\x00\xff\xff"  # what follows the head of such a block

Code = tuple[int, int]


@lru_cache(maxsize=1024)
def deflated_run(value: int, count: int) -> bytes:
    """Blocks of deflate for ``count`` equal bytes."""
    return deflated_runs(np.full(count, value, np.uint8))


def deflated_runs(octets: npt.NDArray[np.uint8]) -> bytes:
    """Blocks of deflate for some bytes, at least one; they end with a whole byte."""
    firsts = np.flatnonzero(np.append(True, octets[1:] != octets[:-1]))
    longest, rest = np.divmod(np.diff(np.append(firsts, len(octets))) - 1, LONGEST)
    matched = rest >= SHORTEST
    count = 1 + longest + np.where(matched, 1, rest)  # codes of each run
    end = np.cumsum(count)
    place = np.arange(end[-1]) - np.repeat(end - count, count)  # of a code in its run
    codes = np.repeat(_LITERALS[octets[firsts]], count, axis=0)
    codes[(place > 0) & (place <= np.repeat(longest, count))] = _MATCHES[LONGEST]
    codes[end[matched] - 1] = _MATCHES[rest[matched]]
    return _packed(np.vstack([BEGIN, codes, *END]).astype("<u4")) + EMPTY


def _packed(codes: npt.NDArray[np.uint32]) -> bytes:
    """Codes [code, (bits, how many)] one behind the other, lowest bit first."""
    octets = np.ascontiguousarray(codes[:, 0]).view(np.uint8).reshape(-1, 4)
    bits = np.unpackbits(octets, axis=1, bitorder="little")
    return np.packbits(bits[np.arange(32) < codes[:, 1:]], bitorder="little").tobytes()


def _reversed(code: int, length: int) -> int:
    """Huffman codes begin with their highest bit, all else with its lowest."""
    return int(f"{code:0{length}b}"[::-1], 2)


def _literal(value: int) -> Code:
    """The code of a byte."""
    code, length = (0x30 + value, 8) if value < 144 else (0x190 + value - 144, 9)
    return _reversed(code, length), length


def _match(count: int) -> Code:
    """The code that repeats the byte before: the length, its extra bits, and distance 1."""
    beyond = count - SHORTEST
    extra = max(0, beyond.bit_length() - 3)
    symbol = 257 + 4 * extra + (beyond >> extra)
    if count == LONGEST:
        symbol, extra = 285, 0
    code, length = (symbol - 256, 7) if symbol < 280 else (0xC0 + symbol - 280, 8)
    bits = _reversed(code, length) | (beyond & ((1 << extra) - 1)) << length
    return bits, length + extra + 5  # distance 1 is five zeros


_LITERALS = np.array([_literal(value) for value in range(256)])
_MATCHES = np.array([_match(max(count, SHORTEST)) for count in range(LONGEST + 1)])
