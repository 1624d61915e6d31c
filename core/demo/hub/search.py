"""Search in the demo hub: words, tags, author, sort order, and pages by an opaque cursor as the Hub's are.

The cursor holds the place in the sort order where a page ended, not a count: entries that come or go before it
neither repeat nor hide others.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from core.demo.hub.repos import HubRepo, Rank

_SORTS = frozenset({"downloads", "likes", "lastModified", "createdAt"})
_MAX_LIMIT = 1000


class BadQueryError(Exception):
    """The limit or the cursor makes no sense."""


@dataclass(frozen=True)
class Found:
    """One page; `next_query` asks for the one after it."""

    entries: list[dict[str, Any]]
    next_query: str | None


def search(repos: Mapping[str, HubRepo], query: str) -> Found:
    """Answer the query string of /api/models.

    Raises:
        BadQueryError: for a limit that is no positive number, and a cursor of nobody's.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    asked = dict(pairs)
    tags = {value for name, value in pairs if name == "filter"}
    found = _matching(repos.values(), asked.get("search", ""), asked.get("author", ""), tags)
    key = asked["sort"] if asked.get("sort") in _SORTS else "downloads"
    # By id first and by rank then: the sort is stable, so equal ranks stay in the order of their ids.
    found.sort(key=lambda repo: repo.repo)
    ranked = sorted(((repo.rank(key), repo) for repo in found), key=lambda pair: pair[0], reverse=True)
    if "cursor" in asked:
        rank, name = _read_cursor(asked["cursor"], key)
        ranked = [pair for pair in ranked if _is_after(pair, rank, name)]
    limit = _read_limit(asked.get("limit"))
    page = ranked[:limit]
    following = None
    if len(ranked) > limit:
        rest = [(name, value) for name, value in pairs if name != "cursor"]
        following = urlencode([*rest, ("cursor", _cursor(page[-1][0], page[-1][1].repo))])
    return Found([repo.summary() for _, repo in page], following)


def _matching(repos: Iterable[HubRepo], words: str, author: str, tags: set[str]) -> list[HubRepo]:
    """Repositories whose id has every word, of that author, that carry every tag."""
    wanted = words.lower().split()
    return [
        repo
        for repo in repos
        if all(word in repo.repo.lower() for word in wanted)
        and (not author or repo.repo.startswith(f"{author}/"))
        and (not tags or tags <= set(repo.tags()))
    ]


def _is_after(pair: tuple[Rank, HubRepo], rank: Any, name: str) -> bool:  # noqa: ANN401  # the type of the ranks
    return bool(pair[0] < rank or (pair[0] == rank and pair[1].repo > name))


def _cursor(rank: Rank, name: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([rank, name]).encode()).decode()


def _read_cursor(text: str, key: str) -> tuple[Rank, str]:
    try:
        rank, name = json.loads(base64.urlsafe_b64decode(text.encode()))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise BadQueryError("Invalid cursor") from error
    fits = isinstance(rank, str if key in {"lastModified", "createdAt"} else int)
    if not fits or not isinstance(name, str):
        raise BadQueryError("Invalid cursor")
    return rank, name


def _read_limit(text: str | None) -> int:
    if text is None:
        return _MAX_LIMIT
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise BadQueryError("Invalid limit")
    return min(int(text[:9]), _MAX_LIMIT)
