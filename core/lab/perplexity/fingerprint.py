"""Which model a result belongs to: a digest of its files that is cheap to compute and survives a copy."""

import hashlib
from pathlib import Path

from core.base.digest import sha256_of
from core.base.errors import RefusedError
from core.base.opening import open_regular
from core.base.templates import NAMED_TEMPLATE, TEMPLATE_JSON, TEMPLATE_NAME
from core.base.trouble import reason_of
from core.model.facts import local_names
from core.model.files import CONFIG_NAME, weight_files

# In the order in which measurements of earlier versions took them: another one would be another model.
_WHOLE = (
    CONFIG_NAME, "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "generation_config.json",
    TEMPLATE_NAME, NAMED_TEMPLATE, TEMPLATE_JSON,
)  # fmt: skip
_SAMPLES = 64
_SAMPLE_BYTES = 4096


def fingerprint(folder: Path) -> str:
    """Return 32 hexadecimal digits that differ between models.

    Config and tokenizer count whole; of each weight file its name, its size and 64 pieces of 4 KiB spread over
    it. So another model, another training or another quantization is told apart, in milliseconds and whatever
    the files' dates; a single changed weight may not be (`rkdeck library verify` finds that).

    Raises:
        RefusedError: `perplexity.model_unreadable`.
    """
    digest = hashlib.sha256()
    try:
        for name in _WHOLE:
            if (folder / name).is_file():
                digest.update(f"{name}\0".encode() + sha256_of(folder / name).encode())
        for name in sorted(weight_files(local_names(folder)).files):
            _add_samples(digest, folder / name)
    except OSError as error:
        raise RefusedError(
            "perplexity.model_unreadable", path=str(folder), reason=reason_of(error)
        ) from error
    return digest.hexdigest()[:32]


def _add_samples(digest: "hashlib._Hash", path: Path) -> None:
    size_bytes = path.stat().st_size
    digest.update(f"{path.name}\0{size_bytes}\0".encode("utf-8", "surrogateescape"))
    with open_regular(path) as file:
        for number in range(_SAMPLES):
            # The first is the header's beginning, the last ends with the file.
            file.seek(max(0, size_bytes - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
