"""The page of events that people read: complete, in two languages, and without any network."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml

from contracts import asyncapi
from contracts.envelope import Audience
from contracts.registry import CHANNELS
from deploy import reference

PUBLIC = [channel for channel in CHANNELS if channel.audience is Audience.PUBLIC]
INTERNAL = [channel for channel in CHANNELS if channel.audience is Audience.INTERNAL]


class Seen(HTMLParser):
    """What a browser would find: anchors, links, addresses that it would fetch, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name in ("src", "srcset", "action", "data") or tag == "link":
                self.fetched.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen(reference.page(asyncapi.document()))


@pytest.fixture(scope="module")
def words() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((reference.HERE / "vi.yaml").read_text("utf-8"))
    return found


def test_every_public_event_with_its_type_and_examples_is_on_the_page(seen: Seen) -> None:
    for channel in PUBLIC:
        assert channel.name in seen.ids
        for event in channel.events:
            assert event.__name__ in seen.ids
            assert channel.type_of(event) in seen.text
            for name, body in asyncapi.examples(channel, event):
                assert name in seen.text
                assert reference._pretty(body) in seen.text


def test_every_field_is_explained(seen: Seen) -> None:
    document = asyncapi.document()["components"]
    for channel in PUBLIC:
        for event in channel.events:
            for name, field in document["schemas"][event.__name__]["properties"].items():
                assert name in seen.text
                assert field.get("description", "").split("\n\n")[0].replace("`", "") in seen.text


def test_nothing_internal_is_on_the_page(seen: Seen) -> None:
    assert [c.name for c in INTERNAL if c.name in seen.text] == []
    assert [e.__name__ for c in INTERNAL for e in c.events if e.__name__ in seen.ids] == []


def test_every_link_leads_somewhere_on_the_page(seen: Seen) -> None:
    assert [link for link in seen.links if not link.startswith("#") or link[1:] not in seen.ids] == []
    assert len(seen.ids) == len(set(seen.ids))


def test_the_page_fetches_nothing(seen: Seen) -> None:
    page = reference.page(asyncapi.document())
    assert seen.fetched == []
    assert re.search(r"<script|url\(|@import", page) is None


def test_every_public_event_and_field_has_vietnamese_words(words: dict[str, Any]) -> None:
    document = asyncapi.document()
    events = {event.__name__ for channel in PUBLIC for event in channel.events}
    parts = events | set(reference._used(document))
    schemas = document["components"]["schemas"]
    fields = {name for part in parts for name in schemas[part].get("properties", {})}
    assert events == set(words["events"]), "deploy/reference/vi.yaml: Title | One sentence"
    assert fields == set(words["fields"]), "deploy/reference/vi.yaml"
    assert [name for name, text in words["events"].items() if text.count(" | ") != 1] == []


def test_what_looks_like_html_is_shown_as_text() -> None:
    document = asyncapi.document()
    document["components"]["schemas"]["FeePaid"]["properties"]["amount"]["description"] = "<img src=x> & `<b>`"
    assert "<img" not in reference.page(document)
    assert "<img src=x> & <b>" in Seen(reference.page(document)).text
