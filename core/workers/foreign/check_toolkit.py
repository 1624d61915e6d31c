"""What a Python environment has of rkllm-toolkit: `python check_toolkit.py`, told over the wire.

Standard library only, Python 3.8 syntax. The PyPI project named `rkllm` is unrelated to Rockchip: only the
distributions `rkllm-toolkit` and RKDeck's own stand-in count.
"""

import platform
import sys
from importlib import metadata

from _wire import Wire

DISTRIBUTIONS = ("rkllm-toolkit", "rkllm-toolkit-simulated")
COMPANIONS = ("torch", "transformers", "numpy")


def version_of(name):
    # type: (str) -> str | None
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def main():
    # type: () -> int
    wire = Wire.from_environment()
    wire.send("started")
    found = [(name, version_of(name)) for name in DISTRIBUTIONS if version_of(name)]
    facts = {
        "python_version": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "distribution": found[0][0] if found else None,
        "version": found[0][1] if found else None,
        "unrelated_rkllm": version_of("rkllm"),
        "companions": {name: version_of(name) for name in COMPANIONS},
        "class_found": False,
        "reason": None,
    }
    if found:
        try:
            from rkllm.api import RKLLM

            facts["class_found"] = callable(RKLLM)
        except Exception as error:  # noqa: BLE001  # a broken environment fails in any way; it is reported
            facts["reason"] = "{}: {}".format(type(error).__name__, error)[:500]
    wire.send("facts", facts=facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
