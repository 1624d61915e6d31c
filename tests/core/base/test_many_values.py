"""JSON of millions of values in few bytes is refused before it fills the memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.base import foreign
from tests.support.peak import PEAK

LIMIT_KIB = 300 << 10
# What is read, by a program of its own: its peak is its own.
READERS = {
    "hub": "from core.base.foreign import read_json; assert read_json(data[: 32 << 20]) is None",
    "header": """
from core.base.errors import RKDeckError
from core.model.headers import parse_safetensors_header
whole = data[: 16 << 20]
try:
    parse_safetensors_header(len(whole).to_bytes(8, "little") + whole, len(whole) + 8)
    raise SystemExit("accepted")
except RKDeckError as error:
    print(error.code, file=sys.stderr)
""",
    "index": """
from core.base.errors import RKDeckError
from core.model.files import parse_index
try:
    parse_index(data[: 16 << 20])
    raise SystemExit("accepted")
except RKDeckError as error:
    print(error.code, file=sys.stderr)
""",
    "file": """
import tempfile
from pathlib import Path
from core.base import atomic
from core.base.errors import RKDeckError
path = Path(tempfile.mkdtemp(), "x.json")
path.write_bytes(data[: 16 << 20])
try:
    atomic.read_json(path)
    raise SystemExit("accepted")
except RKDeckError as error:
    print(error.code, file=sys.stderr)
""",
}


@pytest.mark.parametrize("unit", ["[],", "{},", '{"a":0},', "1e9,", "[0],"])
@pytest.mark.parametrize("reader", READERS)
def test_a_document_of_millions_of_values_stays_below_300_mib(tmp_path: Path, reader: str, unit: str) -> None:
    code = f"""
import sys
unit = {unit.encode()!r}
inner = unit * ((16 << 20) // len(unit) - 2)
data = b'{{"a":[' + inner + b"0]}}"
data += b" " * (8 - len(data) % 8)
{READERS[reader]}
{PEAK}
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < LIMIT_KIB, "KiB, of the process that reads"


@pytest.mark.parametrize("unit", ["[]", "{}", '{"a":0}', "[[]]", '"b,c"'])
def test_the_largest_document_that_is_read_stays_below_300_mib(unit: str) -> None:
    code = f"""
from core.base.foreign import MAX_MARKS, read_json
marks = 1 + sum({unit!r}.count(mark) for mark in ",[{{")
told = "[" + ",".join([{unit!r}] * (MAX_MARKS // marks)) + "]"
assert read_json(told) is not None
{PEAK}
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < LIMIT_KIB, "KiB, of the process that reads"


def test_a_repository_of_a_hundred_thousand_files_is_read() -> None:
    files = [
        {"rfilename": f"folder/{number:06}.bin", "size": number, "blobId": "0" * 40}
        for number in range(100_000)
    ]
    told = foreign.members(json.dumps({"id": "a/b", "siblings": files}))
    assert told["siblings"] == files


def test_the_header_of_a_hundred_thousand_tensors_is_not_too_many() -> None:
    tensor = {"dtype": "BF16", "shape": [4096, 4096], "data_offsets": [0, 33554432]}
    assert not foreign.has_too_many(json.dumps({f"layer.{number}": tensor for number in range(100_000)}))
