"""Bytes of uploads and downloads by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.workload.federated import Compression, download_nbytes, upload_nbytes


@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        ("none", 4000, 4000),
        ("fp16", 2000, 2000),
        ("top-0.1", 100 * 2 + 125, 2000),  # a bitmap of 1,000 bits is less than 100 indices
        ("top-0.01", 10 * (2 + 4), 2000),  # 10 indices are less than a bitmap
        ("top-0.0001", 6, 2000),  # never nothing
    ],
)
def test_bytes_of_a_thousand_parameters(name: str, up: int, down: int) -> None:
    """Upload of one worker, and the model that it receives."""
    compression = Compression.of(name)
    assert upload_nbytes(1000, compression) == up
    assert download_nbytes(1000, compression) == down


@given(st.integers(1, 10**7), st.integers(1, 999_999))
def test_top_k_takes_the_smaller_form(parameters: int, millionths: int) -> None:
    """k is the share rounded up, without an error of floats; both forms bound the bytes."""
    compression = Compression.of(f"top-0.{millionths:06d}")
    sent = compression.sent(parameters)
    assert sent - 1 < Fraction(millionths, 10**6) * parameters <= sent
    bitmap = 2 * sent + -(-parameters // 8)
    assert upload_nbytes(parameters, compression) in (6 * sent, bitmap)
    assert upload_nbytes(parameters, compression) <= min(6 * sent, bitmap)


@pytest.mark.parametrize("name", ["", "fp8", "top-0", "top-0.0", "top-1.0", "top-.1", "top-0.1 "])
def test_other_names_are_refused(name: str) -> None:
    """With the names that there are."""
    with pytest.raises(WorkloadError, match="expected none, fp16 or top-S"):
        Compression.of(name)
