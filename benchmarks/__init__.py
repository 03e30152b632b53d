"""How long things take, each against a baseline in the same run."""
