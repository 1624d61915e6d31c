"""Figures beside a named peer of the same run: `python -m tests.bench [NAME...]`. Nothing is asserted here."""
