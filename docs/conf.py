"""How the documentation is built: ``make docs``. Nothing in it is loaded from elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import ecsviz

project = "ecsviz"
author = "the ecsviz developers"
copyright = f"2026, {author}"  # noqa: A001  (Sphinx calls it so)
release = version = ecsviz.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# A notebook that is stored without what it says is run.
nb_execution_mode = "auto"
nb_execution_raise_on_error = True
nb_execution_excludepatterns = ["lessons/*"]  # they are stored with it
nb_ipywidgets_js = {}  # widgets show the picture that stands in for them
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]  # a widget's own form, which no page can show

autosummary_generate = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
python_use_unqualified_type_names = True

html_theme = "pydata_sphinx_theme"
html_title = "ecsviz"
html_theme_options = {
    "show_toc_level": 2,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False
html_copy_source = False

html_extra_path = ["generated/pages"]


def _write_pages() -> None:
    """Write what the gallery shows alive."""
    pages = Path(__file__).parent / "generated" / "pages"
    pages.mkdir(parents=True, exist_ok=True)
    graph = ecsviz.EntityDependencyGraph(ecsviz.sample("thread"))
    graph.to_html(pages / "explorer.html", interactive=True, pairs=False)


def _copy_notebooks() -> None:
    """Bring the notebooks to where Sphinx looks for them; pictures say there what they show."""
    target = Path(__file__).parent / "lessons"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for path in sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if "alt" in cell["metadata"]:
                cell["metadata"]["mystnb"] = {"image": {"alt": cell["metadata"]["alt"]}}
        (target / path.name).write_text(json.dumps(notebook), encoding="utf-8")


_write_pages()
_copy_notebooks()
