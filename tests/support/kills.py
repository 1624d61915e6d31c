"""Random kills over download, conversion, deployment and perplexity, each followed by a start: `make kills N=200`.

Each round works in a home of its own against the built-in hub, toolkit and board. A process (the front end, the
supervisor, the worker or all of them) gets SIGKILL at a random moment, or just as the file in question changes its
name; what survives it ends by itself; then the program is started again. After that start, and once more after the
same command was given again, these must hold:

- hidden: nothing under a hidden name is left, in the home or where the results go
- half: what has a final name is whole, on this computer and on the board
- lost: what is finished is entered, and its job says so
- orphan: no process of the home is left
- open: every job has ended
- refused: the same command does its work
"""

import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.jobs.model import JobState
from core.jobs.store import JobStore
from core.model.inspect import inspect_file
from core.services import Services
from core.showcase.parts import BOARD_NAME, DEMO_REPO, DemoParts, prepare, running_parts

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
YOUNG_S = 12.0
VICTIMS = ("front end", "supervisor", "worker", "all")
CHECKS = ("hidden", "half", "lost", "orphan", "open", "refused")
_TAIL_BYTES = 70


@dataclass(slots=True)
class Tally:
    """What was seen.

    Attributes:
        kills: kind and victim -> how many.
        missed: rounds whose command had ended before its victim was hit, by kind.
        states: kind -> the state each job was in after the start.
        broken: check -> what was found, one line each.
    """

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: dict[str, list[str]] = field(default_factory=lambda: {check: [] for check in CHECKS})

    @property
    def faults(self) -> list[str]:
        """Everything that does not hold."""
        return [f"{check}: {line}" for check, lines in self.broken.items() for line in lines]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all rounds share.

    Attributes:
        base: a home that knows toolkit and board, copied for each round.
        model: the folder of the model; content: name -> digest of its files on the hub.
        converted: an .rkllm file made of it.
        seconds: kind -> how long the command takes undisturbed.
    """

    folder: Path
    parts: DemoParts
    base: Path
    model: Path
    content: Mapping[str, str]
    converted: Path
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Round:
    """One command, one kill, one start, the same command again."""

    bench: Bench
    kind: str
    number: int
    chance: random.Random
    out: Path = field(init=False)
    home: AppPaths = field(init=False)

    def __post_init__(self) -> None:
        self.out = self.bench.folder / f"round{self.number}"
        self.out.mkdir()
        self.home = AppPaths(self.out / "home")
        shutil.copytree(self.bench.base, self.home.home)

    def command(self) -> list[str]:
        """The verb under test."""
        model = str(self.bench.model)
        if self.kind == "download":
            return ["download", DEMO_REPO]
        if self.kind == "convert":
            return ["convert", model, "--platform", "rk3588", "--dtype", "w8a8", "--context", "512"]
        if self.kind == "deploy":
            return ["deploy", str(self.file()), BOARD_NAME, "--name", f"round{self.number}"]
        return ["perplexity", model, "--level", "fp16", "--level", "w8a8", "--windows", "2"]

    def file(self) -> Path:
        """A model no board has seen: the converted one with a long tail of its own."""
        file = self.out / f"round{self.number}_W8A8_RK3588.rkllm"
        if not file.exists():
            data = self.bench.converted.read_bytes()
            file.write_bytes(data[:-_TAIL_BYTES] + os.urandom(24 << 20) + data[-_TAIL_BYTES:])
        return file

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the program on this round's home."""
        environment = {
            **os.environ,
            "HF_ENDPOINT": self.bench.parts.hub_url,
            "HF_TOKEN_PATH": os.devnull,
            "RKDECK_HOME": str(self.home.home),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "RKLLM_SIMULATED_SECONDS_PER_STEP": "0.01",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "gui.main", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the program to its end."""
        with self.start(*arguments) as process:
            said, _ = process.communicate(timeout=PATIENCE_S)
        return process.returncode, said

    def kill(self, tally: Tally) -> None:
        """Start the command and kill one of its processes."""
        victim, aimed = self.chance.choice(VICTIMS), self.chance.random() < 0.4
        moment_s = self.chance.uniform(0.05, 1.1) * self.bench.seconds[self.kind]
        front = self.start(*self.command())
        began_s, hit = time.monotonic(), False
        try:
            while front.poll() is None and not self._is_due(began_s, moment_s, aimed=aimed):
                time.sleep(0.001 if aimed else 0.005)
            if aimed:
                time.sleep(self.chance.choice((0.0, 0.0, 0.002, 0.005, 0.01, 0.03)))
            hit = self._hit(front, victim)
        finally:
            self._see_out(front)
        tally.kills[self.kind, victim] += 1
        tally.missed[self.kind] += not hit

    def _is_due(self, began_s: float, moment_s: float, *, aimed: bool) -> bool:
        elapsed_s = time.monotonic() - began_s
        if not aimed or elapsed_s > PATIENCE_S:
            return elapsed_s > moment_s
        if self.kind == "download":
            return any(self.home.library.rglob("*.partial"))
        if self.kind == "convert":
            return any('"inode"' in text for text in self._notes()) or any(self._results())
        if self.kind == "deploy":
            return any((self.store / "blobs").glob("*.rkllm.*")) or any(
                path.stat().st_size > 20 << 20 for path in _there((self.store / "incoming").glob("*.partial"))
            )
        return any(self.home.perplexity.glob("*.json"))

    def _notes(self) -> Iterator[str]:
        for note in self.home.jobs.glob("*/leaves.json"):
            with contextlib.suppress(FileNotFoundError):
                yield note.read_text()

    def _results(self) -> list[Path]:
        return list(self.home.library.rglob("*.rkllm"))

    @property
    def store(self) -> Path:
        """The board's."""
        return Path(str(self.bench.parts.board["store"]))

    def _hit(self, front: "subprocess.Popen[str]", victim: str) -> bool:
        processes = self.processes()
        wanted = {"supervisor": "core.jobs.supervisor", "worker": "core.workers."}
        hit = False
        for process in processes:
            with contextlib.suppress(psutil.Error):
                line = " ".join(process.cmdline())
                is_victim = (
                    process.pid == front.pid if victim == "front end" else wanted.get(victim, "") in line
                )
                if is_victim:
                    process.kill()
                    hit = True
        return hit

    def _see_out(self, front: "subprocess.Popen[str]") -> None:
        """Wait until whatever survived has ended by itself.

        A job whose front end was killed before it had a supervisor is left alone for ten seconds by every start:
        another front end may be about to start it.
        """
        front.communicate(timeout=PATIENCE_S)
        store, deadline = JobStore(self.home.jobs), time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and any(
            record.alive
            or (record.state is JobState.QUEUED and time.time() - record.spec.created_unix_s < YOUNG_S)
            for record in store.list()
        ):
            time.sleep(0.02)

    def processes(self) -> list[psutil.Process]:
        """Those that work in this home."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if (
                    process.environ().get("RKDECK_HOME") == str(self.home.home)
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
        return found

    def check(self, tally: Tally, when: str) -> None:
        """Look whether everything holds."""
        label = f"round {self.number}, {self.kind}, {when}"
        for check, look in (
            ("hidden", self._hidden), ("half", self._half), ("lost", self._lost),
            ("orphan", self._orphans), ("open", self._open),
        ):  # fmt: skip
            tally.broken[check] += [f"{label}: {line}" for line in look()]

    def _hidden(self) -> Iterator[str]:
        for path in self.out.rglob("*"):
            name = path.name
            parts = (name.endswith(".partial"), name.endswith(".partial.json"))
            if name.startswith(".") or (any(parts) and not self._may_go_on(path)):
                yield str(path.relative_to(self.out))

    def _may_go_on(self, path: Path) -> bool:
        """Whether it is a part that the next download goes on with, or such a part's sidecar."""
        name = path.name.removesuffix(".json")
        return (
            self.kind == "download"
            and path.with_name(name).exists()
            and path.with_name(f"{name}.json").exists()
        )

    def _half(self) -> Iterator[str]:
        for path in self._results():
            if not inspect_file(path).is_model:
                yield path.name
        if self.kind == "download":
            for name, digest in self.bench.content.items():
                for path in self.home.library.rglob(name):
                    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                        yield name
        if self.kind == "deploy":
            for path in _there((self.store / "blobs").glob("*.rkllm")):
                if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
                    yield f"on the board: {path.name}"

    def _lost(self) -> Iterator[str]:
        with Services(self.home, Settings(), repairs=False) as services:
            entered = {item.path: item for item in services.library.list()}
        records = JobStore(self.home.jobs).list()
        for path in self._results():
            item = entered.get(path)
            if item is None or not path.with_name(path.name + ".json").exists():
                yield f"{path.name} is not in the library"
            elif item.files[0].sha256 != hashlib.sha256(path.read_bytes()).hexdigest():
                yield f"{path.name} is another one in the library"
            elif not any(record.result and record.result.get("path") == str(path) for record in records):
                yield f"{path.name}: no job says it made it"
        for record in records:
            if str(record.state) == "succeeded" and not self._is_there(record.result or {}):
                yield f"the result of {record.spec.id}"

    def _is_there(self, result: Mapping[str, object]) -> bool:
        if self.kind in {"download", "convert"}:
            return Path(str(result["path"])).exists()
        if self.kind == "deploy":
            return (self.store / "blobs" / f"{result['sha256']}.rkllm").exists()
        return any(self.home.perplexity.glob("*.json"))

    def _orphans(self) -> Iterator[str]:
        deadline = time.monotonic() + 5
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield from (str(process) for process in left)

    def _open(self) -> Iterator[str]:
        for record in JobStore(self.home.jobs).list():
            if not record.state.is_terminal:
                yield f"{record.spec.id} is {record.state}"

    def again(self, tally: Tally) -> None:
        """Give the same command again."""
        code, said = self.run(*self.command(), "--json")
        if code != 0:
            tally.broken["refused"].append(
                f"round {self.number}, {self.kind}: {code}: {said.splitlines()[-1:]}"
            )

    def play(self, tally: Tally) -> None:
        """The whole round."""
        self.kill(tally)
        code, said = self.run("library", "--json")
        if code != 0:
            tally.broken["refused"].append(f"round {self.number}, {self.kind}: the start: {said[-500:]}")
        for record in JobStore(self.home.jobs).list():
            tally.states[self.kind, str(record.state)] += 1
        self.check(tally, "after the start")
        self.again(tally)
        self.check(tally, "after the same command")
        if self.kind == "deploy":  # the board is the same for all rounds
            self.run("undeploy", BOARD_NAME, f"round{self.number}")
        shutil.rmtree(self.out)


def _there(paths: Iterator[Path]) -> list[Path]:
    return [path for path in paths if path.exists()]


KINDS = ("download", "convert", "deploy", "perplexity")


@contextlib.contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Start the built-in parts and make what the rounds need."""
    with running_parts(folder / "parts") as parts:
        base = AppPaths(folder / "base")
        base.ensure()
        with Services(base, Settings()) as services:
            prepare(services, parts)
        model = ROOT / "resources" / "demo" / "wonderland-1m"
        content = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in model.iterdir()
            if path.suffix in {".safetensors", ".json"}
        }
        made = Bench(folder, parts, base.home, model, content, folder / "model_W8A8_RK3588.rkllm")
        first = Round(made, "convert", 0, random.Random(0))
        began_s = time.monotonic()
        code, said = first.run(*first.command(), "--output", str(made.converted))
        assert code == 0, said
        made.seconds["convert"] = time.monotonic() - began_s
        shutil.rmtree(first.out)
        for number, kind in enumerate(KINDS):
            one = Round(made, kind, -1 - number, random.Random(0))
            one.command()
            began_s = time.monotonic()
            code, said = one.run(*one.command())
            assert code == 0, said
            made.seconds[kind] = time.monotonic() - began_s
            shutil.rmtree(one.out)
        yield made


def run(folder: Path, rounds: int, seed: int, on_round: Callable[[int, Tally], None] | None = None) -> Tally:
    """Play that many rounds; returns what was seen."""
    tally, chance = Tally(), random.Random(seed)
    with bench(folder) as made:
        for number in range(1, rounds + 1):
            kind = KINDS[number % len(KINDS)]
            Round(made, kind, number, random.Random(chance.random())).play(tally)
            if on_round is not None:
                on_round(number, tally)
    return tally


def report(tally: Tally, rounds: int, seed: int) -> str:
    """The table, as text."""
    lines = [
        f"{rounds} kills, seed {seed}",
        "",
        f"{'killed':12}" + "".join(f"{victim:>12}" for victim in VICTIMS),
    ]
    for kind in KINDS:
        counts = "".join(f"{tally.kills[kind, victim]:12}" for victim in VICTIMS)
        states = ", ".join(
            f"{count} {state}" for (of, state), count in sorted(tally.states.items()) if of == kind
        )
        lines.append(
            f"{kind:12}{counts}   {tally.missed[kind]} too late or too early; after the start: {states}"
        )
    lines += ["", *(f"{check:12}{len(tally.broken[check]):12} broken" for check in CHECKS)]
    return "\n".join([*lines, *tally.faults])


def main() -> int:
    """Play, print, and say by the exit code whether all holds."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    print(f"{rounds} kills, seed {seed}", flush=True)

    told: list[str] = []

    def tell(number: int, tally: Tally) -> None:
        new = [fault for fault in tally.faults if fault not in told]
        told.extend(new)
        if new or number % 10 == 0:
            print("\n".join([f"{number} played", *new]), flush=True)

    with tempfile.TemporaryDirectory(prefix="rkdeck-kills-") as folder:
        tally = run(Path(folder), rounds, seed, tell)
    print(report(tally, rounds, seed))
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
