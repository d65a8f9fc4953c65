"""What is sent of a difference, and that nothing of it is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.workload.federated import Compression

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

DIFFERENCES = st.lists(
    st.lists(st.floats(-8, 8, width=32), min_size=20, max_size=20), min_size=1, max_size=4
)


@given(DIFFERENCES, st.sampled_from(["top-0.05", "top-0.1", "top-0.5"]))
def test_top_k_loses_nothing(rounds: list[list[float]], name: str) -> None:
    """Sent and kept make up the difference and what was kept before, to the last bit."""
    from tlm.workload.training.federated.upload import Uplink

    uplink = Uplink(Compression.of(name), 20)
    for numbers in rounds:
        whole = torch.tensor(numbers) + uplink.residual
        sent = uplink.sent(torch.tensor(numbers))
        assert torch.equal(sent + uplink.residual, whole)
        assert int((sent != 0).sum()) <= uplink.compression.sent(20)
        assert torch.equal(sent.half().float(), sent)


def test_top_k_sends_exactly_the_k_largest() -> None:
    """By magnitude, over the whole model; what stays comes with the next round."""
    from tlm.workload.training.federated.upload import Uplink

    uplink = Uplink(Compression.of("top-0.4"), 5)
    sent = uplink.sent(torch.tensor([1.0, -4.0, 2.0, 3.0, 0.5]))
    assert sent.tolist() == [0, -4, 0, 3, 0]
    assert uplink.residual.tolist() == [1, 0, 2, 0, 0.5]
    assert uplink.sent(torch.tensor([1.5, 0.0, 0.0, 1.0, 0.0])).tolist() == [2.5, 0, 2, 0, 0]
    assert uplink.residual.tolist() == [0, 0, 0, 1, 0.5]


def test_the_other_kinds_leave_nothing_behind() -> None:
    """FP32 as it is, FP16 rounded: 1 + 2^-12 has no FP16 word."""
    from tlm.workload.training.federated.upload import Uplink, rounded_download

    difference = torch.tensor([1 + 2**-12, -0.5])
    for name, expected in (("none", difference.tolist()), ("fp16", [1.0, -0.5])):
        uplink = Uplink(Compression.of(name), 2)
        assert uplink.sent(difference).tolist() == expected
        assert not uplink.residual.any()
        assert rounded_download(difference, uplink.compression).tolist() == expected


@pytest.mark.parametrize(("name", "value"), [("none", float("nan")), ("fp16", 7e4)])
def test_what_has_no_word_is_refused(name: str, value: float) -> None:
    """Training that went astray ends in one line, not in a curve."""
    from tlm.workload.training.federated.upload import Uplink

    with pytest.raises(WorkloadError, match="not finite in its format"):
        Uplink(Compression.of(name), 1).sent(torch.tensor([value]))
