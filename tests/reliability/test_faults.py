"""The reduced form of the failed calls: one in forty of them."""

from tests.reliability import faults


def test_a_failed_call_leaves_what_is_true_or_nothing() -> None:
    """Exit code, line, status, rows and figures, as the module says."""
    assert not faults.run(every=40)["fault"]
