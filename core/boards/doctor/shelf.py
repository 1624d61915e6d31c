"""Runtime libraries kept on this computer, one of each release, and how one comes from the vendor's public repository.

What is fetched counts only when git's blob id of it is the one the table of releases names (resources/runtimes.toml);
then it is exactly the file the vendor published, whoever delivered it.
"""

from collections.abc import Callable
from pathlib import Path

from core.base import atomic
from core.base.errors import RKDeckError
from core.base.foreign import digits
from core.base.names import printable
from core.base.opening import read_regular
from core.base.tasks import CancelToken
from core.base.trouble import reason_of
from core.boards.doctor.library_file import MAX_BYTES, git_blob, read_library
from core.boards.doctor.records import MACHINE_NAMES, LibraryFile
from core.vendor.releases import RuntimeRelease, runtime_releases, version_key

# Of one wait, and of all together: 9 MB at 16 KB/s.
_TIMEOUT_S, _WHOLE_S = 20.0, 600.0
_OK = 200
_ARCHES = {"aarch64": "aarch64", "armv7l": "armhf", "armv8l": "armhf"}


class LibraryShelf:
    """A folder of libraries: `VERSION/ARCH/librkllmrt.so`.

    Args:
        folder: made when the first library is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, release: RuntimeRelease) -> LibraryFile | None:
        """A release that is kept here, read again and whole; None when it is not (any more)."""
        path = self._path(release.version, release.arch)
        if not path.is_file():
            return None
        library = read_library(path)
        return library if library.blob == release.blob else None

    def keep(self, library: LibraryFile) -> LibraryFile:
        """Copy a library the user chose, so that the next board gets it without searching.

        Raises:
            RKDeckError: `doctor.library_not_kept`, `doctor.library_unreadable`.
        """
        target = self._path(library.folder_name, MACHINE_NAMES[library.machine])
        try:
            content = read_regular(library.path, MAX_BYTES)
        except OSError as error:
            raise RKDeckError(
                "doctor.library_unreadable",
                file=printable(library.path.name),
                reason=reason_of(error),
            ) from error
        self._put(target, content)
        return read_library(target)

    def fetch(
        self,
        release: RuntimeRelease,
        *,
        cancel: CancelToken | None = None,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> LibraryFile:
        """Bring a release here from where the vendor publishes it; nothing is kept that is not exactly it.

        Args:
            release: of the table.
            cancel: asked between pieces.
            on_progress: hears bytes so far, and in all where the server tells.

        Raises:
            RKDeckError: `doctor.library_not_fetched`, `doctor.library_other_bytes`, `doctor.library_not_kept`.
            CancelledError: `base.cancelled`.
        """
        import httpx2

        token = cancel or CancelToken()
        try:
            content = _download(release.url, token, on_progress)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise RKDeckError(
                "doctor.library_not_fetched",
                version=release.version, url=release.url, reason=reason_of(error),
            ) from error  # fmt: skip
        if git_blob(content) != release.blob:
            raise RKDeckError("doctor.library_other_bytes", version=release.version, url=release.url)
        target = self._path(release.version, release.arch)
        self._put(target, content)
        return read_library(target)

    def _path(self, version: str, arch: str) -> Path:
        return self._folder / version / arch / "librkllmrt.so"

    def _put(self, target: Path, content: bytes) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic.write_bytes(target, content, mode=0o644)
        except OSError as error:
            raise RKDeckError(
                "doctor.library_not_kept", folder=str(self._folder), reason=reason_of(error)
            ) from error


def arch_of(machine: str | None) -> str | None:
    """The vendor's word for a board's processor (`uname -m`); None where it publishes no library for it."""
    return _ARCHES.get(machine or "")


def matching_release(arch: str, toolkit_version: str | None) -> RuntimeRelease | None:
    """The release to propose: the toolkit's own, else the oldest that is newer, else (without a toolkit) the newest.

    None when the toolkit is newer than every release the table knows.
    """
    known = runtime_releases(arch)
    if toolkit_version is None:
        return known[0] if known else None
    wanted = version_key(toolkit_version)
    fitting = [release for release in known if version_key(release.version) >= wanted]

    def rank(release: RuntimeRelease) -> tuple[tuple[int, ...], bool, bool]:
        # 1.2.1b1 counts as 1.2.1: the toolkit's very own comes first, then the one that is no beta.
        return version_key(release.version), release.version != toolkit_version, "b" in release.version

    return min(fitting, key=rank, default=None)


def _download(url: str, token: CancelToken, on_progress: Callable[[int, int | None], None] | None) -> bytes:
    import httpx2

    from core.base.network import Deadline, keep_deadlines

    data = bytearray()
    with httpx2.Client(follow_redirects=True, timeout=_TIMEOUT_S) as client, Deadline(_WHOLE_S).kept():
        keep_deadlines(client)
        # Unpacked by nobody: a packed answer may be a thousand times what came.
        with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            if response.status_code != _OK:
                raise httpx2.HTTPError(f"HTTP status {response.status_code}")
            total = digits(response.headers.get("Content-Length"), high=MAX_BYTES)
            for piece in response.iter_raw():
                token.raise_if_cancelled()
                data += piece
                if len(data) > MAX_BYTES:
                    raise httpx2.HTTPError("an endless file")
                if on_progress is not None:
                    on_progress(len(data), total)
    token.raise_if_cancelled()
    return bytes(data)
