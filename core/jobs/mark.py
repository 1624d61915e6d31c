"""Whose job it is: the mark that a job's processes carry, and that names what they leave on a disk."""

from pathlib import Path

JOB_MARKER = "RKDECK_JOB"


def job_mark(job_folder: Path) -> str:
    """A job's mark, of the home folder itself (device and inode) and the job's id: one word.

    The id alone is too little: a copy of a home (a backup, a second computer's share) has the same jobs, and is not
    the one whose processes these are.

    Args:
        job_folder: `HOME/jobs/ID`.

    Raises:
        OSError: when the home folder cannot be looked at.
    """
    home = job_folder.parents[1].stat()
    return f"{home.st_dev:x}-{home.st_ino:x}-{job_folder.name}"
