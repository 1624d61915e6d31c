"""Words for `core.monitor`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "monitor.flood": (
        "The board's shell sent more than {limit_bytes} bytes without finishing a sample.",
        "Something in the account's start-up files prints without end; log in by hand to see it.",
    ),
}
