"""The documentation as a site: `sphinx-build -W docs docs/_build`, then open docs/_build/index.html.

The pages are plain Markdown. Where one says `<!-- made from the code: NAME -->`, NAME of generated.py stands in the
site. The navigation is the list in index.md. Nothing is fetched, neither now nor by a reader's browser.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]

import generated  # noqa: E402
import vid2three  # noqa: E402

project = "vid2three"
author = "the authors of vid2three"
copyright = "the authors of vid2three, Apache-2.0"
release = version = vid2three.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 4  # as GitHub makes them
default_role = "literal"  # single backticks, as our docstrings have them
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
smartquotes = False  # they make a dash of a flag's two hyphens

html_theme = "furo"
html_title = f"vid2three {release}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False


def setup(app):
    app.connect("source-read", _read)
    app.connect("autodoc-process-signature", _shorter)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app, docname: str, content: list[str]) -> None:
    content[0] = generated.filled(content[0])
    if docname == "index":
        content[0] += generated.navigation(content[0])


def _shorter(app, what, name, thing, options, signature, returns):
    """Settings have too many fields for a line: each stands below with its default."""
    return ("", returns) if what == "class" and name.endswith("Config") else None
