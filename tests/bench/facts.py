"""From a click to the whole table: what it costs to know a model on the Hub that is not downloaded.

Each model of the demo's hub (real shapes, headers only) on loopback: bytes and requests, counted by the hub, and the
time from asking for details to the estimate of every level; then the time a slide of the context takes, beside a frame
at 60 Hz.
"""

import tempfile
import time
from pathlib import Path

from core.demo.hub.server import DemoHub
from core.estimate.table import estimate_model
from core.hub.facts import fetch_facts
from core.hub.huggingface.client import HubClient
from core.model.facts import ModelFacts
from core.model.shape import build_shape
from core.showcase.models import write_known_models
from core.vendor.platforms import get_platform

_FRAME_MS = 1000 / 60
_CONTEXTS = range(512, 16_385, 512)


def main() -> None:
    """Print the table."""
    platform = get_platform("rk3588")
    print(
        f"{'model':42} {'weights GB':>10} {'shards':>6} {'requests':>8} {'KiB read':>8} {'ms':>6} {'slide ms':>8}"
    )
    with tempfile.TemporaryDirectory() as folder, DemoHub(write_known_models(Path(folder))) as hub:
        HubClient(hub.url, None).details(next(iter(hub.repos)))  # imports are no part of it
        for repo in sorted(hub.repos):
            client, before = HubClient(hub.url, None), len(hub.requests)
            began_s = time.perf_counter()
            detail = client.details(repo)
            facts = fetch_facts(client, detail)
            estimate_model(facts, platform)
            took_ms = 1000 * (time.perf_counter() - began_s)
            asked = hub.requests[before:]
            shards = [file for file in detail.files if file.path.endswith(".safetensors")]
            size = sum(file.size_bytes for file in shards)
            print(
                f"{repo:42} {size / 1e9:10.2f} {len(shards):6} {len(asked):8} "
                f"{sum(request.bytes_sent for request in asked) / 1024:8.0f} {took_ms:6.0f} {_slide_ms(facts):8.2f}"
            )
    print(f"requests count the redirect to the CDN of each shard; a frame at 60 Hz is {_FRAME_MS:.1f} ms")


def _slide_ms(facts: ModelFacts) -> float:
    """The longest computation while the context slides from end to end, with the shape built before."""
    shape, platform, longest = build_shape(facts), get_platform("rk3588"), 0.0
    for context in _CONTEXTS:
        began_s = time.perf_counter()
        estimate_model(facts, platform, context=context, board_ram_bytes=8 << 30, shape=shape)
        longest = max(longest, time.perf_counter() - began_s)
    return 1000 * longest
