"""Files of unknown origin: refused in one line before anything is built from them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.config.yaml_file import MAX_BYTES, MAX_NODES, parse_yaml, read_mapping
from tlm.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: 2\na: 3\n", 'f:3: duplicate key "a": given twice in one group'),
        ("a: &x 1\nb: *x\n", "f:1: an anchor or alias is not accepted here"),
        ("a: !!python/object:os.system x\n", "f:1: the tag tag:yaml.org,2002:python/object"),
        ("a: 1\n---\nb: 2\n", "f:2: a second document is not accepted here"),
        ("[" * 100_000, "f:1: nesting deeper than"),
        ("a: [1, 2\n", "f:2: not valid YAML"),
        (
            "a:\n\tb: 1\n",
            "f:2: not valid YAML: found character",
        ),
        ("a: 'open\n", "f:2: not valid YAML"),
        ("a: \x00", "f: not valid YAML"),
        ("1: a\n", "f: 1: expected a key made of text"),
        ("b: {? [x, y] : 1, c: {d: 2}}\na: .nan\n", "f:1: b."),
        ("a: {true: 1}\n", "f:1: a.True: expected a key made of text"),
        ('"a\\nb": 1\n', "f: 'a\\nb': expected a key made of text"),
        ("a: " + "9" * 4_000, "f:1: a: expected a number below 2^63, got one of 13288 bits"),
        ("a: 0x" + "f" * 100_000, "f:1: a: expected a number below 2^63, got one of 400000 bits"),
        ("a: 1e999\n", "f:1: a: expected a number below 2^63, got inf"),
        ("b: 1\na:\n  c: [1, .nan]\n", "f:3: a.c.1: expected a number below 2^63, got nan"),
        ("a: .nan\n", "f:1: a: expected a number below 2^63, got nan"),
        ("a: 2001-01-01\n", "f:1: a: expected text or a number, got datetime.date(2001, 1, 1)"),
        ('a: "\\e[2J"\n', r"f:1: a: expected printable text, got '\x1b[2J'"),
        ("a:\n" + "- 1\n" * MAX_NODES, "f: more than 100000 values"),
        ("a: " + "9" * 10_000, "f: not valid YAML"),
    ],
)
def test_refused_features(text: str, reason: str) -> None:
    """Each feature that could mislead or overload the reader is refused by name and line."""
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f")
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


def test_yaml_is_version_1_2() -> None:
    """Words stay words, and 1e-12 is a number."""
    text = "{a: on, b: no, c: 1e-12, d: 12:30, e: 010}"
    expected = {"a": "on", "b": "no", "c": 1e-12, "d": "12:30", "e": 10}
    assert parse_yaml(text, "f") == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"# " + b"x" * MAX_BYTES, "larger than"),
        (b"name: \xff\n", "expected UTF-8 text; byte 6 is not"),
        (b"- a\n- b\n", "expected keys with values"),
        (b"", "expected keys with values"),
    ],
)
def test_files_that_are_no_description(tmp_path: Path, data: bytes, reason: str) -> None:
    """A file that is too large, not text or not a mapping is named with the reason."""
    path = tmp_path / "f.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=reason):
        read_mapping(path, str(path))


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    """What cannot be opened is named with the system's reason."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_mapping(tmp_path, str(tmp_path))


@given(st.text(alphabet=st.sampled_from("ab:{}[],&*!?-#|>'\"%@\n \t019.~<=\\"), max_size=60))
def test_any_text_is_a_value_or_one_line(text: str) -> None:
    """Whatever is written, it is read or refused in one line."""
    try:
        parse_yaml(text, "f")
    except ConfigError as error:
        assert str(error).startswith("f:") and "\n" not in str(error)


def test_a_tab_has_its_remedy() -> None:
    """Wherever it indents."""
    for text in ("a:\n\tb: 1\n", "a:\n  b: 1\n\tc: 2\n", "\ta: 1\n"):
        with pytest.raises(ConfigError, match="indent with spaces, not with tabs"):
            parse_yaml(text, "f")
