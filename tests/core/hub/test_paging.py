"""Search page by page: every model once, in a stable order, and no way for a page to send us elsewhere."""

from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest
from huggingface_hub import HfApi

from core.base.errors import RKDeckError, UsageError
from core.demo.hub.server import DemoHub
from core.hub.huggingface.client import HubClient
from core.hub.protocol import read_file, search
from core.hub.records import ModelSummary, SearchQuery, Sort
from core.vendor.kinds import model_kinds
from tests.support.odd_hub import Answer, OddHub, document, reply

ENTRIES = 10_000


@pytest.fixture(scope="module")
def hub() -> Iterator[DemoHub]:
    with DemoHub({}, catalogue=ENTRIES) as hub:
        yield hub


@pytest.fixture
def odd() -> Iterator[OddHub]:
    with OddHub() as odd:
        yield odd


def walk(client: HubClient, query: SearchQuery) -> Iterator[tuple[ModelSummary, ...]]:
    cursor = None
    while True:
        page = client.search_page(query, cursor)
        yield page.models
        cursor = page.next_cursor
        if cursor is None:
            return


@pytest.mark.parametrize("sort", ["downloads", "likes", "updated", "created"])
def test_all_pages_of_a_large_catalogue_give_each_model_once(hub: DemoHub, sort: Sort) -> None:
    pages = list(walk(HubClient(hub.url, None), SearchQuery("catalogue", sort, limit=100)))
    names = [model.repo for page in pages for model in page]
    assert len(pages) == ENTRIES // 100
    assert len(names) == len(set(names)) == ENTRIES
    if sort in {"downloads", "likes", "updated"}:
        ranks = [getattr(model, sort) for page in pages for model in page]
        assert all(before >= after for before, after in pairwise(ranks))
        ties = [(a, b) for (a, b), (x, y) in zip(pairwise(names), pairwise(ranks), strict=True) if x == y]
        assert ties  # else the order of equals would not be tried
        assert all(before < after for before, after in ties)


@pytest.mark.parametrize("limit", [1, 3, 5, 10, 11])
def test_pages_of_any_size_give_the_same_list(hub: DemoHub, limit: int) -> None:
    client = HubClient(hub.url, None)
    whole = search(client, SearchQuery("catalogue-0123", limit=100))
    assert len(whole) == 10
    pages = list(walk(client, SearchQuery("catalogue-0123", limit=limit)))
    assert [model for page in pages for model in page] == whole
    assert all(len(page) == limit for page in pages[:-1])
    assert 0 < len(pages[-1]) <= limit


