"""`rkdeck doctor BOARD`: every check with its finding, verdict and remedy; and the remedies themselves."""

import argparse
import getpass
from pathlib import Path

from core.base.errors import JsonValue, RefusedError, UsageError
from core.base.foreign import digits
from core.base.names import printable
from core.base.opening import is_missing
from core.boards.doctor.findings import Finding
from core.boards.doctor.remedies import Remedy, copy_library
from core.cli.asking import accepting, agrees, read_secret, somebody_is_there
from core.cli.command import Command, Context
from core.cli.models import model_file
from core.cli.parsing import needed, tr
from core.usecases import doctor as use
from core.usecases.doctor import Diagnosis
from core.vendor.releases import RuntimeRelease
from core.words import word

_MARK_WIDTH = 8


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD")
    parser.add_argument("--model", metavar="FILE")
    parser.add_argument("--context", type=_tokens, metavar="N")
    parser.add_argument(
        "--fix",
        metavar="ID",
    )
    parser.add_argument(
        "--library",
        metavar="VERSION|FILE",
    )
    parser.add_argument("--yes", action="store_true")
    parser.add_argument(
        "--sudo-password-stdin",
        action="store_true",
    )
    parser.add_argument("--accept-host-key", metavar="SHA256:...", action="append", help=argparse.SUPPRESS)


def _tokens(text: str) -> int:
    """A number of tokens from `--context`; argparse words what is wrong."""
    refusal = tr("{text} is not a number of tokens, such as 4096", text=printable(text))
    return needed(digits(text, 1), refusal)


def _run(context: Context) -> int:
    options = context.options
    model = model_file(context.services, options.model) if options.model is not None else None
    diagnosis = accepting(
        context,
        lambda accepted: use.diagnose(
            context.services,
            options.board,
            model,
            context=options.context,
            accept_fingerprint=accepted,
        ),
    )
    if options.fix is not None:
        return _remedy(context, diagnosis, options.fix)
    _tell(context, diagnosis)
    return RefusedError.exit_code if diagnosis.refuses_model else 0


def _tell(context: Context, diagnosis: Diagnosis) -> None:
    context.output.document(document(diagnosis))
    marks = _marks(context)
    indent = " " * len(marks["ok"])
    for finding in diagnosis.findings:
        message, advice = word(finding.statement, context.output.language)
        context.output.text(f"{marks[finding.verdict]}  {message}")
        if advice and finding.verdict != "ok":
            context.output.text(f"{indent}  {advice}")
        if finding.remedy is not None and finding.verdict != "ok":
            command = f"rkdeck doctor {diagnosis.board.name} --fix {finding.remedy.id}"
            offer = context.output.tr("RKDeck can do it: {command}", command=command)
            context.output.text(f"{indent}  {offer}")
    whole = context.output.tr("altogether ({seconds} s)", seconds=f"{diagnosis.seconds:.1f}")
    context.output.text(f"{marks[diagnosis.verdict]}  {whole}")


def _marks(context: Context) -> dict[str, str]:
    """The verdicts in words, all of one width."""
    tr = context.output.tr
    words = {"ok": tr("ok"), "warning": tr("WARNING"), "failed": tr("FAILED"), "unknown": tr("unknown")}
    width = max(_MARK_WIDTH, *map(len, words.values()))
    return {verdict: word.rjust(width) for verdict, word in words.items()}


def document(diagnosis: Diagnosis) -> dict[str, JsonValue]:
    """The document of `rkdeck doctor --json`."""
    return {
        "board": diagnosis.board.name,
        "model": str(diagnosis.model) if diagnosis.model is not None else None,
        "simulated": diagnosis.seen.facts.simulated,
        "verdict": diagnosis.verdict,
        "seconds": diagnosis.seconds,
        "checks": [_check(finding) for finding in diagnosis.findings],
    }


def _check(finding: Finding) -> dict[str, JsonValue]:
    message, advice = word(finding.statement)
    return {**finding.to_json(), "finding": message, "remedy": advice or None}


