"""Sphinx: the site. `make docs` builds it without network; notebooks are shown as they are stored."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("COLUMNS", "100")

import recnb  # noqa: E402
from tools.site import pages  # noqa: E402

pages.make_all()

project = "recnb"
author = "The recnb authors"
copyright = "2026, the recnb authors"
release = version = recnb.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_design",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "readings", "course.md", "generated/*.md", "findings*.j2"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header"]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "substitution", "html_image"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True

autosummary_generate = True
autosummary_imported_members = True
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "inherited-members": False}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "recnb"
html_static_path = ["_static"]
html_css_files = ["recnb.css"]
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False
html_sidebars = {"index": [], "start": [], "glossary": []}
