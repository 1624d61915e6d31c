"""The one judge of a file on a board: whoever wants to know asks here, and shows what there is room for.

A file that hovers, a ready-made one on the Hub, a deployment before it starts and when it arrives, the doctor: all get
findings. The worst of them is the verdict; those that refuse are why a deployment is not made, past which force goes or
does not.
"""

from dataclasses import dataclass

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Finding, Verdict, overall, worst
from core.boards.doctor.remedies import Remedy
from core.boards.doctor.rules import check_board
from core.boards.doctor.shelf import arch_of, matching_release
from core.fitness.candidate import Candidate
from core.fitness.room import MemoryNeed, disk_free_after, memory_need, ram_free_after
from core.fitness.rules import check_model

# What refuses and may be overridden: the file would be stored and might not run, or run badly. Everything else that
# fails is final: it cannot be sent at all, or would be lost.
OVERRIDABLE = frozenset(
    {
        "deploy.damaged_file", "deploy.real_file_to_simulated_board", "deploy.wrong_platform",
        "doctor.soc_unsupported", "doctor.soc_none", "doctor.model_soc_unknown", "doctor.driver_rocket",
        "doctor.driver_none",
        "doctor.driver_fails", "doctor.access_denied", "doctor.access_root_only", "doctor.library_wrong_bits",
        "doctor.store_in_memory", "doctor.model_dtype_refused", "doctor.model_no_library",
        "doctor.model_no_stand_in", "doctor.model_runtime_old", "doctor.model_context_large",
        "doctor.model_npu_old_driver", "doctor.model_memory_no", "doctor.model_memory_guess_no",
        "doctor.model_memory_header_no", "doctor.model_parts_differ", "doctor.model_parts_other",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refusal:
    """One finding that says no.

    Attributes:
        overridable: whether force goes on past it.
        error: with the finding's code and facts, and the facts `board`, `overridable`, `remedy` (what RKDeck can do
            about it, as `rkdeck doctor --fix` names it), `release` (of the library that would be copied).
    """

    finding: Finding
    overridable: bool
    error: RefusedError


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of a file on a board.

    Attributes:
        findings: those about the board that forbid any file, then those about the file.
        refusals: those that say no, what force cannot override first.
        memory: the file's need; None when nothing can be said of it.
        ram_free_after_bytes, disk_free_after_bytes: left when it is served, and when it has arrived; None is unknown.
    """

    findings: tuple[Finding, ...]
    refusals: tuple[Refusal, ...] = ()
    memory: MemoryNeed | None = None
    ram_free_after_bytes: int | None = None
    disk_free_after_bytes: int | None = None

    @property
    def verdict(self) -> Verdict:
        """What it comes to."""
        return overall(self.findings)

    @property
    def worst(self) -> Finding:
        """The finding that decides; of a file that is all right, the one about memory."""
        if self.refusals:
            return self.refusals[0].finding
        if self.verdict == "ok":
            memory = next((entry for entry in self.findings if entry.check == "model_memory"), None)
            if memory is not None:
                return memory
        decisive = worst(self.findings)
        assert decisive is not None  # there is always something to say
        return decisive

    @property
    def overridable(self) -> bool:
        """Whether it is refused, and force goes on past all that refuses."""
        return bool(self.refusals) and all(refusal.overridable for refusal in self.refusals)

    @property
    def is_open(self) -> bool:
        """Whether there is room depends on what the board has already, which nobody looked up."""
        return any(entry.code == "doctor.model_disk_unless_there" for entry in self.findings)

    @property
    def remedy(self) -> Remedy | None:
        """What RKDeck can do about the first refusal that is shown."""
        return self.refusals[0].finding.remedy if self.refusals else None

    def refused(self, *, force: bool) -> RefusedError | None:
        """The first refusal that stands."""
        return next((entry.error for entry in self.refusals if not (entry.overridable and force)), None)


def judge(candidate: Candidate, seen: Examination, *, board: str) -> Judgement:
    """Judge a file on a board; pure and quick, so that a front end can ask while the file hovers.

    What is not known is in no one's way here: it is asked again on arrival, of the board itself.

    Args:
        candidate: the file.
        seen: the board, as far as it is known.
        board: its name, for messages.
    """
    about_file = check_model(candidate, seen, board=board)
    kind = candidate.kind
    if kind is None:
        return Judgement(about_file, _refusals(about_file, seen, board))
    about_board = check_board(seen) if seen.depth != "none" else ()
    findings = (
        *(entry for entry in about_board if _refuses(entry) and entry.check in kind.board_checks),
        *about_file,
    )
    return Judgement(
        findings,
        _refusals(findings, seen, board),
        memory_need(candidate, seen),
        ram_free_after(candidate, seen),
        disk_free_after(candidate, seen),
    )


def judge_unreadable(error: RKDeckError) -> Judgement:
    """What there is to say of a file that could not be looked at."""
    why = Finding("model_file", "failed", error.code, dict(error.facts))
    return Judgement((why,), (Refusal(why, False, RefusedError(error.code, hint=error.hint, **error.facts)),))


def _refuses(finding: Finding) -> bool:
    return finding.verdict == "failed"


def _refusals(findings: tuple[Finding, ...], seen: Examination, board: str) -> tuple[Refusal, ...]:
    found = [_refusal(entry, seen, board) for entry in findings if _refuses(entry)]
    return tuple(sorted(found, key=lambda refusal: refusal.overridable))


def _refusal(finding: Finding, seen: Examination, board: str) -> Refusal:
    remedy, overridable = finding.remedy, finding.code in OVERRIDABLE
    release = _release(remedy, seen) if remedy is not None else None
    facts: dict[str, JsonValue] = {**finding.facts, "board": board, "overridable": overridable}
    hint = None
    if remedy is not None and remedy.id == "library":
        # A library that no release known here would be is the user's to find: the finding's own advice says so.
        facts |= {"remedy": remedy.id if release is not None else None, "release": release}
        hint = "deploy.offer_library" if release is not None else None
    elif remedy is not None:
        facts |= {"remedy": remedy.id}
        hint = "deploy.offer_remedy"
    return Refusal(finding, overridable, RefusedError(finding.code, hint=hint, **facts))


def _release(remedy: Remedy, seen: Examination) -> str | None:
    """The release that would be proposed for the file (or the newest, where any would do)."""
    arch, toolkit = arch_of(seen.facts.machine), remedy.facts.get("version")
    if remedy.id != "library" or arch is None:
        return None
    release = matching_release(arch, toolkit if isinstance(toolkit, str) else None)
    return release.version if release is not None else None
