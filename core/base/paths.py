"""Where everything lives: one home folder, passed in, never global."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from core.base.errors import RKDeckError, UsageError
from core.base.trouble import reason_of


@dataclass(frozen=True, slots=True)
class AppPaths:
    """The home folder and the names inside it."""

    home: Path

    @property
    def settings_file(self) -> Path:
        """TOML, written by RKDeck, readable by people."""
        return self.home / "settings.toml"

    @property
    def database_file(self) -> Path:
        """SQLite: library, boards, toolkits."""
        return self.home / "rkdeck.sqlite3"

    @property
    def logs(self) -> Path:
        """Rotated log files of the program itself; a job's log is in its folder."""
        return self.home / "logs"

    @property
    def jobs(self) -> Path:
        """One folder per job."""
        return self.home / "jobs"

    @property
    def lanes(self) -> Path:
        """Lock files that keep jobs of one lane from running side by side."""
        return self.home / "lanes"

    @property
    def locks(self) -> Path:
        """Other lock files."""
        return self.home / "locks"

    @property
    def library(self) -> Path:
        """Models that RKDeck itself downloaded or made."""
        return self.home / "library"

    @property
    def runtimes(self) -> Path:
        """Runtime libraries for boards; made when the first is kept."""
        return self.home / "runtimes"

    @property
    def analyses(self) -> Path:
        """What fewer bits do to models, one file each; made when the first is analysed."""
        return self.home / "analyses"

    @property
    def perplexity(self) -> Path:
        """What was measured of models, one file each; made when the first is."""
        return self.home / "perplexity"

    @property
    def cache(self) -> Path:
        """Whatever can be fetched again."""
        return self.home / "cache"

    @property
    def toolkits(self) -> Path:
        """Python environments for rkllm-toolkit that RKDeck built."""
        return self.home / "toolkits"

    @property
    def known_hosts(self) -> Path:
        """Host keys of boards, OpenSSH's format."""
        return self.home / "known_hosts"

    @property
    def written(self) -> tuple[Path, ...]:
        """The folders whose files are replaced in one step, in which a killed writer may leave one aside."""
        return (self.home, self.analyses, self.perplexity, self.runtimes, self.cache / "facts")

    def ensure(self) -> None:
        """Create the folders, readable by the owner only.

        Raises:
            RKDeckError: `base.home_unusable` when the home cannot be made or written.
        """
        folders = (
            self.home,
            self.logs,
            self.jobs,
            self.lanes,
            self.locks,
            self.library,
            self.cache,
            self.toolkits,
        )
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # A name of its own: whatever lies there under any other is somebody's.
            with tempfile.NamedTemporaryFile(dir=self.home, prefix=".writable-"):
                pass
        except OSError as error:
            raise RKDeckError("base.home_unusable", folder=str(self.home), reason=reason_of(error)) from error


def resolve_home(option: str | None, environ: Mapping[str, str]) -> Path:
    """Choose the home folder: `--home`, then `RKDECK_HOME`, then the platform's data folder.

    Raises:
        UsageError: `base.home_empty`: a script's variable that is not set must not lead to the user's own home;
            `base.home_unknown`: no variable and no account tells where the user's data is.
    """
    if option is not None and not option.strip():
        raise UsageError("base.home_empty")
    chosen = option or environ.get("RKDECK_HOME")
    try:
        folder = Path(chosen).expanduser().absolute() if chosen else _data_folder(environ)
    except RuntimeError as error:  # "~" where neither HOME nor the account tells
        raise UsageError("base.home_unknown") from error
    # A folder below whatever the present one is would be another home each time.
    if not folder.is_absolute():
        raise UsageError("base.home_unknown")
    return folder


def _data_folder(environ: Mapping[str, str]) -> Path:
    # "All paths set in these environment variables must be absolute. If an implementation encounters a relative path
    # [...] it should consider the path invalid and ignore it" (XDG Base Directory Specification 0.8).
    if environ.get("XDG_DATA_HOME", "").strip() and not Path(environ["XDG_DATA_HOME"].strip()).is_absolute():
        return Path("~/.local/share/rkdeck").expanduser()
    return Path(platformdirs.user_data_dir("rkdeck", appauthor=False))
