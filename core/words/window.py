"""Words for the window's own codes."""

MESSAGES: dict[str, tuple[str, str]] = {
    "window.fault": (
        "Something in RKDeck went wrong: {fault}: {text}",
        "It was written to the log. Please report it with the log file.",
    ),
    "window.already_open": (
        "RKDeck is already open with the home folder {home}; its window was brought to the front.",
        "",
    ),
    "window.no_qt": (
        "The window cannot open, a system library is missing: {reason}.",
        "Every stage works without it: rkdeck --help. On Debian or Ubuntu: apt install {packages}.",
    ),
    "window.no_platform": (
        "Qt cannot open a window on {platform}: {reason}",
        "Every stage works in a terminal too. Without a display that answers, and with QT_QPA_PLATFORM set to "
        "what is not installed, there is no window.",
    ),
    "window.no_display": (
        "There is no display to open the window on.",
        "Every stage works without it: rkdeck --help; or run rkdeck demo --headless.",
    ),
}
