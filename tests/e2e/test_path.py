"""The same path verb by verb, and what must change when the weights do."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from core.showcase.parts import DEMO_REPO

from .conftest import Program  # noqa: TID252

PROMPT = "What did the Hatter say?"


def prepare(program: Program) -> Path:
    """Download the demo model and add the toolkit; returns the model's folder."""
    program.run("toolkit", "add", str(program.parts.toolkit_python))
    return Path(str(program.document("download", DEMO_REPO)["result"]["path"]))


def convert(program: Program, folder: Path, dtype: str = "w8a8", platform: str = "rk3588") -> dict[str, Any]:
    found = program.document(
        "convert", str(folder), "--platform", platform, "--dtype", dtype, "--context", "512"
    )
    return dict(found["result"])


def deploy(program: Program, path: object, name: str, *options: str) -> dict[str, Any]:
    return dict(program.document("deploy", str(path), "desk", "--name", name, *options)["result"])


def logits(program: Program, name: str) -> list[float]:
    """The likeliest tokens' log probabilities at the answer's first place."""
    program.run("serve", "desk", name)
    try:
        answer = program.document("chat", "desk", PROMPT, "--max-tokens", "4", "--logprobs", "8")
    finally:
        program.run("stop", "desk")
    return [entry["logprob"] for entry in answer["logprobs"][0]["top"]]


def test_one_weight_changes_the_digest_on_the_board_and_the_logits(program: Program, tmp_path: Path) -> None:
    folder = prepare(program)
    program.add_board()
    first = convert(program, folder)
    sent = deploy(program, first["path"], "original")
    assert sent["sha256"] == first["sha256"]
    assert sent["bytes_sent"] == first["size_bytes"]
    before = logits(program, "original")

    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    shard = next(
        path for path in sorted(changed.glob("*.safetensors")) if "lm_head.weight" in load_file(path)
    )
    tensors = load_file(shard)
    likely = int(np.abs(tensors["lm_head.weight"].astype(np.float32)).sum(axis=1).argmax())
    tensors["lm_head.weight"][likely, 0] += np.float16(4.0)
    save_file(tensors, shard)
    second = convert(program, changed)
    other = deploy(program, second["path"], "changed")
    assert other["sha256"] != sent["sha256"]
    assert other["path"] != sent["path"]
    after = logits(program, "changed")
    assert after != before
    assert logits(program, "original") == before, "the same weights give the same answer again"

    again = deploy(program, first["path"], "original")
    assert again["bytes_sent"] == 0
    rows = {row["name"]: row for row in program.document("deployments", "desk")["deployments"]}
    assert {rows["original"]["sha256"], rows["changed"]["sha256"]} == {sent["sha256"], other["sha256"]}


def test_a_flipped_byte_on_the_board_is_refused_with_the_reason(program: Program) -> None:
    folder = prepare(program)
    program.add_board()
    sent = deploy(program, convert(program, folder)["path"], "flipped")
    blob = Path(sent["path"])  # the demo board's store is a folder of this computer
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(data)
    error = program.document("serve", "desk", "flipped", exit_code=1)["error"]
    assert error["code"] == "serve.start_failed"
    assert "digest" in error["message"] or "checksum" in error["message"] or "damaged" in error["message"]
    assert program.document("chat", "desk", PROMPT, exit_code=1)["error"]["code"] == "serve.nothing_served"
    blob.unlink()


def test_fewer_bits_are_smaller_and_give_other_logits(program: Program) -> None:
    folder = prepare(program)
    eight = convert(program, folder, "w8a8", "rk3576")
    four = convert(program, folder, "w4a16", "rk3576")
    assert four["size_bytes"] < 0.8 * eight["size_bytes"]
    error = program.document("deploy", str(four["path"]), "nowhere", exit_code=2)["error"]
    assert error["code"] == "boards.unknown"
    program.add_board()
    refused = program.document("deploy", str(four["path"]), "desk", exit_code=3)["error"]
    assert refused["code"] == "deploy.wrong_platform"


