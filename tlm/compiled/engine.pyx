"""An engine, as ``tlm.hardware.core.engine``: fetch ahead, wait, compute, hand over.

There, its program is a process of SimPy that waits where it stands; here, it is a server that
notes the stage it has come to, goes on from there when it is resumed, and takes part in the same
events.
"""

from collections import deque

from libc.stdint cimport INT16_MAX, INT16_MIN, INT32_MAX, int64_t

from tlm.compiled.dma cimport Dma
from tlm.compiled.queue cimport EventQueue
from tlm.compiled.rows cimport ActivityRow, RowBuffer
from tlm.compiled.server cimport Done, Server
from tlm.compiled.tally cimport Tally

from tlm.hardware.core.engine import OUTPUTS_HELD
from tlm.space.phase import PASS_OF_PHASE, Phase
from tlm.space.tile import Producer
from tlm.space.trace_rows import NONE, PHASE_NONE

cdef enum:  # values of EngineState, which a test holds to it
    COMPUTE = 0
    STALL_DEPENDENCY = 1
    STALL_DRAM = 2
    STALL_NOC = 3
    STALL_WRITEBACK = 4
    IDLE = 5
    NOT_BEGUN = 6
    STATES = 7

cdef enum:  # priorities of SimPy
    URGENT = 0  # the first event of a process
    NORMAL = 1

cdef enum Stage:  # of the tile at hand: what it does when it goes on
    START
    WAIT_FOR_DATA
    FETCH_AHEAD
    WAIT_FOR_NEEDS
    WAIT_FOR_READS
    WAIT_FOR_OUTPUT
    BEGIN
    COMPUTED
    DRAIN
    DRAINED
    ENDED

cdef int PASSES[10]  # the pass of each phase, numbered
_PASS_NUMBERS = {name: number for number, name in enumerate(dict.fromkeys(PASS_OF_PHASE.values()))}
for _phase in Phase:
    PASSES[<int>_phase] = _PASS_NUMBERS[PASS_OF_PHASE[_phase]]
cdef int HELD = OUTPUTS_HELD


cdef class LayerAccount:
    """What an engine keeps of one (phase, layer): its time by state, and its tally."""

    cdef tuple key
    cdef list spent_ps
    cdef Tally tally


cdef class LateFetch(Server):
    """A fetch that starts when the last of its data is in DRAM, and tells when it is done."""

    cdef Engine engine
    cdef object tile
    cdef Done saved, fetched

    cdef int resume(self, Done done) except -1:
        cdef Done reads
        if done is self.saved:
            reads = self.engine._dma.fetch(self.tile)
            if reads is not None:
                return reads.wait(self)
        return self.fetched.arrive()  # at once if all its extents are empty


cdef class Arrival(Server):
    """Counts one completion towards another."""

    cdef Done counted

    cdef int resume(self, Done done) except -1:
        return self.counted.arrive()


