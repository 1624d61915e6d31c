"""Runs the benches that are named, or all of them, one after the other."""

import importlib
import pkgutil
import sys
from collections.abc import Sequence

import tests.bench


def names() -> list[str]:
    """The benches there are."""
    return sorted(
        module.name for module in pkgutil.iter_modules(tests.bench.__path__) if module.name != "__main__"
    )


def main(arguments: Sequence[str]) -> int:
    """Run them."""
    unknown = set(arguments) - set(names())
    if unknown:
        print(f"no such bench: {', '.join(sorted(unknown))}; there are: {', '.join(names())}")
        return 2
    for name in arguments or names():
        module = importlib.import_module(f"tests.bench.{name}")
        print(f"\n== {name}: {(module.__doc__ or '').strip().splitlines()[0]}")
        module.main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
