"""One conversion under the toolkit's own Python: `python convert.py ORDER.json`.

Standard library only, Python 3.8 syntax. The order names the calls with their arguments; every return code is
tested, since the toolkit returns -1 instead of raising (SDK manual 1.3.0, tables 3-1 to 3-4).
"""

import json
import sys

from _wire import Wire


def main():
    # type: () -> int
    wire = Wire.from_environment()
    with open(sys.argv[1], encoding="utf-8") as file:
        order = json.load(file)
    wire.send("stage", name="import")
    from rkllm.api import RKLLM

    toolkit = RKLLM()
    for call in order["calls"]:
        wire.send("stage", name=call["method"])
        code = getattr(toolkit, call["method"])(**call["arguments"])
        if isinstance(code, bool) or code != 0:
            wire.send("returned", stage=call["method"], code=repr(code)[:100])
            return 1
    wire.send("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
