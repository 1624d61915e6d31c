"""Memory, speed and first token of the vendor's rows: RKDeck beside other ways to guess them.

Peers that are installed take part (`pip install --group bench`); a cell that cannot be run says so. `--plot FILE` of
`python -m tests.bench.estimate` draws predicted against measured as SVG.
"""

import importlib.util
import json
import math
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from core.estimate import calibrate
from core.estimate.known_models import BenchmarkRow, KnownModel, benchmark_rows, known_models
from core.vendor.levels import get_level

MIB = 1 << 20
_GGUF = {8: "Q8_0", 4: "Q4_0"}
_COLUMNS = ("vendor", "RKDeck", "unseen", "params x1.2", "rule of thumb", "llmfit", "hf-mem")


def params_times(row: BenchmarkRow, model: KnownModel) -> float | None:
    """Parameters x bits / 8 x 1.2, in MiB: what most calculators do."""
    return model.parameters * get_level(row.dtype).bits / 8 * 1.2 / MIB


def rule_of_thumb(row: BenchmarkRow, model: KnownModel) -> float | None:
    """1 byte a parameter at 8 bits, 0.7 at 4, in MiB."""
    return model.parameters * get_level(row.dtype).rule_of_thumb_bytes_per_parameter / MIB


def llmfit(row: BenchmarkRow, model: KnownModel) -> float | None:
    """What `llmfit plan` says a GPU needs for the nearest GGUF quantization, in MiB; None when it does not know it."""
    program = shutil.which("llmfit", path=str(Path(sys.executable).parent)) or shutil.which("llmfit")
    if program is None:
        return None
    quant = _GGUF[get_level(row.dtype).bits]
    done = subprocess.run(
        [program, "plan", model.repo, "--quant", quant, "--context", "256", "--json"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    try:
        return float(json.loads(done.stdout)["minimum"]["vram_gb"]) * 1e9 / MIB
    except (ValueError, KeyError, TypeError):
        return None


def hf_mem(_row: BenchmarkRow, model: KnownModel) -> float | None:
    """What hf-mem adds up from the headers: the tensors as they are stored (it knows no 8- or 4-bit conversion)."""
    if importlib.util.find_spec("hf_mem") is None:
        return None
    from hf_mem.safetensors.metadata import parse_safetensors_metadata

    header = {
        info.name: {"dtype": info.dtype, "shape": list(info.shape), "data_offsets": [0, info.size_bytes]}
        for info in model.tensors
    }
    return float(parse_safetensors_metadata({"Transformer": header}).bytes_count) / MIB


def main() -> None:
    """Print the table and the mean errors."""
    found = calibrate.samples()
    ram, speed = calibrate.fit_ram(found), calibrate.fit_speed(found)
    seen, unseen = calibrate.errors(found, ram, speed), calibrate.leave_one_model_out(found)
    peers: tuple[Callable[[BenchmarkRow, KnownModel], float | None], ...] = (
        params_times, rule_of_thumb, llmfit, hf_mem,
    )  # fmt: skip
    errors: dict[str, list[float]] = {name: [] for name in _COLUMNS[1:]}
    print("memory in MiB; `unseen`: RKDeck with this model left out of the fit")
    print(f"{'platform':8} {'model':15} {'dtype':11}" + "".join(f"{name:>14}" for name in _COLUMNS))
    for place, row in enumerate(benchmark_rows()):
        measured, model = row.memory_mib, known_models()[row.model]
        values: list[float | None] = [
            measured * (1 + seen.ram[place]), measured * (1 + unseen.ram[place]), *(peer(row, model) for peer in peers),
        ]  # fmt: skip
        for name, value in zip(_COLUMNS[1:], values, strict=True):
            if value is not None:
                errors[name].append(value / measured - 1)
        shown = "".join(f"{value:14.0f}" if value is not None else f"{'cannot run':>14}" for value in values)
        print(f"{row.platform:8} {row.model:15} {row.dtype:11}{measured:14.0f}{shown}")
    for name, off in errors.items():
        if off:
            print(f"  {name:14} mean {_mean(off):5.1f} %   largest {_largest(off):5.1f} %   rows {len(off)}")
    print(f"in sample            {seen.summary()}")
    print(f"leave one model out  {unseen.summary()}")


def _mean(errors: Sequence[float]) -> float:
    return 100 * statistics.mean(map(abs, errors))


def _largest(errors: Sequence[float]) -> float:
    return 100 * max(map(abs, errors))


def plot() -> str:
    """Predicted (model left out of the fit) against measured, three panels, as SVG."""
    unseen, rows = calibrate.leave_one_model_out(calibrate.samples()), benchmark_rows()
    panels = (
        ("RAM, MiB", [row.memory_mib for row in rows], unseen.ram),
        ("tokens/s", [row.tokens_per_s for row in rows], unseen.decode),
        ("TTFT, ms", [row.ttft_ms for row in rows], unseen.ttft),
    )
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="960" height="340" font-family="sans-serif" font-size="12">',
        '<rect width="960" height="340" fill="#ffffff"/>',
    ]
    for number, (title, measured, errors) in enumerate(panels):
        parts += _panel(30 + 315 * number, title, measured, errors)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(left: int, title: str, measured: Sequence[float], errors: Sequence[float]) -> list[str]:
    side, top = 270, 36
    low, high = math.log10(min(measured) * 0.8), math.log10(max(measured) * 1.25)

    def place(value: float) -> float:
        return (math.log10(value) - low) / (high - low) * side

    parts = [
        f'<text x="{left}" y="22" fill="#1d232b">{title}: mean error {_mean(errors):.1f} %</text>',
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="#8b939e"/>',
        f'<path d="M{left} {top + side}L{left + side} {top}" stroke="#8b939e" stroke-dasharray="4 3"/>',
    ]
    for row, value, error in zip(benchmark_rows(), measured, errors, strict=True):
        x, y = left + place(value), top + side - place(value * (1 + error))
        colour = {"rk3588": "#2458c5", "rk3576": "#b35900", "rk3562": "#a3273f", "rv1126b": "#1b7f5c"}[
            row.platform
        ]
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}" fill-opacity="0.75"/>')
    for exponent in range(math.ceil(low), math.floor(high) + 1):
        at = left + place(10.0**exponent)
        parts.append(
            f'<text x="{at:.0f}" y="{top + side + 15}" text-anchor="middle" fill="#565f6b">{10**exponent}</text>'
        )
    return parts


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--plot":
        Path(sys.argv[2]).write_text(plot(), "utf-8")
    else:
        main()