def _remedy(context: Context, diagnosis: Diagnosis, wanted: str) -> int:
    # A library may be copied whatever was found: a file that is not here (on the Hub, on a board) may want a newer one.
    known: dict[str, Remedy] = {"library": copy_library(None)}
    known |= {
        finding.remedy.id: finding.remedy for finding in diagnosis.findings if finding.remedy is not None
    }
    remedy = next((remedy for name, remedy in known.items() if name == wanted), None)
    if remedy is None:
        raise UsageError(
            "doctor.fix_unknown",
            fix=printable(wanted),
            board=diagnosis.board.name,
            known=", ".join(known) or "none",
        )
    if remedy.needs_file:
        return _library(context, diagnosis, remedy)
    way = diagnosis.way(remedy)
    _show(context, diagnosis, remedy)
    if way == "impossible":
        raise RefusedError("doctor.no_sudo", host=diagnosis.board.host, user=diagnosis.board.user)
    if not _agreed(context):
        return RefusedError.exit_code
    password = None
    if context.options.sudo_password_stdin:
        password = read_secret()
    elif way == "sudo_password" and somebody_is_there(context):
        user = printable(diagnosis.board.user)
        password = getpass.getpass(context.output.tr("Password of {user} for sudo: ", user=user))
    use.apply_remedy(context.services, diagnosis.board.name, remedy, password=password)
    return _afterwards(context, remedy)


def _library(context: Context, diagnosis: Diagnosis, wanted: Remedy) -> int:
    given: str | None = context.options.library
    tr = context.output.tr
    if given is not None and given.startswith(("./", "../", "/")):
        if is_missing(Path(given)):
            raise UsageError("convert.input_missing", path=given)
        library = use.take_library(context.services, Path(given), diagnosis.seen)
    else:
        release = _release(context, diagnosis, given, wanted)
        context.output.note(
            tr(
                "librkllmrt.so {version} of {date}, from {url}",
                version=release.version,
                date=release.released,
                url=release.url,
            )
        )
        context.output.note(tr("  under Rockchip's licence: {url}", url=release.licence_url))
        if not _agreed(context):
            return RefusedError.exit_code
        library = use.get_library(context.services, release)
    remedy = use.plan_library(context.services, diagnosis.board.name, library, diagnosis.seen)
    context.output.note(
        tr(
            "sends librkllmrt.so {version} to {path}; nothing else is touched",
            version=library.version,
            path=printable(str(remedy.facts["path"]), limit=300),
        )
    )
    if not _agreed(context):
        return RefusedError.exit_code
    use.send_library(context.services, diagnosis.board.name, library)
    return _afterwards(context, remedy)


def _release(context: Context, diagnosis: Diagnosis, version: str | None, wanted: Remedy) -> RuntimeRelease:
    """The release that was named, else the one that matches."""
    toolkit = str(wanted.facts["version"]) if wanted.facts.get("version") else None
    offers = use.offer_libraries(context.services, diagnosis.seen, toolkit)
    for offer in offers:
        if offer.release.version == version or (version is None and offer.proposed):
            return offer.release
    raise UsageError(
        "doctor.library_no_release",
        toolkit=version or toolkit,
        machine=diagnosis.seen.facts.machine,
        known=", ".join(offer.release.version for offer in offers) or "none",
    )


def _show(context: Context, diagnosis: Diagnosis, remedy: Remedy) -> None:
    title, detail = word(remedy.statement, context.output.language)
    context.output.note(f"{title}. {detail}")
    who = "root" if remedy.as_root else printable(diagnosis.board.user)
    context.output.note(context.output.tr("On {board}, as {user}:", board=diagnosis.board.name, user=who))
    for command in remedy.commands:
        context.output.note(f"  {printable(command, limit=1000)}")


def _agreed(context: Context) -> bool:
    if context.options.yes:
        return True
    if not somebody_is_there(context):
        raise UsageError("cli.needs_yes")
    return agrees(context, context.output.tr("Run this?"))


def _afterwards(context: Context, remedy: Remedy) -> int:
    context.output.document({"fixed": remedy.id, "undo": list(remedy.undo), "as_root": remedy.as_root})
    tr = context.output.tr
    context.output.text(tr("done: {what}", what=remedy.id))
    context.output.text(tr("to take it back, as root:") if remedy.as_root else tr("to take it back:"))
    for command in remedy.undo:
        context.output.text(f"  {printable(command, limit=1000)}")
    return 0


COMMANDS = (Command("doctor", _configure, _run),)
