"""A figure as SVG that can stand inside a page: no foreign names, no ids used twice."""

from __future__ import annotations

import io
import re

from markupsafe import Markup, escape
from matplotlib.figure import Figure

from tlm_analysis.plots.canvas import style

_SVG = re.compile(r"<svg\b.*</svg>", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACE = re.compile(r'\s+xmlns(?::\w+)?="[^"]*"')
_SIZE = re.compile(r'\s(?:width|height|version)="[^"]*"')
_IDENT = re.compile(r'(\bid="|href="#|url\(#)')


def inline_svg(figure: Figure, name: str, alt: str) -> Markup:
    """The figure as an element of HTML; ``name`` keeps its ids apart from those of others.

    Namespaces, which HTML does not need, and metadata are left out, so that no address of another
    machine stands in the page.
    """
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    match = _SVG.search(buffer.getvalue())
    assert match is not None
    text = _NAMESPACE.sub("", _METADATA.sub("", match[0]))
    text = _IDENT.sub(rf"\g<1>{name}-", text)
    head, rest = text.split(">", 1)
    head = _SIZE.sub("", head)
    return Markup(f'{head} role="img" aria-label="{escape(alt)}">{rest}')
