"""What files need when they are served, for tests."""

from core.model.need import ServedNeed


def need_of_bytes(ram_bytes: int, npu_bytes: int | None = None) -> ServedNeed:
    """Exactly so much memory, at 4096 tokens."""
    return ServedNeed(ram_bytes, ram_bytes, ram_bytes, npu_bytes, 4096, calibrated=True)
