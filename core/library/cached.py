"""Folders of huggingface_hub's own cache, where other programs keep what they downloaded.

    models--OWNER--NAME/
        refs/main               the commit it stands for, as text
        blobs/DIGEST            the files' bytes
        snapshots/COMMIT/NAME   links into blobs

(huggingface_hub, file_download.py: `repo_folder_name`, `_get_pointer_path`; guide "Understand caching".)
"""

import re
from collections.abc import Iterable
from pathlib import Path

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.names import printable
from core.base.opening import open_regular
from core.base.trouble import reason_of

_ROOT = re.compile(r"models--[\w.-]+", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAMED = 5


def snapshot_of(folder: Path) -> Path:
    """Return the snapshot a repository's cache folder stands for; any other folder is returned as it is.

    Raises:
        UsageError: `library.which_snapshot` where there are several, and nothing says which; `library.snapshot_gone`
            where the one that is meant is not among those there are.
        RKDeckError: `estimate.unreadable`.
    """
    if not _ROOT.fullmatch(folder.name):
        return folder
    try:
        found = sorted(path for path in (folder / "snapshots").iterdir() if _COMMIT.fullmatch(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return folder
    except OSError as error:
        raise RKDeckError("estimate.unreadable", file=str(folder), problem=reason_of(error)) from error
    commit = _ref(folder / "refs" / "main")
    usual = folder / "snapshots" / commit if commit else None
    if usual in found:
        return usual
    names = ", ".join(path.name for path in found[:_NAMED])
    if found and commit:
        # Another revision is another model: nobody gets it unasked.
        raise UsageError("library.snapshot_gone", path=str(folder), commit=commit, snapshots=names)
    if len(found) > 1:
        raise UsageError("library.which_snapshot", path=str(folder), snapshots=names)
    return found[0] if found else folder


def cached_from(folder: Path) -> tuple[str | None, str | None]:
    """The repository and commit of a snapshot's folder; None and None of any other."""
    root, snapshots, commit = folder.parts[-3:] if len(folder.parts) >= 3 else ("", "", "")
    if not _ROOT.fullmatch(root) or snapshots != "snapshots" or not _COMMIT.fullmatch(commit):
        return None, None
    # Joined with two dashes; the Hub allows none of these in a name.
    return root.removeprefix("models--").replace("--", "/", 1), commit


def folder_title(folder: Path) -> str:
    """What a model in a folder is called: a snapshot's folder has a commit's name, and is called as its repository."""
    repo, _ = cached_from(folder.resolve())
    return folder.resolve().name if repo is None else repo.rpartition("/")[2]


def check_links(snapshot: Path, files: Iterable[Path]) -> None:
    """Check that a snapshot's links stay in its repository's cache folder; other folders may link where they want.

    Raises:
        RefusedError: `library.link_leaves`.
    """
    root = snapshot.parent.parent
    if snapshot.parent.name != "snapshots" or not _ROOT.fullmatch(root.name):
        return
    inside = root.resolve()
    for file in files:
        if not file.resolve().is_relative_to(inside):
            name = printable(str(file.relative_to(snapshot)))
            raise RefusedError("library.link_leaves", file=name, folder=str(root))


def _ref(path: Path) -> str | None:
    """The commit a ref names; None where there is no ref that does."""
    try:
        with open_regular(path) as file:
            text = file.read(100).decode("ascii", "replace").strip()
    except OSError:
        return None
    return text if _COMMIT.fullmatch(text) else None
