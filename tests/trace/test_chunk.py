"""Chunks: HDF5 reads what we deflate as what it deflates itself, on both kernels."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hardware.kernels import needs_compiled
from tlm.trace.chunk import chunk_bytes, fletcher32, shuffled
from tlm.trace.schema import GZIP_LEVEL, TABLES

FILTERS = {"compression": "gzip", "compression_opts": GZIP_LEVEL, "shuffle": True,
           "fletcher32": True}  # fmt: skip


def rows_of(table, count, seed):
    """Rows that change always in some columns, now and then in others, and never in the rest."""
    draw, rows = np.random.default_rng(seed), np.zeros(count, TABLES[table])
    for number, name in enumerate(rows.dtype.names):
        most = 100 if seed % 2 else np.iinfo(rows[name].dtype).max
        values = (draw.integers(0, most, count), np.arange(count) // 5 % 7, most)
        rows[name] = values[number % 3]
    return rows


def stored(file, rows):
    """An empty dataset with room for a chunk of these rows."""
    shape = (len(rows),)
    return file.create_dataset("rows", shape, rows.dtype, chunks=shape, **FILTERS)


@pytest.mark.parametrize("table", list(TABLES))
@pytest.mark.parametrize("seed", range(4))
def test_hdf5_reads_the_rows(table, seed):
    """Through all filters, the checksum's among them."""
    rows = rows_of(table, 1 + 999 * seed, seed)
    with h5py.File("chunk", "w", driver="core", backing_store=False) as file:
        dataset = stored(file, rows)
        dataset.id.write_direct_chunk((0,), chunk_bytes(shuffled(rows), fletcher32))
        assert np.array_equal(dataset[:], rows)


@needs_compiled
@pytest.mark.parametrize("table", list(TABLES))
@given(count=st.integers(1, 300), highest=st.sampled_from([1, 2, 256]), seed=st.integers(0, 99))
def test_both_kernels_make_the_same_planes(table, count, highest, seed):
    """Of the first rows that a buffer has; the others stay."""
    from tlm.compiled.rows import RowBuffer

    dtype = TABLES[table]
    octets = 255 - np.random.default_rng(seed).integers(0, highest, dtype.itemsize * (count + 9))
    rows = octets.astype(np.uint8).view(dtype)
    buffer = RowBuffer(table, dtype)
    buffer.extend(rows)
    planes, expected = buffer.take_shuffled(count), shuffled(rows[:count])
    assert np.array_equal(planes.octets, expected.octets)
    assert planes._replace(octets=None) == expected._replace(octets=None)
    assert np.array_equal(buffer.take(9), rows[count:])


def test_a_changed_byte_is_noticed():
    """HDF5 refuses a chunk that is not as it was written."""
    rows = rows_of("transactions", 1000, 0)
    chunk = chunk_bytes(shuffled(rows), fletcher32)
    chunk[len(chunk) // 2] ^= 1
    with h5py.File("chunk", "w", driver="core", backing_store=False) as file:
        dataset = stored(file, rows)
        dataset.id.write_direct_chunk((0,), chunk)
        with pytest.raises(OSError, match="filter"):
            dataset[:]


@needs_compiled
@given(st.binary(min_size=1, max_size=2000))
def test_both_kernels_compute_the_same_checksum(data):
    """Of any bytes; of a chunk's worth of the highest as well, where sums are largest."""
    from tlm.compiled.rows import RowBuffer

    for octets in (data, b"\xff" * 1_000_001):
        assert RowBuffer.fletcher32(octets) == fletcher32(octets)


@given(st.binary(min_size=1, max_size=2000))
def test_the_checksum_is_that_of_hdf5(data):
    """Of any bytes, an odd number of them included."""
    with h5py.File("chunk", "w", driver="core", backing_store=False) as file:
        values = np.frombuffer(data, np.uint8)
        dataset = file.create_dataset("x", data=values, chunks=(len(values),), fletcher32=True)
        file.flush()
        _, chunk = dataset.id.read_direct_chunk((0,))
    assert chunk == data + fletcher32(data).to_bytes(4, "little")
