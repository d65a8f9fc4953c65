"""The documentation site: ``sphinx-build -W docs site`` (extra ``docs``)."""

from tlm.version import __version__

project = "tlm"
author = "The tlm developers"
release = __version__
extensions = ["myst_nb"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"tlm {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
nitpicky = True
myst_heading_anchors = 3
# The notebook is kept without outputs: what a reader of the site sees was run with this version.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