def test_filters_hold_on_every_page(hub: DemoHub) -> None:
    client = HubClient(hub.url, None)
    query = SearchQuery("", limit=100, kind=model_kinds()["rkllm"], author="rkdeck-demo")
    found = [model for page in walk(client, query) for model in page]
    assert len(found) == -(-ENTRIES // 7)
    assert all("rkllm" in model.tags for model in found)
    assert client.search_page(SearchQuery("", author="rkdeck")).models == ()
    empty = client.search_page(SearchQuery("no such model"))
    assert (empty.models, empty.next_cursor) == ((), None)


def test_the_stock_library_walks_the_same_pages(hub: DemoHub) -> None:
    stock = [model.id for model in HfApi(endpoint=hub.url).list_models(search="catalogue-0", sort="likes")]
    query = SearchQuery("catalogue-0", "likes", limit=100)
    assert stock == [model.repo for page in walk(HubClient(hub.url, None), query) for model in page]
    assert len(stock) == ENTRIES


def test_entries_that_come_and_go_neither_repeat_nor_hide_others() -> None:
    with DemoHub({}, catalogue=100) as hub:
        client, query = HubClient(hub.url, None), SearchQuery("catalogue", limit=10)
        first = client.search_page(query)
        gone = hub.repos.pop(first.models[0].repo)
        second = client.search_page(query, first.next_cursor)
        hub.repos[gone.repo] = gone
        third = client.search_page(query, second.next_cursor)
        names = [model.repo for page in (first, second, third) for model in page.models]
        assert names == [model.repo for model in search(client, SearchQuery("catalogue", limit=30))]


@pytest.mark.parametrize("limit", [0, -1, 101, 10**12])
def test_impossible_page_sizes_are_refused_before_anybody_is_asked(odd: OddHub, limit: int) -> None:
    with pytest.raises(UsageError) as caught:
        HubClient(odd.url, None).search_page(SearchQuery("x", limit=limit))
    assert caught.value.code == "hub.bad_limit"
    assert odd.asked == []


def test_a_cursor_of_nobodys_is_the_hubs_refusal(hub: DemoHub) -> None:
    for cursor in ("", "x", "W10=", "WzEsMl0=", "é" * 100, "x" * 5000):
        with pytest.raises(RKDeckError) as caught:
            HubClient(hub.url, None).search_page(SearchQuery("catalogue"), cursor)
        assert (caught.value.code, caught.value.facts["status"]) == ("hub.http_status", 400)


def with_link(link: str) -> Answer:
    body = b'[{"id": "a/b"}]'
    return reply(200, body, Content_Type="application/json", Link=link)


@pytest.mark.parametrize(
    "link",
    [
        '<{url}/api/models?limit=2&cursor=abc%3D>; rel="next"',
        "<{url}/api/models?cursor=abc%3D>; rel=next",
        '</api/models?cursor=abc%3D>; rel="next"',
        '<?cursor=abc%3D>; title="more"; rel="next"',
        '<{url}/other>; rel="prev", <{url}/api/models?cursor=abc%3D>; rel="next"',
        '<{url}/api/models?cursor=abc%3D>; rel="next", <http://elsewhere.example/>; rel="last"',
        "<https://{netloc}/api/models?cursor=abc%3D>; rel=next",
    ],
)
def test_the_cursor_is_read_out_of_the_link(odd: OddHub, link: str) -> None:
    odd.answer = with_link(link.format(url=odd.url, netloc=urlsplit(odd.url).netloc))
    page = HubClient(odd.url, None).search_page(SearchQuery("x"))
    assert ([model.repo for model in page.models], page.next_cursor) == (["a/b"], "abc=")


@pytest.mark.parametrize(
    "link",
    [
        '<http://elsewhere.example/api/models?cursor=abc>; rel="next"',
        '<http://{netloc}@elsewhere.example/api/models?cursor=abc>; rel="next"',
        '<http://elsewhere.example@{netloc}/api/models?cursor=abc>; rel="next"',
        '<//elsewhere.example/api/models?cursor=abc>; rel="next"',
        '<{url}/api/datasets?cursor=abc>; rel="next"',
        '<{url}/api/models/../whoami?cursor=abc>; rel="next"',
        '<file:///api/models?cursor=abc>; rel="next"',
        '<http://[::1/api/models?cursor=abc>; rel="next"',
        '<{url}/api/models?cursor=>; rel="next"',
        '<{url}/api/models>; rel="next"',
        '<{url}/api/models?cursor=a&cursor=b>; rel="next"',
        '<{url}/api/models?cursor=a%00b>; rel="next"',
        '<{url}/api/models?cursor=a%0D%0AX-Evil:1>; rel="next"',
        '<{url}/api/models?cursor={long}>; rel="next"',
        '<{url}/api/models?{many}cursor=abc>; rel="next"',
        '<{url}/api/models?cursor=abc>; rel="prev"',
        "garbage",
        "<<<<>>>>;;;;rel=next",
        "<" * 20_000,
        '<a>; x="' * 5_000,
    ],
)
def test_links_that_lead_elsewhere_or_nowhere_end_the_list(odd: OddHub, link: str) -> None:
    netloc = urlsplit(odd.url).netloc
    filled = link.format(url=odd.url, netloc=netloc, long="x" * 50_000, many="a=1&" * 5_000)
    odd.answer = with_link(filled)
    page = HubClient(odd.url, "hf_secret").search_page(SearchQuery("x"))
    assert ([model.repo for model in page.models], page.next_cursor) == (["a/b"], None)
    assert len(odd.asked) == 1


def test_a_megabyte_of_a_link_is_a_clear_error(odd: OddHub) -> None:
    odd.answer = with_link(f'<{odd.url}/api/models?cursor={"x" * (1 << 20)}>; rel="next"')
    with pytest.raises(RKDeckError) as caught:
        HubClient(odd.url, None).search_page(SearchQuery("x"))
    assert caught.value.code in {"hub.unreachable", "hub.strange_answer"}


@pytest.mark.parametrize("cursor", ["abc=", "a b&limit=9999#?/%41", "é\u3000"])
def test_a_cursor_comes_back_to_the_hub_as_it_was_and_changes_nothing_else(odd: OddHub, cursor: str) -> None:
    odd.answer = document([])
    HubClient(odd.url, None).search_page(SearchQuery("two words", "likes", limit=7), cursor)
    asked = urlsplit(odd.asked[0][0])
    query = parse_qs(asked.query)
    assert asked.path == "/api/models"
    assert (query["cursor"], query["limit"], query["search"], query["sort"]) == (
        [cursor], ["7"], ["two words"], ["likes"],
    )  # fmt: skip


def test_a_page_that_leads_to_itself_and_an_empty_one_are_the_last(odd: OddHub) -> None:
    odd.answer = with_link('</api/models?cursor=abc>; rel="next"')
    client = HubClient(odd.url, None)
    assert client.search_page(SearchQuery("x")).next_cursor == "abc"
    assert client.search_page(SearchQuery("x"), "abc").next_cursor is None
    link = '</api/models?cursor=more>; rel="next"'
    odd.answer = reply(200, b"[]", Content_Type="application/json", Link=link)
    assert client.search_page(SearchQuery("x")).next_cursor is None


def test_an_endpoint_below_a_path_has_its_pages_there(odd: OddHub) -> None:
    client = HubClient(f"{odd.url}/mirror/hf", None)
    odd.answer = with_link(f'<{odd.url}/mirror/hf/api/models?cursor=abc>; rel="next"')
    assert client.search_page(SearchQuery("x")).next_cursor == "abc"
    odd.answer = with_link(f'<{odd.url}/api/models?cursor=abc>; rel="next"')
    assert client.search_page(SearchQuery("x")).next_cursor is None


@pytest.mark.parametrize("number", [0, 42, 49])  # the last of these is gated, as every fiftieth
def test_entries_of_the_catalogue_say_what_they_are(hub: DemoHub, number: int) -> None:
    name = f"rkdeck-demo/catalogue-{number:05d}"
    client = HubClient(hub.url, "hf_token")
    (summary,) = search(client, SearchQuery(f"catalogue-{number:05d}"))
    assert summary.repo == name
    assert {"rkdeck-demo", "synthetic"} <= set(summary.tags)
    detail = client.details(name)
    assert [file.path for file in detail.files] == ["README.md", "config.json"]
    card = read_file(client, name, detail.commit, "README.md", 10_000).decode()
    assert "does not exist" in card
    assert summary.gated == (number == 49)
