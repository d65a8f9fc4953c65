"""Chunks: HDF5 reads what we deflate as what it deflates itself."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.trace.chunk import chunk_bytes, fletcher32
from tlm.trace.schema import GZIP_LEVEL, TABLES

FILTERS = {"compression": "gzip", "compression_opts": GZIP_LEVEL, "shuffle": True,
           "fletcher32": True}  # fmt: skip


def rows_of(table, count, seed):
    """Rows that change in some columns and not in others."""
    draw, rows = np.random.default_rng(seed), np.zeros(count, TABLES[table])
    for name in rows.dtype.names[::2]:
        rows[name] = draw.integers(0, 100 if seed % 2 else np.iinfo(rows[name].dtype).max, count)
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


def test_a_changed_byte_is_noticed():
    """HDF5 refuses a chunk that is not as it was written."""
    rows = rows_of("transactions", 1000, 0)
    chunk = bytearray(chunk_bytes(rows))
    chunk[len(chunk) // 2] ^= 1
    with h5py.File("chunk", "w", driver="core", backing_store=False) as file:
        dataset = stored(file, rows)
        dataset.id.write_direct_chunk((0,), bytes(chunk))
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
