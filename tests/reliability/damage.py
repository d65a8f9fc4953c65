"""Ways to damage a file, drawn from a seed: the same seed gives the same damage."""

from __future__ import annotations

import random

NASTY = (
    "&a", "*a", "!!python/object:os.system x", "!!binary x", "<<: ", "1e999", ".nan", "-.inf",
    "9" * 5000, "0x" + "f" * 5000, "[" * 3000, "{a: " * 3000, "\t", "\x00", "\x1b[2J", "\r",
    "\u2028",
    "---\n", "? ", "- ", ": ", "#", "'", '"', "|\n", ">\n", "%TAG ! x\n", "null", "true", "-1", "0",
    "=cmd|calc!A0", "Infinity", "NaN", "[/]", '"\\u001b[2J"', "evil.py:dense", "/dev/zero",
    "2001-01-01", "1 PB", "1 ns", "..", "../../x", "x" * 70, "é", "\ufeff",
)  # fmt: skip


def damaged_text(text: str, draw: random.Random) -> bytes:
    """One to three edits of a text: of characters, spans, lines, or something nasty put in."""
    for _ in range(draw.randint(1, 3)):
        text = draw.choice(_TEXT_EDITS)(text, draw)
    data = text.encode("utf-8", "surrogatepass")
    return damaged_bytes(data, draw) if draw.random() < 0.1 else data


def damaged_bytes(data: bytes, draw: random.Random) -> bytes:
    """One to four edits of a file's bytes: bits, spans, its length, blocks exchanged."""
    damaged = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        draw.choice(_BYTE_EDITS)(damaged, draw)
    return bytes(damaged)


def _insert(text: str, draw: random.Random) -> str:
    at = draw.randint(0, len(text))
    return text[:at] + draw.choice(NASTY) + text[at:]


def _replace_value(text: str, draw: random.Random) -> str:
    lines = text.split("\n")
    at = draw.randrange(len(lines))
    key, colon, _ = lines[at].partition(":")
    lines[at] = f"{key}{colon or ':'} {draw.choice(NASTY)}"
    return "\n".join(lines)


def _delete(text: str, draw: random.Random) -> str:
    at = draw.randint(0, len(text))
    return text[:at] + text[at + draw.randint(1, 40) :]


def _repeat_line(text: str, draw: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(draw.randrange(len(lines) + 1), draw.choice(lines))
    return "\n".join(lines)


def _truncate(text: str, draw: random.Random) -> str:
    return text[: draw.randint(0, len(text))]


def _digit(text: str, draw: random.Random) -> str:
    places = [at for at, character in enumerate(text) if character.isdigit()]
    if not places:
        return text
    at = draw.choice(places)
    return text[:at] + draw.choice("0123456789-.eE") + text[at + 1 :]


def _flip_bits(data: bytearray, draw: random.Random) -> None:
    for _ in range(draw.randint(1, 8)):
        if data:
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _overwrite(data: bytearray, draw: random.Random) -> None:
    at = draw.randint(0, len(data))
    count = min(draw.choice((1, 2, 4, 8, 64, 4096)), len(data) - at)
    fill = draw.choice((bytes(count), b"\xff" * count, draw.randbytes(count)))
    data[at : at + count] = fill


def _cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randint(0, len(data)) :]


def _extend(data: bytearray, draw: random.Random) -> None:
    data += draw.randbytes(draw.choice((1, 8, 512)))


def _drop_span(data: bytearray, draw: random.Random) -> None:
    at = draw.randint(0, len(data))
    del data[at : at + draw.choice((1, 8, 512))]


def _exchange(data: bytearray, draw: random.Random) -> None:
    count = draw.choice((1, 8, 512))
    if len(data) > 2 * count:
        one, two = (draw.randrange(len(data) - count) for _ in range(2))
        data[one : one + count], data[two : two + count] = (
            data[two : two + count],
            data[one : one + count],
        )


_TEXT_EDITS = (_insert, _replace_value, _replace_value, _delete, _repeat_line, _truncate, _digit)
_BYTE_EDITS = (_flip_bits, _flip_bits, _overwrite, _overwrite, _cut, _extend, _drop_span, _exchange)
