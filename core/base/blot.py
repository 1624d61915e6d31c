"""What gives somebody access, known by its form alone: in errors, in logs and in what people paste.

An address may hold a name and a password, a line of a program a header, a query a token. None of it is ever repeated.
"""

import re

BLOT = "[redacted]"
# What is blotted; the groups "before" and "after" stay. A name alone before a host is a secret of the web's (tokens go
# there), not of ssh's. A password may hold "@", and one that nobody escaped "/" too; a number and "/" after a colon are
# a port and a path.
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"\bhf_[A-Za-z0-9]{20,}\b",  # the Hub's tokens: 34 letters and digits
        r"(?P<before>\b(?i:authorization):\s?[\"']?)[^\s\"']+ ?[^\s\"']*",
        r"(?P<before>\b(?i:bearer) )[^\s\"']+",
        r"(?P<before>://)[^\s/:@?#\[]{0,300}:(?!\d{1,5}(?:[/?#\s]|$))\S{0,300}(?P<after>@)",
        r"(?i:(?<!ssh)(?<!sftp)(?<!scp)(?<!rsync))(?P<before>://)[^\s/?#@][^\s/?#]{0,300}(?P<after>@)",
        r"\b[\w.-]{1,64}:[^\s/@:]{1,300}(?P<after>@)(?=[\w-]{1,63}\.\w)",
        r"(?P<before>[?&][\w-]{0,40}(?i:token|secret|password|passwd|api_?key|signature|credential)=)[^&\s#\"']+",
    )
)
# What no form is without, in small letters.
_MARKS = ("@", "=", "hf_", "authorization", "bearer")


def without_secrets(text: str) -> str:
    """The text with every secret of a known form blotted out; the address around one stays readable."""
    if not _may_hold_one(text):
        return text
    for form in _FORMS:
        text = form.sub(_blotted, text)
    return text


def holds_secret(text: str) -> bool:
    """Whether `without_secrets` would blot something out."""
    return _may_hold_one(text) and any(form.search(text) for form in _FORMS)


def _may_hold_one(text: str) -> bool:
    small = text.lower()
    return any(mark in small for mark in _MARKS)


def _blotted(found: re.Match[str]) -> str:
    stays = found.groupdict()
    return f"{stays.get('before', '')}{BLOT}{stays.get('after', '')}"
