"""Words for `core.monitor`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "monitor.flood": (
        "The board's shell sent more than {limit_bytes} bytes without finishing a sample.",
        "Something in the account's start-up files prints without end; log in by hand to see it.",
    ),
    "monitor.fault": (
        "Sampling {board} failed by a fault in RKDeck ({fault}).",
        "The log folder's rkdeck.log tells more; it is tried again.",
    ),
    "monitor.worker_ended": (
        "The process that reads the boards' figures has ended ({reason}).",
        "It is started again by itself; the log folder's rkdeck.log tells more if it keeps ending.",
    ),
    "monitor.worker_not_started": (
        "The process that reads the boards' figures cannot be started: {reason}.",
        "Close other programs if memory is short; it is tried again by itself.",
    ),
}
