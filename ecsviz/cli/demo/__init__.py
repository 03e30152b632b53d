"""What the demo does: the main job on real chats, measured, proved, and shown in a notebook.

May import everything but the commands. Begin reading at ``report.py`` (what is measured), then
``tour.py`` (the notebook).
"""

from __future__ import annotations

from ecsviz.cli.demo.report import STORE, DemoError, Report, measure, reload_in_new_process
from ecsviz.cli.demo.tour import (
    FOLDER,
    NEEDED,
    NOTEBOOK,
    PAGE,
    REPORT,
    missing_of,
    notebook_path,
    prepare_folder,
    require,
    run_notebook,
    start_lab,
    write_page,
)

__all__ = [
    "FOLDER",
    "NEEDED",
    "NOTEBOOK",
    "PAGE",
    "REPORT",
    "STORE",
    "DemoError",
    "Report",
    "measure",
    "missing_of",
    "notebook_path",
    "prepare_folder",
    "reload_in_new_process",
    "require",
    "run_notebook",
    "start_lab",
    "write_page",
]
