"""Small model files for deployment tests."""

import os
from pathlib import Path

import numpy as np

from core.demo.container import Tensor, write_container


def simulated_file(path: Path, size_bytes: int = 3 << 20, platform: str = "rk3588") -> Path:
    """A file of the stand-in toolkit's format, with noise for weights."""
    noise = np.frombuffer(os.urandom(size_bytes), dtype=np.uint8)
    metadata = {
        "platform": platform,
        "dtype": "w8a8",
        "max_context": 512,
        "npu_cores": 3,
        "architecture": "x",
    }
    write_container(path, metadata, {}, [Tensor("noise", {"values": noise})])
    return path


def real_file(path: Path, size_bytes: int = 1 << 20) -> Path:
    """What RKDeck takes for an .rkllm by magic and footer; its file name tells platform and dtype."""
    footer = b"rkllm-toolkit version: 1.2.3"
    path.write_bytes(b"\xda\xee\xb3\x36" + os.urandom(size_bytes) + footer)
    return path
