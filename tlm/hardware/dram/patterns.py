"""Address patterns that exercise a DRAM channel: pure functions of name, length and geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tlm.config.tables.dram_timing import DramTiming
from tlm.errors import ConfigError
from tlm.files import read_regular

READ, WRITE = 0, 1
DramRequest = tuple[int, int]  # command, byte address
_MASK = (1 << 64) - 1
_MAX_BYTES = 1 << 30  # of a file of requests
_COMMANDS = {"R": READ, "LD": READ, "READ": READ, "W": WRITE, "ST": WRITE, "WRITE": WRITE}


@dataclass(frozen=True, slots=True)
class PatternGeometry:
    """Sizes in bytes that patterns are laid out by.

    ``line`` is a request, ``page`` the step to the next row buffer, ``row_stride`` the step to
    the next row of the same bank, ``span`` the memory touched.
    """

    line: int = 64
    page: int = 8192
    row_stride: int = 131072
    span: int = 1 << 28


def _random(seed: int = 12345) -> Iterator[int]:
    """Knuth's MMIX generator, upper 31 bits: the same numbers in any language."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) & _MASK
        yield state >> 33


def _sequential(command: int) -> Callable[[int, PatternGeometry], Iterator[DramRequest]]:
    return lambda n, g: ((command, i * g.line) for i in range(n))


