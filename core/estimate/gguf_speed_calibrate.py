"""Fit the decode speed of llama.cpp by build and SoC: `python -m core.estimate.gguf_speed_calibrate`.

Prints the constants that stand in resources/gguf_speed.toml as [[rate]], and how far each row lies from the forecast.
Needs scipy (group `test`).
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

from core.estimate.gguf_speed import Kind, Rate, SpeedRow, rates, speed, speed_rows

_KINDS: tuple[Kind, ...] = get_args(Kind)


def rows_of(rate: Rate) -> list[SpeedRow]:
    """The rows of a build on a SoC."""
    return [row for row in speed_rows() if (row.soc, row.build) == (rate.soc, rate.build)]


def fit(
    rows: Sequence[SpeedRow], kinds: Sequence[Kind], *, with_layers: bool
) -> tuple[float, Mapping[Kind, float]]:
    """The time of a layer in ms, and the rates in GB/s; each row counts by its relative error.

    `with_layers` is false where the rows are too few to tell a layer's time from that of its weights.
    """
    import numpy as np
    from scipy.optimize import nnls

    amounts = [
        (row.layers if with_layers else 0, *(row.bytes_of.get(kind, 0.0) / 1e6 for kind in kinds))
        for row in rows
    ]
    speeds = np.array([row.tokens_per_s / 1000 for row in rows])
    found, _ = nnls(np.array(amounts) * speeds[:, None], np.ones(len(rows)))
    return float(found[0]), {kind: 1 / float(each) for kind, each in zip(kinds, found[1:], strict=True)}


def fitted(rate: Rate) -> Rate:
    """The rate as its rows give it; the bounds stay."""
    kinds = [kind for kind in _KINDS if kind in rate.gb_per_s]
    rows = [row for row in rows_of(rate) if row.fitted]
    layer_ms, found = fit(rows, kinds, with_layers=len(rows) > len(kinds))
    return replace(rate, layer_ms=layer_ms, gb_per_s=found)


def main() -> int:
    """Print constants and rows."""
    for rate in rates().values():
        anew = fitted(rate)
        shown = ", ".join(f"{kind} {each:.4g} GB/s" for kind, each in anew.gb_per_s.items())
        sys.stdout.write(f"{rate.soc} {rate.build}: layer {anew.layer_ms:.4g} ms, {shown}\n")
        for row in rows_of(rate):
            expected = speed(anew, row.bytes_of, row.layers)
            if expected is not None:
                sys.stdout.write(
                    f"  {row.model:16} {row.kind:7} {row.tokens_per_s:6.2f} tokens/s, forecast {expected:6.2f}, "
                    f"factor {row.tokens_per_s / expected:.2f}{'' if row.fitted else ' (not fitted)'}\n"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
