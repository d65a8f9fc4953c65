"""YAML as written: both forms are read back as what was written."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tlm.config.yaml_file import parse_yaml
from tlm.config.yaml_text import commented_lines, document_text

TEXTS = st.text("aeno019 .,-_+~#'\"[]{}&*!|>%@", max_size=20)
SCALARS = st.one_of(st.booleans(), st.integers(-(2**60), 2**60), TEXTS)
NAMES = st.from_regex(r"[a-z][a-z_0-9]{0,9}", fullmatch=True)
VALUES = st.recursive(
    st.one_of(SCALARS, st.lists(SCALARS, max_size=4)),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=4),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(DOCUMENTS, st.sampled_from(["", "preset x", "a: 1 # b"]))
def test_commented_lines_read_back(document: dict[str, object], remark: str) -> None:
    """A comment changes no value."""
    assert parse_yaml("\n".join(commented_lines(document, lambda path: remark)), "f") == document


@settings(max_examples=40, deadline=None)
@given(DOCUMENTS)
def test_a_document_reads_back(document: dict[str, object]) -> None:
    """Long lists, text that looks like a number and empty text come back as they were."""
    assert parse_yaml(document_text(document), "f") == document
