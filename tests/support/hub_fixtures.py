"""Small folders in Hub layout."""

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from core.hub.huggingface.client import HubClient
from core.hub.waiting import PatientHub
from core.services import Services


def small_repo(folder: Path, seed: int = 0) -> Path:
    """A config.json and a few kilobytes of weights; equal seeds give equal bytes."""
    folder.mkdir(parents=True)
    weights = np.random.default_rng(seed).standard_normal((16, 16)).astype(np.float32)
    save_file({"model.weight": weights}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "any", "hidden_size": 16}))
    (folder / ".hidden").write_text("not of the repository")
    return folder


def digest(path: Path) -> str:
    """The hexadecimal SHA-256 of a small file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hub_client(services: Services) -> HubClient:
    """The default hub's client, with its counts of what was read."""
    hub = services.hub
    assert isinstance(hub, PatientHub)
    assert isinstance(hub.asked, HubClient)
    return hub.asked
