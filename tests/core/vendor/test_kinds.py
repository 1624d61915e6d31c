"""Kinds of model files are data: each can be told from the others, and names only rules and checks there are."""

import pytest

from core.deploy.layout import blob_endings, blob_path, read_manifest
from core.fitness import rules
from core.vendor.kinds import kind_of_format, kind_of_name, model_kinds
from core.vendor.releases import magics


@pytest.mark.parametrize("name", model_kinds())
def test_a_kind_names_rules_and_checks_that_exist(name: str) -> None:
    kind = model_kinds()[name]
    assert set(kind.rules) <= set(rules.RULES)
    assert kind.simulated <= kind.formats <= {magic.kind for magic in magics()}


def test_no_two_kinds_share_an_ending_or_a_format() -> None:
    kinds = model_kinds().values()
    assert len({kind.ending for kind in kinds}) == len(kinds)
    assert sum(len(kind.formats) for kind in kinds) == len(
        frozenset().union(*(kind.formats for kind in kinds))
    )
    assert len(set(blob_endings())) == len(kinds) + 1


@pytest.mark.parametrize("name", model_kinds())
def test_a_file_is_of_the_kind_its_name_and_its_bytes_say(name: str) -> None:
    kind = model_kinds()[name]
    assert kind_of_name(f"Some.Model{kind.ending.upper()}") is kind
    assert all(kind_of_format(found) is kind for found in kind.formats)
    assert kind_of_name("model.safetensors") is kind_of_format("html") is None


def test_a_manifest_without_a_kind_is_of_the_first_and_one_of_an_unknown_kind_is_not_read() -> None:
    digest, version = "a" * 64, "20260101T000000Z-aaaaaaaaaaaa"
    members = f'"name":"m","version":"{version}","sha256":"{digest}","size_bytes":1'
    read = read_manifest(f"{{{members}}}", "/s", "m", version, current=True)
    assert read is not None
    assert read.path == blob_path("/s", digest, model_kinds()["rkllm"])
    assert read_manifest(f'{{{members},"kind":"later"}}', "/s", "m", version, current=True) is None
