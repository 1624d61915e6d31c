"""The documents lead where they say, and stay as long as somebody reads them."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.png"))
MAX_PICTURE_BYTES = 150 << 10
# What one sits down to read; the rest is looked up.
MAX_LINES = {"README.md": 150, "SECURITY.md": 70, "CONTRIBUTING.md": 70}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
# A path of ours, as code; `core/serve/scripts.START` is a name in a module. Capitals stand for something else.
_PATH = re.compile(r"`((?:core|gui|tests|resources|docs)/[a-z0-9_./-]+?)(?:\.[A-Z]+)?`")
_TEST = re.compile(r"`(test_\w+\.py)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    """The anchors as the forges make them of headings."""
    titles = _HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text("utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{_name(page)} links to {link}: there is no such file"
        assert not anchor or anchor in _anchors(target), f"{_name(page)}: no heading for {link}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_file_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    gone = [
        path for path in _PATH.findall(text) if not any((ROOT / (path + end)).exists() for end in ("", ".py"))
    ]
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    gone += [name for name in _TEST.findall(text) if name not in tests]
    assert not gone, f"{_name(page)} names what is not there"


@pytest.mark.parametrize("page", [ROOT / name for name in MAX_LINES], ids=_name)
def test_a_page_to_be_read_whole_stays_short(page: Path) -> None:
    lines, most = len(page.read_text("utf-8").splitlines()), MAX_LINES[page.name]
    assert lines <= most, f"{page.name} has {lines} lines, at most {most}: move what is looked up into docs/"


def test_the_index_of_the_decisions_names_each_of_them_in_order() -> None:
    index, _, body = (ROOT / "docs" / "decisions.md").read_text("utf-8").partition("\n## ")
    named = re.findall(r"^  - (.+)$", index, re.MULTILINE)
    made = [" ".join(title.split()).rstrip(".") for title in re.findall(r"^\*\*(.+?)\*\*", body, re.M | re.S)]
    assert named == made, "docs/decisions.md: bring the list at its head up to the decisions below it"


@pytest.mark.parametrize("picture", PICTURES, ids=_name)
def test_pictures_are_small_and_shown(picture: Path) -> None:
    size_bytes = picture.stat().st_size
    assert size_bytes <= MAX_PICTURE_BYTES, f"{size_bytes} bytes: `make pictures` makes small ones"
    assert any(f"pictures/{picture.name})" in page.read_text("utf-8") for page in PAGES), "no page shows it"


def test_the_list_of_changes_knows_this_version_and_what_comes_after_it() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    releases = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert releases[0] == "Unreleased", "CHANGELOG.md: changes go under '## Unreleased' at its head"
    assert version in releases, f"CHANGELOG.md has no '## {version}', which pyproject.toml says this is"