def _uniform(command: int) -> Callable[[int, PatternGeometry], Iterator[DramRequest]]:
    def pattern(n: int, g: PatternGeometry) -> Iterator[DramRequest]:
        numbers = _random()
        return ((command, next(numbers) % (g.span // g.line) * g.line) for _ in range(n))

    return pattern


def _one_bank(n: int, g: PatternGeometry) -> Iterator[DramRequest]:
    rows = g.span // g.row_stride
    for i in range(n):
        turn, row = divmod(i, rows)
        yield READ, row * g.row_stride + turn % (g.page // g.line) * g.line


def _two_rows(n: int, g: PatternGeometry) -> Iterator[DramRequest]:
    for i in range(n):
        yield READ, (i & 1) * g.row_stride + (i >> 1) % (g.page // g.line) * g.line


def _page_stride(n: int, g: PatternGeometry) -> Iterator[DramRequest]:
    for i in range(n):
        turn, offset = divmod(i * g.page, g.span)
        yield READ, offset + turn % (g.page // g.line) * g.line


def _three_streams(n: int, g: PatternGeometry) -> Iterator[DramRequest]:
    for i in range(n):
        step, stream = divmod(i, 3)
        command = WRITE if stream == 2 else READ
        yield command, stream * (g.span // 4 + 5 * g.page) + step * g.line


def _random_mix(n: int, g: PatternGeometry) -> Iterator[DramRequest]:
    numbers = _random()
    for _ in range(n):
        address = next(numbers) % (g.span // g.line) * g.line
        yield (WRITE if next(numbers) % 3 == 0 else READ), address


def _four_streams(stagger: int) -> Callable[[int, PatternGeometry], Iterator[DramRequest]]:
    def pattern(n: int, g: PatternGeometry) -> Iterator[DramRequest]:
        base = g.span // 4 + stagger * g.page
        return ((READ, (i & 3) * base + (i >> 2) * g.line) for i in range(n))

    return pattern


def _blocks(every: int) -> Callable[[int, PatternGeometry], Iterator[DramRequest]]:
    """Random 4 KiB blocks, each in order; every ``every``-th one is written."""

    def pattern(n: int, g: PatternGeometry) -> Iterator[DramRequest]:
        numbers = _random()
        base, lines = 0, 4096 // g.line
        for i in range(n):
            block, line = divmod(i, lines)
            if line == 0:
                base = next(numbers) % (g.span // 4096) * 4096
            command = WRITE if every and block % every == every - 1 else READ
            yield command, base + line * g.line

    return pattern


PATTERNS: dict[str, Callable[[int, PatternGeometry], Iterator[DramRequest]]] = {
    "seq_rd": _sequential(READ),
    "seq_wr": _sequential(WRITE),
    "rand_rd": _uniform(READ),
    "rand_wr": _uniform(WRITE),
    "conf_1bank": _one_bank,
    "conf_2rows": _two_rows,
    "stride_page": _page_stride,
    "mix21_seq": _three_streams,
    "mix21_rand": _random_mix,
    "str4_diff": _four_streams(1),
    "str4_same": _four_streams(0),
    "burst4k_rand": _blocks(0),
    "burst4k_mix": _blocks(3),
}


def requests(name: str, n: int, geometry: PatternGeometry) -> list[DramRequest]:
    """The first ``n`` requests (command, byte address) of a named pattern.

    Raises:
        ConfigError: there is no such pattern.
    """
    if name not in PATTERNS:
        raise ConfigError(f"DRAM pattern {name!r} is unknown; there are {', '.join(PATTERNS)}")
    return list(PATTERNS[name](n, geometry))


@dataclass(frozen=True, slots=True)
class RequestList:
    """Requests from a file: their sizes in bytes and, where the file has them, their clocks."""

    requests: list[DramRequest]
    nbytes: list[int]
    clocks: list[int]


def read_requests(path: Path, burst_bytes: int) -> RequestList:
    """Requests from a text file, one per line, of one burst each.

    A line is ``R 0x1f40`` or ``W 8000``, the same the other way round (Ramulator 1), ``LD``/``ST``
    and an address (Ramulator 2), address, ``READ`` or ``WRITE``, and clock (DRAMsim3, address in
    hexadecimal), or ``31: read 0x1f40`` (DRAMSys, clock first; data that follow are not needed);
    ``#`` starts a comment. Bursts of one clock and command at following addresses are one request,
    as the controller took them.

    Raises:
        ConfigError: the file cannot be read, a line is no request, clocks go backwards, or some
            lines have clocks and others have none.
    """
    try:
        lines = read_regular(path, _MAX_BYTES).decode("utf-8-sig").splitlines()
    except ValueError as error:
        raise ConfigError(f"--requests: {path}: cannot be read: {error}") from None
    listed: list[DramRequest] = []
    clocks: list[int] = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            command, address, clock = _parsed(words)
            if clock is not None:
                clocks.append(_not_negative(clock))
                _not_negative(clock - (clocks[-2] if len(clocks) > 1 else 0))
        except (ValueError, KeyError):
            raise ConfigError(
                f'--requests: {path}: line {number}: expected "R ADDRESS" or "ADDRESS W" (such as '
                f'R 0x1f40), "0x1f40 READ CLOCK" or "CLOCK: read 0x1f40", clocks rising, got '
                f'"{" ".join(words)}"'
            ) from None
        listed.append((command, address))
        if len(clocks) not in (0, len(listed)):
            raise ConfigError(
                f"--requests: {path}: line {number}: {'no' if clock is None else 'a'} clock, "
                "unlike the lines before it; give every request a clock, or none"
            )
    if not listed:
        raise ConfigError(f"--requests: {path}: no request in the file")
    if not clocks:
        return RequestList(listed, [burst_bytes] * len(listed), [])
    return _joined(listed, clocks, burst_bytes)


def within(offered: RequestList, timing: DramTiming, path: Path) -> RequestList:
    """The requests of a file, if a channel of this device has all their addresses.

    Raises:
        ConfigError: it has not; the first such request is named.
    """
    sizes = zip(offered.requests, offered.nbytes, strict=True)
    for number, ((_, address), nbytes) in enumerate(sizes, 1):
        if address + nbytes > timing.capacity_bytes:
            raise ConfigError(
                f"--requests: {path}: request {number}: address {hex(address)[:40]} lies beyond "
                f"the {timing.capacity_bytes:#x} bytes of a channel of {timing.name}; name the "
                "device that the requests were made for"
            )
    return offered


def _joined(listed: list[DramRequest], clocks: list[int], burst_bytes: int) -> RequestList:
    joined = RequestList([], [], [])
    for (command, address), clock in zip(listed, clocks, strict=True):
        if joined.clocks and joined.clocks[-1] == clock:
            before, start = joined.requests[-1]
            if before == command and start + joined.nbytes[-1] == address:
                joined.nbytes[-1] += burst_bytes
                continue
        joined.requests.append((command, address))
        joined.nbytes.append(burst_bytes)
        joined.clocks.append(clock)
    return joined


def _parsed(words: list[str]) -> tuple[int, int, int | None]:
    """Command, address and, where the line has one, clock of a request."""
    if words[0].endswith(":"):  # DRAMSys
        clock, name, address = words[:3]
        return _COMMANDS[name.upper()], _not_negative(int(address, 16)), int(clock[:-1])
    if len(words) == 3:  # DRAMsim3
        address, name, clock = words
        return _COMMANDS[name.upper()], _not_negative(int(address, 16)), int(clock)
    name, address = words if words[0].upper() in _COMMANDS else reversed(words)
    return _COMMANDS[name.upper()], _not_negative(int(address, 0)), None


def _not_negative(value: int) -> int:
    if value < 0:
        raise ValueError
    return value
