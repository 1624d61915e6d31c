"""Words for the demo."""

MESSAGES: dict[str, tuple[str, str]] = {
    "demo.part_failed": (
        "The demo's built-in {part} did not start (exit code {exit_code}).",
        "Its own words are above. Please report them.",
    ),
    "demo.nothing_found": (
        "The demo hub did not list its model.",
        "This is a fault in RKDeck; please report it.",
    ),
    "demo.tour_failed": (
        "The demo's window came no further than {step}: {what} did not come about. It complained of: {complaint}",
        "This is a fault in RKDeck or its demo; please report it.",
    ),
    "demo.not_drawn": (
        "The picture {file} could not be written.",
        "Is the folder writable and the disk not full?",
    ),
    "demo.not_watched": (
        "The board's NPU was never seen busy while it answered.",
        "This is a fault in RKDeck's demo; please report it.",
    ),
}
