"""`rkdeck doctor BOARD`: every check with its finding, verdict and remedy; and the remedies themselves."""

import argparse
import getpass
import sys
from pathlib import Path

from core.base.errors import JsonValue, RefusedError, UsageError
from core.base.names import printable
from core.boards.doctor.findings import Finding
from core.boards.doctor.fixes import Fix, copy_library
from core.cli.asking import accepting, agrees, somebody_is_there
from core.cli.command import Command, Context
from core.usecases import doctor as use
from core.usecases.doctor import Diagnosis
from core.vendor.releases import RuntimeRelease
from core.words import fill, messages, word

_MARKS = {"ok": "ok", "warning": "WARNING", "failed": "FAILED", "unknown": "unknown"}


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD")
    parser.add_argument("--model", type=Path, metavar="FILE", help="also: would this file run there")
    parser.add_argument("--context", type=int, metavar="N", help="tokens wanted for it")
    parser.add_argument(
        "--fix",
        metavar="ID",
        help="carry out one remedy (groups, open_files, performance, library) after showing its commands",
    )
    parser.add_argument(
        "--library",
        metavar="VERSION|FILE",
        help="with --fix library: a release, or a file (./, ../ or /); without it the matching release",
    )
    parser.add_argument("--yes", action="store_true", help="with --fix: do not ask")
    parser.add_argument(
        "--sudo-password-stdin",
        action="store_true",
        help="with --fix: read sudo's password from standard input",
    )
    parser.add_argument("--accept-host-key", metavar="SHA256:...", action="append", help=argparse.SUPPRESS)


def _run(context: Context) -> int:
    options = context.options
    diagnosis = accepting(
        context,
        lambda accepted: use.diagnose(
            context.services,
            options.board,
            options.model,
            context=options.context,
            accept_fingerprint=accepted,
        ),
    )
    if options.fix is not None:
        return _fix(context, diagnosis, options.fix)
    _tell(context, diagnosis)
    return 0


def _tell(context: Context, diagnosis: Diagnosis) -> None:
    context.output.document(document(diagnosis))
    for finding in diagnosis.findings:
        message, remedy = word(finding.statement)
        context.output.text(f"{_MARKS[finding.verdict]:>8}  {message}")
        if remedy and finding.verdict != "ok":
            context.output.text(f"{'':>8}  {remedy}")
        if finding.fix is not None and finding.verdict != "ok":
            context.output.text(
                f"{'':>8}  RKDeck can do it: rkdeck doctor {diagnosis.board.name} --fix {finding.fix.id}"
            )
    context.output.text(f"{_MARKS[diagnosis.verdict]:>8}  altogether ({diagnosis.seconds:.1f} s)")


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
    message, remedy = word(finding.statement)
    return {**finding.to_json(), "finding": message, "remedy": remedy or None}


def _fix(context: Context, diagnosis: Diagnosis, wanted: str) -> int:
    # A library may be copied whatever was found: a file that is not here (on the Hub, on a board) may want a newer one.
    known: dict[str, Fix] = {"library": copy_library(None)}
    known |= {finding.fix.id: finding.fix for finding in diagnosis.findings if finding.fix is not None}
    fix = next((fix for name, fix in known.items() if name == wanted), None)
    if fix is None:
        raise UsageError(
            "doctor.fix_unknown",
            fix=printable(wanted),
            board=diagnosis.board.name,
            known=", ".join(known) or "none",
        )
    if fix.needs_file:
        return _library(context, diagnosis, fix)
    way = diagnosis.way(fix)
    _show(context, diagnosis, fix)
    if way == "impossible":
        raise RefusedError("doctor.no_sudo", host=diagnosis.board.host, user=diagnosis.board.user)
    if not _agreed(context):
        return RefusedError.exit_code
    password = None
    if context.options.sudo_password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif way == "sudo_password" and somebody_is_there(context):
        password = getpass.getpass(f"Password of {printable(diagnosis.board.user)} for sudo: ")
    use.apply_fix(context.services, diagnosis.board.name, fix, password=password)
    return _afterwards(context, fix)


def _library(context: Context, diagnosis: Diagnosis, wanted: Fix) -> int:
    given: str | None = context.options.library
    if given is not None and given.startswith(("./", "../", "/")):
        library = use.take_library(context.services, Path(given), diagnosis.seen)
    else:
        release = _release(context, diagnosis, given, wanted)
        context.output.note(f"librkllmrt.so {release.version} of {release.released}, from {release.url}")
        context.output.note(f"  under Rockchip's licence: {release.licence_url}")
        if not _agreed(context):
            return RefusedError.exit_code
        library = use.get_library(context.services, release)
    fix = use.plan_library(context.services, diagnosis.board.name, library, diagnosis.seen)
    context.output.note(
        printable(
            f"sends librkllmrt.so {library.version} to {fix.facts['path']}; nothing else is touched",
            limit=400,
        )
    )
    if not _agreed(context):
        return RefusedError.exit_code
    use.send_library(context.services, diagnosis.board.name, library)
    return _afterwards(context, fix)


def _release(context: Context, diagnosis: Diagnosis, version: str | None, wanted: Fix) -> RuntimeRelease:
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


def _show(context: Context, diagnosis: Diagnosis, fix: Fix) -> None:
    title, detail = messages()[f"doctor.fix_{fix.id}"]
    context.output.note(f"{fill(title, fix.facts)}. {fill(detail, fix.facts)}")
    who = "root" if fix.as_root else printable(diagnosis.board.user)
    context.output.note(f"On {diagnosis.board.name}, as {who}:")
    for command in fix.commands:
        context.output.note(f"  {printable(command, limit=1000)}")


def _agreed(context: Context) -> bool:
    if context.options.yes:
        return True
    if not somebody_is_there(context):
        raise UsageError("cli.needs_yes")
    return agrees("Run this? [y/N] ")


def _afterwards(context: Context, fix: Fix) -> int:
    context.output.document({"fixed": fix.id, "undo": list(fix.undo), "as_root": fix.as_root})
    context.output.text(f"done: {fix.id}")
    context.output.text(f"to take it back{', as root' if fix.as_root else ''}:")
    for command in fix.undo:
        context.output.text(f"  {printable(command, limit=1000)}")
    return 0


COMMANDS = (Command("doctor", _configure, _run),)
