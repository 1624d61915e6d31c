from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.demo.hub.server import DemoHub
from tests.support.models import write_random_model

REPO = "someone/tiny"
BIG_BYTES = 12 << 20


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with one file that is large enough to be cut."""
    folder = write_random_model(tmp_path_factory.mktemp("hub") / "tiny")
    (folder / "big.rkllm").write_bytes(np.random.default_rng(1).bytes(BIG_BYTES))
    (folder / "pytorch_model.bin").write_bytes(b"the same weights in other clothes")
    return folder


@pytest.fixture
def hub(model: Path) -> Iterator[DemoHub]:
    with DemoHub({REPO: model, "someone/locked": model}, gated=frozenset({"someone/locked"})) as hub:
        yield hub
