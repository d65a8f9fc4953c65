"""Structural damage that a file's own check sums do not show: each is refused by rule."""

from tests.trace import test_refusals as trace
from tests.workload.test_check import CASES
from tests.workload.test_inference_file import CASES as INFERENCE_CASES

WORKLOAD_DAMAGES = tuple(damage for damage, _ in CASES.values())
INFERENCE_DAMAGES = tuple(damage for damage, _ in INFERENCE_CASES.values())
TRACE_DAMAGES = (
    trace._newer,
    trace._older,
    trace._no_version,
    trace._no_units,
    trace._linked,
    trace._external,
    trace._other_columns,
    trace._over_committed,
    trace._unstored,
    trace._huge_config,
    trace._fewer_committed,
    trace._other_unit,
    trace._more_data,
    trace._foreign_filter,
    trace._text_of_any_length,
    trace._impossible("unit", 9),
    trace._impossible("target", 99),
    trace._impossible("end_resp", 0),
)
