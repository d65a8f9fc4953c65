"""Chunks: HDF5 reads what we deflate as what it deflates itself, on both kernels."""

from __future__ import annotations

import zlib

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hardware.kernels import needs_compiled
from tlm.trace.chunk import chunk_bytes, fletcher32
from tlm.trace.runs import deflated_runs
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
        dataset.id.write_direct_chunk((0,), chunk_bytes(rows))
        assert np.array_equal(dataset[:], rows)


@given(runs=st.lists(st.tuples(st.integers(0, 255), st.integers(1, 800)), min_size=1, max_size=40))
def test_zlib_inflates_runs(runs):
    """Of every byte and of any length."""
    octets = b"".join(bytes([value]) * count for value, count in runs)
    block = deflated_runs(np.frombuffer(octets, np.uint8))
    assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(block) == octets


@needs_compiled
@pytest.mark.parametrize("table", list(TABLES))
@given(
    count=st.integers(1, 900),
    highest=st.sampled_from([1, 2, 256]),
    repeats=st.sampled_from([1, 4, 5, 300]),
    seed=st.integers(0, 99),
)
def test_both_kernels_make_the_same_chunk(table, count, highest, repeats, seed):
    """Of the first rows that a buffer has; the others stay."""
    from tlm.compiled.rows import RowBuffer

    dtype = TABLES[table]
    octets = 255 - np.random.default_rng(seed).integers(0, highest, (count + 9, dtype.itemsize))
    rows = octets.astype(np.uint8).view(dtype)[:, 0].repeat(repeats)[: count + 9]
    buffer = RowBuffer(table, dtype)
    buffer.extend(rows)
    assert bytes(buffer.take_chunk(count)) == chunk_bytes(rows[:count])
    assert np.array_equal(buffer.take(9), rows[count:])


@needs_compiled
@pytest.mark.parametrize("table", list(TABLES))
def test_both_kernels_sum_the_largest_chunk(table):
    """Of bytes that are highest, and stored as they change."""
    from tlm.compiled.rows import RowBuffer

    octets = np.full((65_535, TABLES[table].itemsize), 255, np.uint8)
    octets[::2] = 254
    rows = octets.view(TABLES[table])[:, 0]
    buffer = RowBuffer(table, rows.dtype)
    buffer.extend(rows)
    assert bytes(buffer.take_chunk(len(rows))) == chunk_bytes(rows)


def test_a_changed_byte_is_noticed():
    """HDF5 refuses a chunk that is not as it was written."""
    rows = rows_of("transactions", 1000, 0)
    chunk = chunk_bytes(rows)
    chunk[len(chunk) // 2] ^= 1
    with h5py.File("chunk", "w", driver="core", backing_store=False) as file:
        dataset = stored(file, rows)
        dataset.id.write_direct_chunk((0,), chunk)
        with pytest.raises(OSError, match="filter"):
            dataset[:]


@given(st.binary(min_size=1, max_size=2000))
def test_the_checksum_is_that_of_hdf5(data):
    """Of any bytes, an odd number of them included."""
    with h5py.File("chunk", "w", driver="core", backing_store=False) as file:
        values = np.frombuffer(data, np.uint8)
        dataset = file.create_dataset("x", data=values, chunks=(len(values),), fletcher32=True)
        file.flush()
        _, chunk = dataset.id.read_direct_chunk((0,))
    assert chunk == data + fletcher32(data).to_bytes(4, "little")
