"""Words for `core.hub`."""

_RESUME = "What is there stays: `rkdeck jobs resume` goes on with the rest."

MESSAGES: dict[str, tuple[str, str]] = {
    "hub.bad_id": ("{repo} is not a Hub id.", "A Hub id looks like owner/name, for example Qwen/Qwen3-0.6B."),
    "hub.unknown": (
        "There is no hub called {hub}.",
        "The hubs are: {known}. An id without a hub's name before it is one of the Hugging Face Hub.",
    ),
    "hub.bad_endpoint": (
        "{endpoint} is no address of a Hub.",
        "Give one that begins with https://, in the settings or in HF_ENDPOINT, or neither for huggingface.co.",
    ),
    "hub.bad_token": (
        "The Hub token has characters that no token has, so it was not sent.",
        "Look for spaces, line breaks or quotes in HF_TOKEN or in huggingface_hub's token file.",
    ),
    "hub.bad_revision": (
        "{revision} is not a branch, tag or commit.",
        "Leave --revision out for the newest.",
    ),
    "hub.bad_limit": (
        "A page of {limit} search results is not possible.",
        "Ask for 1 to {max} at a time.",
    ),
    "hub.not_found": (
        "The Hub has no model {what}, or it is private.",
        "Check the spelling with `rkdeck search`; a private model needs your token in HF_TOKEN.",
    ),
    "hub.revision_not_found": (
        "That revision of {what} does not exist.",
        "Leave --revision out for the newest.",
    ),
    "hub.file_not_found": ("The Hub has no file {what}.", "Look at the model's page for its file names."),
    "hub.gated": (
        "{what} is gated: its owner asks you to agree to terms first.",
        "Agree on the model's page, then give your token in HF_TOKEN (RKDeck never stores it).",
    ),
    "hub.forbidden": ("The Hub refused access to {what}.", "Check that the token in HF_TOKEN is valid."),
    "hub.unreachable": (
        "The Hub at {endpoint} cannot be reached: {reason}.",
        "Check the network; behind a mirror, set HF_ENDPOINT.",
    ),
    "hub.rate_limited": (
        "The Hub at {endpoint} asks to slow down (retry after {retry_after_s} s).",
        "Wait a little; with a token in HF_TOKEN the limit is higher.",
    ),
    "hub.server_error": ("The Hub at {endpoint} has a problem (status {status}).", "Try again later."),
    "hub.http_status": ("The Hub answered {what} with status {status}.", "Try again later."),
    "hub.strange_answer": ("The Hub gave an answer RKDeck does not understand ({what}).", "Try again later."),
    "hub.no_ranges": (
        "{host} cannot send part of a file, so the download cannot go on.",
        "Try another mirror.",
    ),
    "hub.no_config": (
        "{repo} has no config.json, so its shape is unknown.",
        "It may be a GGUF-only or adapter repository; estimate the base model instead.",
    ),
    "hub.shard_missing": (
        "{repo} lists the weight file {file}, but does not have it.",
        "The upload is incomplete.",
    ),
    "hub.too_many_files": ("{repo} has {count} files; that is no language model.", ""),
    "hub.headers_too_large": (
        "The weight files of {repo} describe themselves with more than {limit_bytes} bytes, which no model needs.",
        "The upload is damaged or hostile; choose another repository.",
    ),
    "hub.file_too_large": ("{file} is larger than {limit_bytes} bytes, which such a file never is.", ""),
    "hub.facts_only": (
        "{repo} holds facts only: its configuration and headers can be looked at, there are no weights to download.",
        "Take the model from its real home on the Hugging Face Hub: set no other hub in Settings.",
    ),
    "hub.nothing_to_download": ("No file of {repo} matches.", "Loosen --include and --exclude."),
    "hub.name_collision": (
        "The repository has {first} and {second}, which some disks cannot tell apart.",
        "Take one of them with --include.",
    ),
    "hub.disk_full_ahead": (
        "{folder} has {free_bytes} bytes free, {needed_bytes} are to come, {reserve_bytes} must stay free.",
        "Free some space, or choose another folder with --to.",
    ),
    "hub.disk_full": ("The disk under {folder} is full.", f"Free some space. {_RESUME}"),
    "hub.cannot_write": ("{folder} cannot be written: {reason}.", f"Fix that. {_RESUME}"),
    "hub.would_overwrite": (
        "{folder} has another file named {file}; RKDeck does not overwrite it.",
        "Move it away, or choose another folder with --to.",
    ),
    "hub.broken_off": ("The connection ended at byte {at_bytes} of {file}.", _RESUME),
    "hub.digest_differs": (
        "{file} did not arrive as the Hub has it (wanted {wanted}, found {found}); it was thrown away.",
        "Download it again; if it happens twice, the mirror or a proxy changes files.",
    ),
}
