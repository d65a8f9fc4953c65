# The near future: a ring of slots, each with the events of 1,024 ps in their order.
#
# Nearly all events are some cycles ahead. Into its slot an event goes at the end, for what was
# scheduled later comes later there, but for the few whose times or priorities differ; the first
# slot that holds something is found by its bit. A heap alone was the largest part of a simulation.

cdef extern from *:
    """
    #ifdef _MSC_VER
    #include <intrin.h>
    static __inline int lowest_bit(unsigned long long bits) {
        unsigned long at;
        _BitScanForward64(&at, bits);
        return (int)at;
    }
    #else
    #define lowest_bit __builtin_ctzll
    #endif
    """
    int lowest_bit(unsigned long long) nogil  # the number of the lowest bit that is set


cdef inline bint before(const Entry* entry, const Entry* other) noexcept:
    return entry.time < other.time or (entry.time == other.time and entry.order < other.order)


cdef inline int64_t slot_of(int64_t time) noexcept:
    """The number of the slot of a time, counted from time 0."""
    return time >> SLOT_SHIFT


cdef int put(Wheel* wheel, const Entry* entry) except -1:
    """File an entry that is less than ``SLOTS`` slots ahead."""
    cdef int at = slot_of(entry.time) & (SLOTS - 1)
    cdef Slot* slot = &wheel.slots[at]
    cdef Node* node = wheel.spare
    cdef Node** place = &slot.first
    if node is not NULL:
        wheel.spare = node.next
    else:
        node = <Node*>malloc(sizeof(Node))
        if node is NULL:
            raise MemoryError
    node.entry = entry[0]
    wheel.count += 1
    if slot.first is NULL:
        wheel.busy[at >> 6] |= (<uint64_t>1) << (at & 63)
        node.next, slot.first, slot.last = NULL, node, node
    elif not before(entry, &slot.last.entry):
        node.next, slot.last.next = NULL, node
        slot.last = node
    else:
        while not before(entry, &place[0].entry):
            place = &place[0].next
        node.next, place[0] = place[0], node
    return 0


cdef Slot* first_slot(Wheel* wheel, int64_t now) noexcept:
    """The next slot that holds something, which there is, from the present one on."""
    cdef int start = slot_of(now) & (SLOTS - 1), word = start >> 6
    cdef uint64_t bits = wheel.busy[word] & ((~<uint64_t>0) << (start & 63))
    while not bits:  # back at the first word, its lower bits are the last slots of all
        word = (word + 1) & (WORDS - 1)
        bits = wheel.busy[word]
    return &wheel.slots[(word << 6) + lowest_bit(bits)]


cdef void take(Wheel* wheel, Slot* slot) noexcept:
    """Take the first entry out of a slot."""
    cdef Node* node = slot.first
    cdef int at = slot - wheel.slots
    slot.first = node.next
    if slot.first is NULL:
        wheel.busy[at >> 6] &= ~((<uint64_t>1) << (at & 63))
    node.next, wheel.spare = wheel.spare, node
    wheel.count -= 1


cdef void free_wheel(Wheel* wheel) noexcept:
    """Free the memory of an empty wheel."""
    cdef Node* node
    while wheel.spare is not NULL:
        node = wheel.spare
        wheel.spare = node.next
        free(node)
    free(wheel)
