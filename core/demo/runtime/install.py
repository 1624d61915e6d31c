"""Put the stand-in runtime on an imaginary board: a launcher, and beside it a folder with its few modules."""

import shlex
import shutil
import sys
from pathlib import Path

import core
from core.base import atomic
from core.base.runtime_protocol import RUNTIMES_FOLDER

PROGRAM_FOLDER = "usr/local/lib/rkdeck/rkllm-runtime-simulated"
NAME = "rkllm-runtime-simulated"
# Everything the program needs besides numpy, tokenizers and jinja2; `core` itself is not on the board.
_MODULES = (
    "base/blot.py",
    "base/errors.py",
    "base/foreign.py",
    "base/names.py",
    "base/rendering/_render.py",
    "base/runtime_protocol.py",
    "quantization/affine.py",
    "quantization/forward.py",
    "demo/container.py",
    "demo/runtime/main.py",
    "demo/runtime/engine.py",
    "demo/runtime/http.py",
    "demo/runtime/model.py",
    "demo/runtime/npu.py",
    "demo/runtime/refusals.py",
)
_MAIN = '''"""Started by the launcher; finds its modules beside itself."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from core.demo.runtime.main import main  # noqa: E402

sys.exit(main(sys.argv[1:], HERE.parents[4]))
'''


def install_runtime(root: Path, python: str = sys.executable) -> Path:
    """Install the stand-in runtime below the board's `root`; an older copy is replaced.

    Args:
        root: the imaginary board's sysroot.
        python: an interpreter that has numpy, tokenizers and jinja2.

    Returns:
        The executable `root/usr/local/lib/rkdeck/runtimes/rkllm-runtime-simulated`.
    """
    root = root.resolve()
    program = root / PROGRAM_FOLDER
    shutil.rmtree(program, ignore_errors=True)
    sources = Path(core.__file__).parent
    for module in _MODULES:
        target = program / "core" / module
        target.parent.mkdir(parents=True, exist_ok=True)
        (target.parent / "__init__.py").touch()
        shutil.copyfile(sources / module, target)
    (program / "core" / "__init__.py").touch()
    (program / "main.py").write_text(_MAIN)
    launcher = root / RUNTIMES_FOLDER.lstrip("/") / NAME
    launcher.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(launcher, _launcher(python, program / "main.py"), mode=0o755)
    return launcher


def _launcher(python: str, main: Path) -> str:
    # -I: neither the user's environment nor the current folder decides what is imported.
    return f'#!/bin/sh\nexec {shlex.quote(python)} -I -B {shlex.quote(str(main))} "$@"\n'