def test_answers_in_json_have_the_documented_members(program: Program) -> None:
    folder = prepare(program)
    program.add_board()
    estimate = program.document("estimate", DEMO_REPO, "--context", "512")
    assert {"model", "architecture", "parameters", "platform", "context", "prompt", "confidence", "notes", "levels",
            "convert_host_ram_bytes", "bytes_fetched"} <= set(estimate)  # fmt: skip
    assert estimate["bytes_fetched"] < 200_000
    assert [level["dtype"] for level in estimate["levels"]][:5] == ["fp32", "fp16", "bf16", "int8", "int4"]
    assert program.document("search", "wonderland")["models"][0]["repo"] == DEMO_REPO
    assert {item["kind"] for item in program.document("library")["items"]} == {"source"}
    made = convert(program, folder)
    inspection = program.document("inspect", str(made["path"]))
    assert (inspection["kind"], inspection["platform"]) == ("rkllm-simulated", "rk3588")
    assert inspection["fields"]["platform"] == "read"
    lines = [
        json.loads(line) for line in program.run("monitor", "desk", "--samples", "2", "--json").splitlines()
    ]
    assert [line["board"] for line in lines] == ["desk", "desk"]
    assert lines[0]["npu_source"] == "debugfs"
    assert lines[0]["cpu_load_percent"] is None or None in lines[0]["cpu_load_percent"]
    assert lines[1]["t_unix_s"] > lines[0]["t_unix_s"]
    # The simulated board writes its figures by a clock of its own, so two looks may see the same ones.
    assert lines[1]["uptime_s"] >= lines[0]["uptime_s"] > 0
    probed = program.document("board", "probe", "desk")["board"]["facts"]
    assert (probed["soc"], probed["simulated"]) == ("rk3588", True)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (("estimate", "no one/x"), 2, "hub.bad_id"),
        (("estimate", "someone/nothing"), 1, "hub.not_found"),
        (("estimate", "./nowhere"), 2, "cli.path_missing"),
        (("estimate", DEMO_REPO, "--context", "100"), 3, "estimate.bad_context"),
        (("estimate", DEMO_REPO, "--platform", "rk9"), 2, "estimate.unknown_platform"),
        (("convert", DEMO_REPO, "--platform", "rk3588", "--dtype", "w8a8"), 2, "cli.model_not_local"),
        (("board", "probe", "nobody"), 2, "boards.unknown"),
        (("jobs", "show", "nothing"), 2, "jobs.unknown"),
        (("jobs", "cancel"), 2, "cli.job_required"),
        (("jobs", "dance"), 2, "cli.usage"),
        (("estimate",), 2, "cli.usage"),
        (("estimate", DEMO_REPO, "--context", "many"), 2, "cli.usage"),
        (("library", "remove", "nothing"), 2, "library.unknown"),
        (("board", "add", "$(reboot)", "a@127.0.0.1"), 2, "boards.bad_name"),
    ],
)
def test_failures_speak_and_exit_as_promised(
    program: Program, arguments: tuple[str, ...], exit_code: int, code: str
) -> None:
    error = program.document(*arguments, exit_code=exit_code)["error"]
    assert error["code"] == code
    assert error["message"]
    assert set(error) == {"code", "message", "hint", "facts"}


def test_an_endpoint_that_is_none_is_refused_in_words(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Program, "environment", {**program.environment, "HF_ENDPOINT": "http://[::1"})
    assert program.document("search", "x", exit_code=2)["error"]["code"] == "hub.bad_endpoint"


def test_unknown_host_key_is_shown_and_refused_when_nobody_can_answer(program: Program) -> None:
    board = program.parts.board
    address = f"{board['user']}@127.0.0.1:{board['port']}"
    identity = str(program.parts.identity_file)
    error = program.document("board", "add", "desk", address, "--identity", identity, exit_code=3)["error"]
    assert error["code"] == "remote.host_key_unknown"
    assert error["facts"]["fingerprint"] == board["host_key_sha256"]
    assert program.document("board", "list")["boards"] == []
    program.add_board("desk")
    program.run("board", "remove", "desk")
    error = program.document("board", "add", "desk", address, "--identity", identity, exit_code=3)["error"]
    assert error["code"] == "remote.host_key_unknown", "removing a board forgets its key"


def test_several_boards_at_once_each_with_its_own_outcome(program: Program) -> None:
    folder = prepare(program)
    program.add_board("one")
    program.add_board("two")
    made = convert(program, folder)
    out = program.run("deploy", str(made["path"]), "one", "two", "--name", "both", "--json")
    results = [json.loads(line) for line in out.splitlines() if json.loads(line)["event"] == "result"]
    assert {line["board"] for line in results} == {"one", "two"}
    assert {line["result"]["sha256"] for line in results} == {made["sha256"]}
    refused = program.run("deploy", str(folder / "config.json"), "one", "two", "--json", exit_code=3)
    errors = [json.loads(line)["error"]["code"] for line in refused.splitlines() if '"error"' in line]
    assert errors == ["deploy.not_a_model"] * 2
