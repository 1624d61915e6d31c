"""From the start of the process to the first painted window, beside a bare PySide6 window."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNS = 7
BARE = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow
class Window(QMainWindow):
    def paintEvent(self, event):
        super().paintEvent(event)
        print("painted", flush=True)
        QTimer.singleShot(0, QApplication.quit)
application = QApplication([])
window = Window()
window.resize(1280, 800)
window.show()
application.exec()
"""
OURS = """
import sys
import gui.app
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
opened = gui.app.Shell.open
def painted():
    print("painted", flush=True)
    print(",".join(sorted(set(sys.modules) & {"numpy", "pyqtgraph", "paramiko", "huggingface_hub"})), flush=True)
    QTimer.singleShot(0, QApplication.quit)
def open_and_tell(shell):
    shell.window.painted.connect(painted)
    opened(shell)
gui.app.Shell.open = open_and_tell
from gui.main import main
sys.exit(main(["--home", sys.argv[1]]))
"""


def once(code: str, home: str) -> tuple[float, str]:
    """Seconds to the first paint, and what the program said after it."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code, home],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        assert line.strip() == "painted", line
        rest = process.stdout.read()
    return seconds, rest.strip()


def main() -> None:
    """Print medians and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        bare, ours, loaded = [], [], ""
        for run in range(RUNS + 1):
            pair = once(BARE, folder)[0], once(OURS, folder)
            if run:  # the first warms the disk's cache for both
                bare.append(pair[0])
                ours.append(pair[1][0])
                loaded = pair[1][1]
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"bare PySide6 window  {statistics.median(bare) * 1000:6.0f} ms (best {min(bare) * 1000:.0f})")
    print(f"RKDeck               {statistics.median(ours) * 1000:6.0f} ms (best {min(ours) * 1000:.0f})")
    print(f"ratio {ratio:.2f}; heavy modules loaded before the first paint: {loaded or 'none'}")


if __name__ == "__main__":
    main()
