"""The page on federated training shows what was recorded."""

from __future__ import annotations

import pytest

from tests.evidence.federated_training import PAGE, accuracy_table, data_table
from tlm.workload.federated import federated_names, open_federated


@pytest.mark.parametrize("name", federated_names())
def test_tables_are_those_of_the_recording(name: str) -> None:
    """A run that is recorded again needs the page written again."""
    page, run = PAGE.read_text(encoding="utf-8"), open_federated(name)
    assert data_table(run).strip() in page
    assert accuracy_table(run).strip() in page
