"""Words for `core.base`."""

MESSAGES: dict[str, tuple[str, str]] = {
    "base.malformed_error": ("A worker reported a failure in a form RKDeck does not know: {text}", ""),
    "base.home_unusable": (
        "RKDeck cannot write its home folder {folder}: {reason}.",
        "Free some space or fix the permissions, or choose another folder with --home.",
    ),
    "base.bad_json": ("The file {file} cannot be read: {reason}.", "It is damaged; restore or remove it."),
    "base.lock_timeout": (
        "Another RKDeck kept {file} locked for {seconds} s.",
        "Wait until it has finished, or look at `rkdeck jobs`.",
    ),
    "base.cancelled": ("It was called off.", ""),
    "base.closing": ("RKDeck is closing.", ""),
    "base.not_saved": (
        "The settings are in use but could not be saved to {file}: {reason}.",
        "Free some space or fix the permissions, then change a setting again.",
    ),
    "base.lock_not_held": ("The lock {file} is not held.", "This is a fault in RKDeck; please report it."),
    "base.database_newer": (
        "The database {file} has version {version}; this RKDeck knows versions up to {known}.",
        "It was written by a newer RKDeck: use that one, or another home folder with --home.",
    ),
    "base.database_broken": (
        "The database {file} cannot be used: {reason}.",
        "Move it away to start with an empty one (models and jobs stay on disk), "
        "or restore the .bak copy beside it.",
    ),
    "base.bad_settings": (
        "The settings file {file} has an entry that does not fit ({entry}: {reason}).",
        "Correct the entry, or remove the file to go back to the defaults.",
    ),
    "names.unsafe_path": (
        "The file name {path} was refused ({why}): it could leave its folder or confuse the system.",
        "RKDeck does not store files under such names; tell the model's author.",
    ),
}
