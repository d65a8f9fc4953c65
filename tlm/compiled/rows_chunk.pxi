"""Rows of a table as a chunk of the file: the twin of ``tlm.trace.chunk``, where formats are told."""

include "rows_stream.pxi"


cdef enum:
    LANES = 64  # places looked at side by side; no row is longer, and as many bytes may be read
    BATCH = 16  # rows whose sums of sums, at most 16 * 17 / 2 * 255, fit 16 bits
    SQUARE = 64  # rows that are transposed together: they stay in the cache nearest to the core
    ADLER = 65521  # modulus of the check sum (RFC 1950)
    MOST = 0xFFFF  # bytes of a stored block
    RESTLESS = 4  # a plane is stored if more than one byte of so many differs from that before it
    BESIDE = 32  # bytes, at most, that a stream has beside those of a plane


cdef Py_ssize_t write_chunk(
    const uint8_t* rows, Py_ssize_t count, Py_ssize_t size, uint8_t* planes, uint8_t* octets
) noexcept nogil:
    """Write a chunk of ``count`` rows; returns its bytes, at most ``(size + 1) * (count + BESIDE)``.

    ``planes`` is room for as many bytes as the rows have.
    """
    cdef int64_t[LANES] changes
    cdef uint32_t adler = count_changes(rows, count, size, changes)
    cdef Stream stream
    cdef Py_ssize_t place
    stream.octets, stream.length, stream.bits, stream.waiting = octets, 0, 0, 0
    transpose(rows, count, size, changes, planes)
    put(&stream, 0x0178, 16)  # the header of zlib
    for place in range(size):
        if not changes[place]:
            put_constant(&stream, rows[place], count)
            continue
        if RESTLESS * changes[place] > count:
            put_stored(&stream, planes, count)
        else:
            put_runs(&stream, planes, count)
        planes += count
    put(&stream, 0x0003, 16)  # the last block, without a byte
    put(&stream, swapped(adler), 32)
    put(&stream, fletcher32(octets, stream.length), 32)
    return stream.length


cdef uint32_t count_changes(
    const uint8_t* rows, Py_ssize_t count, Py_ssize_t size, int64_t* changes
) noexcept nogil:
    """Count in each place the bytes that differ from the row before; Adler-32 over all planes."""
    cdef uint64_t[LANES] once, often  # sum of a plane's bytes, and of that sum after each byte
    cdef uint16_t[LANES] some_once, some_often
    cdef uint8_t[LANES] some_changes
    cdef const uint8_t* row
    cdef const uint8_t* before = rows
    cdef Py_ssize_t batch, first, some, number, lane, place
    cdef uint64_t low = 1, high = 0
    memset(once, 0, sizeof(once))
    memset(often, 0, sizeof(often))
    memset(changes, 0, LANES * sizeof(changes[0]))
    for batch in range((count + BATCH - 1) // BATCH):
        first = batch * BATCH
        some = min(<Py_ssize_t>BATCH, count - first)
        memset(some_once, 0, sizeof(some_once))
        memset(some_often, 0, sizeof(some_often))
        memset(some_changes, 0, sizeof(some_changes))
        for number in range(some):
            row = rows + (first + number) * size
            for lane in range(LANES):
                some_once[lane] += row[lane]
                some_often[lane] += some_once[lane]
                some_changes[lane] += row[lane] != before[lane]
            before = row
        for lane in range(LANES):
            often[lane] += some * once[lane] + some_often[lane]
            once[lane] += some_once[lane]
            changes[lane] += some_changes[lane]
    for place in range(size):
        high = (high + count * low + often[place]) % ADLER
        low = (low + once[place]) % ADLER
    return <uint32_t>(high << 16 | low)


cdef void transpose(
    const uint8_t* rows, Py_ssize_t count, Py_ssize_t size, const int64_t* changes, uint8_t* planes
) noexcept nogil:
    """Bytes [row, place] as bytes [place, row], of those places whose byte changes."""
    cdef Py_ssize_t square, first, place, number
    cdef uint8_t* plane
    for square in range((count + SQUARE - 1) // SQUARE):
        first, plane = square * SQUARE, planes
        for place in range(size):
            if changes[place]:
                for number in range(first, min(first + SQUARE, count)):
                    plane[number] = rows[number * size + place]
                plane += count
