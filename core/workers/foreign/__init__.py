"""Programs for other Pythons, started by path: standard library only, Python 3.8 syntax."""
