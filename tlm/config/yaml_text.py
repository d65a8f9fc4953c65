"""Writing YAML, in the two forms that this program leaves: both read back by ``yaml_file``.

``commented_lines`` is for a file that people read line by line: a value per line, with a comment.
``document_text`` is for a file with long lists: what holds single values only stands on one line.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from tlm.config.problems import KeyPath

_WORDS = re.compile(r"[A-Za-z0-9_][\w .,;()/'+-]*(: [\w .,;()/'+-]+)?", re.ASCII)
LINE_WIDTH = 100  # of a document; longer lists are wrapped


def commented_lines(
    values: Mapping[str, object], comment: Callable[[KeyPath], str], above: KeyPath = ()
) -> Iterator[str]:
    """Lines of nested ``values``; ``comment`` gives what follows the value at a path, or ``""``.

    Values are written as JSON, whose forms are all YAML 1.2: text is quoted and lists are inline.
    ``above`` is the path of the group that holds ``values``.
    """
    indent = "  " * len(above)
    for name, value in values.items():
        path = (*above, name)
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from commented_lines(value, comment, path)
        else:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            remark = comment(path)
            yield f"{indent}{name}: {text}" + (f"  # {remark}" if remark else "")


class _Representer(SafeRepresenter):
    """Quotes every text that is not words: a name with a mark of YAML in it must read back."""

    def text(self, text: str) -> ScalarNode:
        """A scalar, in double quotes if need be."""
        style = None if _WORDS.fullmatch(text) else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _Representer.text)


def document_text(document: Mapping[str, object]) -> str:
    """``document`` as YAML, keys in its order; equal documents give equal text."""
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = None
    yaml.width = LINE_WIDTH
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(document, out)
    return out.getvalue()
