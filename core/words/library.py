"""Words for `core.library`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "library.unknown": ("The library has nothing with the id {item}.", "`rkdeck library` lists what it has."),
    "library.not_a_model": (
        "{path} is not a model folder: it has no {missing}.",
        "A model folder holds config.json and safetensors files, as on the Hub.",
    ),
    "library.size_differs": (
        "{file} has {found} bytes; it had {wanted} when it was added.",
        "It was changed or cut off: download it again.",
    ),
    "library.digest_differs": ("{file} is not what it was: its checksum differs.", "Download it again."),
    "library.cannot_delete": (
        "{path} could not be deleted: {reason}.",
        "Fix the permissions and remove it again; until then it stays in the list.",
    ),
    "library.file_unreadable": ("{file} cannot be read: {reason}.", "Restore it, or remove the item."),
}
