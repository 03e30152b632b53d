"""``python -m ecsviz`` is the command line."""

from __future__ import annotations

from ecsviz.cli import main

if __name__ == "__main__":
    main()
