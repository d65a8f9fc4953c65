"""A stream of deflate in fixed codes: the twin of ``tlm.trace.runs``, where the codes are told."""

cdef enum:
    LONGEST = 258
    SHORTEST = 3


cdef struct Code:
    uint32_t bits
    int length


cdef struct Stream:
    uint8_t* octets  # room for eight bytes more than it will have
    Py_ssize_t length  # whole bytes so far
    uint64_t bits  # of the byte begun
    int waiting  # how many


cdef Code[256] LITERALS
cdef Code[LONGEST + 1] MATCHES


cdef inline void put(Stream* stream, uint64_t bits, int length) noexcept nogil:
    """Append up to 32 bits, the lowest first."""
    stream.bits |= bits << stream.waiting
    stream.waiting += length
    memcpy(stream.octets + stream.length, &stream.bits, sizeof(stream.bits))
    stream.length += stream.waiting >> 3
    stream.bits >>= stream.waiting & ~7
    stream.waiting &= 7


cdef inline void put_code(Stream* stream, Code code) noexcept nogil:
    put(stream, code.bits, code.length)


cdef inline void put_run(Stream* stream, uint8_t value, Py_ssize_t count) noexcept nogil:
    """A byte, and its repeats: the longest first."""
    cdef Py_ssize_t rest
    put_code(stream, LITERALS[value])
    for rest in range((count - 1) // LONGEST):
        put_code(stream, MATCHES[LONGEST])
    rest = (count - 1) % LONGEST
    if rest >= SHORTEST:
        put_code(stream, MATCHES[rest])
    else:
        for rest in range(rest):
            put_code(stream, LITERALS[value])


cdef void begin_block(Stream* stream) noexcept nogil:
    put(stream, 0b010, 3)


cdef void end_block(Stream* stream) noexcept nogil:
    """End of block; then a stored one without a byte, so that bytes begin anew."""
    put(stream, 0, 10)
    put(stream, 0, -stream.waiting & 7)
    put(stream, 0xFFFF0000, 32)


cdef void put_constant(Stream* stream, uint8_t value, Py_ssize_t count) noexcept nogil:
    begin_block(stream)
    put_run(stream, value, count)
    end_block(stream)


cdef void put_runs(Stream* stream, const uint8_t* octets, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t first = 0, end
    begin_block(stream)
    while first < count:
        end = run_end(octets, first, count)
        put_run(stream, octets[first], end - first)
        first = end
    end_block(stream)


cdef inline Py_ssize_t run_end(
    const uint8_t* octets, Py_ssize_t first, Py_ssize_t count
) noexcept nogil:
    """Where another byte follows, looked for in eight bytes at a time."""
    cdef uint64_t eight, same = octets[first] * <uint64_t>0x0101010101010101
    cdef Py_ssize_t end = first + 1
    while end + 8 <= count:
        memcpy(&eight, octets + end, 8)
        if eight != same:
            break
        end += 8
    while end < count and octets[end] == octets[first]:
        end += 1
    return end


cdef void put_stored(Stream* stream, const uint8_t* octets, Py_ssize_t count) noexcept nogil:
    put(stream, 0, 8)
    put(stream, <uint64_t>count | <uint64_t>(0xFFFF - count) << 16, 32)
    memcpy(stream.octets + stream.length, octets, count)
    stream.length += count


cdef uint32_t fletcher32(const uint8_t* octets, Py_ssize_t length) noexcept nogil:
    """The checksum of HDF5, its bytes in the order of the file."""
    cdef uint64_t once = 0, often = 0
    cdef Py_ssize_t place
    for place in range(0, length - 1, 2):
        once += octets[place] << 8 | octets[place + 1]
        often += once
    if length % 2:
        once += octets[length - 1] << 8
        often += once
    return <uint32_t>(folded(often) << 16 | folded(once))


cdef uint64_t folded(uint64_t total) noexcept nogil:
    """A sum in ones' complement of 16 bits."""
    return (total - 1) % 0xFFFF + 1 if total else 0


cdef uint32_t swapped(uint32_t value) noexcept nogil:
    """Bytes in the other order."""
    return value >> 24 | value >> 8 & 0xFF00 | (value & 0xFF00) << 8 | value << 24


cdef Code reversed_code(uint32_t code, int length) noexcept:
    """Huffman codes begin with their highest bit, all else with its lowest."""
    cdef Code turned
    cdef int place
    turned.bits, turned.length = 0, length
    for place in range(length):
        turned.bits |= (code >> place & 1) << length - 1 - place
    return turned


cdef Code match_code(int count) noexcept:
    """Length, extra bits, and five zeros for distance 1."""
    cdef Code code
    cdef int beyond = count - SHORTEST, extra = 0, symbol
    while beyond >> extra > 7:
        extra += 1
    symbol = 257 + 4 * extra + (beyond >> extra)
    if count == LONGEST:
        symbol, extra = 285, 0
    code = reversed_code(symbol - 256, 7) if symbol < 280 else reversed_code(symbol - 88, 8)
    code.bits |= (beyond & (1 << extra) - 1) << code.length
    code.length += extra + 5
    return code


cdef int fill_codes() except -1:
    cdef int value
    for value in range(256):
        LITERALS[value] = (
            reversed_code(0x30 + value, 8) if value < 144 else reversed_code(0x100 + value, 9)
        )
    for value in range(SHORTEST, LONGEST + 1):
        MATCHES[value] = match_code(value)
    return 0


fill_codes()
