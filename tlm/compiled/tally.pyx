"""What an engine has done, as ``tlm.hardware.core.engine.Tally`` counts it."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from tlm.space.tile import Work


cdef class PairCounts:
    """Counts by (sample, step), both from -1 on, the trace's "none"."""

    def __dealloc__(self):
        free(self._counts)

    cdef int add(self, Py_ssize_t sample, Py_ssize_t step, int64_t count) except -1:
        """Count for a pair."""
        if sample + 1 >= self._samples or step + 1 >= self._steps:
            self._make_room(sample + 2, step + 2)
        self._counts[(sample + 1) * self._steps + step + 1] += count
        return 0

    cdef int _make_room(self, Py_ssize_t samples, Py_ssize_t steps) except -1:
        cdef Py_ssize_t sample
        cdef int64_t* counts
        samples = max(samples, 2 * self._samples if samples > self._samples else self._samples)
        steps = max(steps, 2 * self._steps if steps > self._steps else self._steps)
        counts = <int64_t*>calloc(samples * steps, sizeof(int64_t))
        if counts is NULL:
            raise MemoryError
        for sample in range(self._samples):
            memcpy(
                counts + sample * steps, self._counts + sample * self._steps,
                self._steps * sizeof(int64_t),
            )
        free(self._counts)
        self._counts, self._samples, self._steps = counts, samples, steps
        return 0

    def counted(self):
        """The counts that are not 0, by pair."""
        cdef Py_ssize_t sample, step
        return {
            (sample - 1, step - 1): self._counts[sample * self._steps + step]
            for sample in range(self._samples)
            for step in range(self._steps)
            if self._counts[sample * self._steps + step]
        }


cdef class Tally:
    """What an engine has done of one (phase, layer); ``begin`` and ``end`` are in ps."""

    def __cinit__(self, int64_t begin):
        self.begin = begin
        self._energy = {}
        self._covered = PairCounts()

    cdef int add(self, tile, int64_t cycles, int64_t now) except -1:
        """Count a tile that has just been executed."""
        cdef int64_t covers = tile.covers
        cdef Py_ssize_t sample, step, first_sample, samples, first_step, steps
        work, energy = tile.work, self._energy
        self.end = now
        self.tiles += 1
        self.cycles += cycles
        self._slots += work.slots
        self._executed += work.executed
        self._dense += work.dense
        self._useful += work.useful
        for action, count in (<dict>work.energy).items():
            energy[action] = energy.get(action, 0) + count
        if not covers:
            return 0
        if tile.skipped:
            for sample, step in tile.pairs():
                self._covered.add(sample, step, covers)
            return 0
        first_sample, samples = tile.sample, tile.samples
        first_step, steps = tile.step, tile.steps
        for sample in range(first_sample, first_sample + samples):
            for step in range(first_step, first_step + steps):
                self._covered.add(sample, step, covers)
        return 0

    @property
    def work(self):
        """The exact work of its tiles."""
        return Work(self._slots, self._executed, self._dense, self._useful, dict(self._energy))

    @property
    def covered(self):
        """Result elements finished, by (sample, step)."""
        return self._covered.counted()