cdef class Engine(Server):
    """One of a core's three engines; see the reference for the life cycle of a tile."""

    cdef readonly object env, tiles, completions
    cdef readonly str path
    cdef readonly int unit
    cdef readonly int64_t period_ps, position, accounted_ps, early
    cdef readonly list spent_ps
    cdef readonly dict by_layer, awaited_ps, tallies
    cdef readonly Done waits_for
    cdef Dma _dma
    cdef EventQueue events
    cdef RowBuffer rows
    cdef list _completions
    cdef dict _accounts
    cdef LayerAccount _account_at_hand
    cdef object _outputs, _waits
    cdef int _begun, _stage, _reason
    cdef Py_ssize_t _need
    cdef object _tile
    cdef Done _finished, _reads, _ahead
    cdef Py_ssize_t _ahead_of
    cdef int _phase, _layer
    cdef int64_t _cycles

    def __init__(
        self, str path not None, int64_t period_ps, tiles, Dma dma not None,
        list completions not None, rows,
    ):
        self.env, self.events, self._dma = dma.env, dma.events, dma
        self.path, self.unit, self.period_ps, self.tiles = path, dma.unit, period_ps, tiles
        self.completions = self._completions = completions
        self.rows = rows
        self.spent_ps = [0] * STATES
        self.by_layer, self.awaited_ps, self.tallies, self._accounts = {}, {}, {}, {}
        self._outputs, self._waits = deque(), []

    @property
    def dma(self):
        """What fetches its operands and writes its results."""
        return self._dma

    def start(self, Done finished not None):
        """Execute the program from now on; arrive at ``finished`` when its end is reached."""
        self._finished = finished
        self.events.call(self, self.events.now, URGENT)

    def finish(self, int64_t now):
        """Account the time from the last tile to the end of the run as idle."""
        if now > self.accounted_ps:
            self.spent_ps[IDLE] += now - self.accounted_ps
            if self.rows is not None:
                self._add_row(
                    self.accounted_ps, now, IDLE, PHASE_NONE, NONE, NONE, 0, NONE, 0, NONE
                )
            self.accounted_ps = now

    # -- the program ------------------------------------------------------------------------

    cdef int wake(self) except -1:
        """Begin the program, or go on with what has been computed; after the end, nothing."""
        if self._stage == START:
            self._fetch_from(0)
            self.position = -1
            self._next_tile()
        elif self._stage == ENDED:
            return 0
        return self._go_on()

    cdef int resume(self, Done done) except -1:
        self.waits_for = None
        self._waits.append((self._reason, self.events.now))
        return self._go_on()

    cdef int _go_on(self) except -1:
        """Take the tile at hand, and those after it, as far as nothing has to be waited for."""
        cdef Done output
        while True:
            if self._stage == WAIT_FOR_DATA:
                if self._waits_for_any(self._tile.read_needs, STALL_DRAM):
                    return 0
                self._stage = FETCH_AHEAD
            elif self._stage == FETCH_AHEAD:
                if self._ahead_of == self.position:
                    self._reads = self._ahead
                    self._fetch_from(self.position + 1)
                self._need = 0
                self._stage = WAIT_FOR_NEEDS
            elif self._stage == WAIT_FOR_NEEDS:
                if self._waits_for_any(self._tile.needs, STALL_NOC):
                    return 0
                self._stage = WAIT_FOR_READS
                if self._reads is not None and self._stalls(self._reads, STALL_DRAM):
                    return 0
            elif self._stage == WAIT_FOR_READS:
                self._check_inputs()
                self._stage = WAIT_FOR_OUTPUT if self._hands_data_over() else BEGIN
            elif self._stage == WAIT_FOR_OUTPUT:
                if len(self._outputs) < HELD:
                    self._stage = BEGIN
                else:
                    output = self._outputs.popleft()
                    if self._stalls(output, STALL_WRITEBACK):
                        return 0
            elif self._stage == BEGIN:
                self._settle(self._tile)
                self._stage = COMPUTED
                if self._cycles:
                    return self.events.call(
                        self, self.events.now + self._cycles * self.period_ps, NORMAL
                    )
            elif self._stage == COMPUTED:
                if self._cycles:
                    self._account(COMPUTE, self.events.now)
                    self._begun |= 1 << PASSES[self._phase]
                self._hand_over()
                self._next_tile()
            elif self._stage == DRAIN:
                self._stage = DRAINED
                output = self._dma.drained()
                if output is not None and self._stalls(output, STALL_WRITEBACK):
                    return 0
            else:
                return self._end()

    cdef int _next_tile(self) except -1:
        """Take the next tile in hand, or come to the end."""
        self.position += 1
        if self.position == len(self.tiles):
            self._stage = DRAIN
            return 0
        tile = self._tile = self.tiles[self.position]
        self._phase, self._layer, self._cycles = tile.phase, tile.layer, tile.cycles
        self._account_at_hand = self._account_of(tile)
        self._reads, self._need, self._stage = None, 0, WAIT_FOR_DATA
        return 0

    cdef int _end(self) except -1:
        """The program has come to its end; a process of SimPy has one event more, for itself."""
        if self._waits:
            self._settle(self._tile)
        self._stage = ENDED
        self._finished.arrive()
        return self.events.call(self, self.events.now, NORMAL)

    # -- waiting ----------------------------------------------------------------------------

    cdef bint _waits_for_any(self, tuple idents, int reason) except -1:
        """Wait for the next of some completions that is not there yet; False if all are."""
        cdef Done done
        while self._need < len(idents):
            done = self._completions[<Py_ssize_t>idents[self._need]]
            self._need += 1
            if self._stalls(done, reason):
                return True
        return False

    cdef bint _stalls(self, Done done, int reason) except -1:
        """Wait; what the time is accounted as is decided when the tile has all it needs."""
        if done.remaining == 0:
            return False
        self.waits_for, self._reason = done, reason
        done.wait(self)
        return True

    cdef bint _hands_data_over(self) except -1:
        return bool(self._tile.writes or self._tile.messages)

    cdef int _check_inputs(self) except -1:
        """Count a tile that is about to compute on what has not arrived."""
        cdef Done done
        cdef Py_ssize_t ident
        cdef bint missing = self._reads is not None and self._reads.remaining
        for idents in (self._tile.needs, self._tile.read_needs):
            for ident in <tuple>idents:
                done = self._completions[ident]
                missing = missing or done.remaining
        self.early += missing
        return 0

    cdef int _fetch_from(self, Py_ssize_t index) except -1:
        """Let the next tile from ``index`` on that may fetch do so."""
        cdef Done done, saved
        cdef LateFetch late_fetch
        cdef Arrival arrival
        cdef Py_ssize_t ident
        while index < len(self.tiles) and self.tiles[index].fetches_nothing:
            index += 1
        self._ahead, self._ahead_of = None, index
        if index == len(self.tiles) or not self.tiles[index].reads:
            return 0
        tile = self.tiles[index]
        late = [
            self._completions[ident]
            for ident in tile.read_needs
            if (<Done>self._completions[ident]).remaining
        ]
        if not late:
            self._ahead = self._dma.fetch(tile)
            return 0
        late_fetch = LateFetch()
        late_fetch.engine, late_fetch.tile = self, tile
        self._ahead = late_fetch.fetched = Done(1, "its reads from DRAM")
        saved = late_fetch.saved = Done(len(late), "its data in DRAM")
        saved.wait(late_fetch)
        for done in late:
            arrival = Arrival()
            arrival.counted = saved
            done.wait(arrival)
        return 0

    # -- accounts ---------------------------------------------------------------------------

    cdef LayerAccount _account_of(self, tile):
        cdef LayerAccount account = self._account_at_hand
        if account is not None and account.key[1] == tile.layer and account.key[0] is tile.phase:
            return account
        key = (tile.phase, tile.layer)
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = LayerAccount()
            account.key = key
        return account

    cdef int _settle(self, tile) except -1:
        """Account a tile's waits: for other work until the last of it was posted, then by reason.

        Until then nothing that arrived sooner could have let the tile begin.
        """
        cdef Done done, last = None
        cdef Py_ssize_t ident
        cdef int64_t end
        if not self._waits:
            return 0
        for idents in (tile.read_needs, tile.needs):
            for ident in <tuple>idents:
                done = self._completions[ident]
                if last is None or done.posted > last.posted:
                    last = done
        if last is not None and last.posted > self.accounted_ps:
            self._depend(last.producer, last.posted)
        for reason, end in self._waits:
            if end > self.accounted_ps:
                self._account(reason, end)
        self._waits.clear()
        return 0

    cdef int _depend(self, producer, int64_t until) except -1:
        """Account a wait for other work: within a pass with its producer, or before its begin."""
        cdef dict waits
        if not self._begun >> PASSES[self._phase] & 1:
            return self._account(NOT_BEGUN, until)
        waits = self.awaited_ps.setdefault(self._account_at_hand.key, {})
        waits[producer] = waits.get(producer, 0) + until - self.accounted_ps
        return self._account(STALL_DEPENDENCY, until)

    cdef int _account(self, int state, int64_t end) except -1:
        """Close the interval from the last accounted time to ``end``."""
        cdef int64_t begin = self.accounted_ps
        cdef LayerAccount account = self._account_at_hand
        if end == begin:
            return 0
        self.accounted_ps = end
        self.spent_ps[state] += end - begin
        if account.spent_ps is None:
            account.spent_ps = self.by_layer[account.key] = [0] * STATES
        account.spent_ps[state] += end - begin
        if self.rows is not None:
            tile = self._tile
            self._add_row(
                begin, end, state, self._phase, self._layer, tile.sample, tile.samples,
                tile.step, tile.steps, self.position,
            )
        return 0

    cdef int _add_row(
        self, int64_t begin, int64_t end, int state, int phase, int64_t layer, int64_t sample,
        int64_t samples, int64_t step, int64_t steps, int64_t task,
    ) except -1:
        cdef RowBuffer rows = self.rows
        cdef ActivityRow* row
        rows.require("layer", layer, INT16_MIN, INT16_MAX)
        rows.require("sample", sample, INT16_MIN, INT16_MAX)
        rows.require("samples", samples, INT16_MIN, INT16_MAX)
        rows.require("step", step, INT16_MIN, INT16_MAX)
        rows.require("steps", steps, INT16_MIN, INT16_MAX)
        rows.require("task", task, -1, INT32_MAX)
        row = <ActivityRow*>rows.add()
        row.unit, row.begin, row.end, row.what, row.phase = self.unit, begin, end, state, phase
        row.layer, row.sample, row.samples = layer, sample, samples
        row.step, row.steps, row.task = step, steps, task
        return 0

    # -- results ----------------------------------------------------------------------------

    cdef int _hand_over(self) except -1:
        """Count the tile, post its results, tell those on the same core."""
        cdef int64_t now = self.events.now
        cdef LayerAccount account = self._account_at_hand
        cdef Done output, done
        cdef Py_ssize_t ident
        tile = self._tile
        if account.tally is None:
            account.tally = Tally(now - self._cycles * self.period_ps)
            self.tallies[account.key] = account.tally
        account.tally.add(tile, self._cycles, now)
        messages, saves = tile.messages, self._named(tile.saves)
        if messages or saves or tile.writes:
            output = self._dma.hand_over(
                tile, [(message, self._named(message.arrives)) for message in messages], saves
            )
            if output is not None:
                self._outputs.append(output)
        for ident in <tuple>tile.signals:
            done = self._completions[ident]
            done.post_by(now, self._phase, self._layer, self.unit)
            done.arrive()
        return 0

    cdef tuple _named(self, tuple idents):
        return tuple([self._completions[<Py_ssize_t>ident] for ident in idents])
