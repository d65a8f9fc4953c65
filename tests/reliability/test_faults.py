"""The reduced form of the failed calls: a few of them."""

from tests.reliability import faults, outputs


def test_a_failed_call_leaves_what_is_true_or_nothing() -> None:
    """Exit code, line, status, rows and figures, as the module says."""
    assert not faults.run(every=40)["fault"]


def test_a_full_disk_at_any_verb_leaves_whole_files_and_a_true_line() -> None:
    """A few of the calls of every verb that writes beside runs."""
    faulty = list[str]()
    assert outputs.run(most=4, show=faulty.append) > 12
    assert not faulty, faulty
