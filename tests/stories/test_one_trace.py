"""One trace follows a dossier from the HTTP request through outbox, Kafka and subscribers to the sent e-mail."""

from collections.abc import Sequence
from secrets import token_hex

import pytest

from deploy.demo.story import SCENES, Story
from deploy.local.stack import Stack
from tests.collector import Collector, Seen
from tests.support import eventually

WAY = [
    ("dossier", "POST /api/v1/drafts/{draft_id}/submission"),
    ("notification", "on_dossier DossierSubmitted"),
    ("notification", "job deliver"),
    ("notification", "send email"),
]


@pytest.mark.timeout(300)
async def test_one_trace_leads_from_the_submission_to_the_sent_email(stack: Stack, collector: Collector) -> None:
    trace_id = token_hex(16)
    story = Story(stack.site)
    try:
        for prepare in (Story.log_in, Story.draft, Story.upload):
            await prepare(story)
        story.web._http.headers["traceparent"] = f"00-{trace_id}-{token_hex(8)}-01"

        await story.send()

        await eventually(lambda: way_to("send email", collector.trace(trace_id)) == WAY, within=60)
    finally:
        await story.close()
    await eventually(lambda: named(collector.trace(trace_id), "publish dossier.dossiers.v1"))
    await eventually(lambda: named(collector.trace(trace_id), "GET /api/v1/accounts/{ref}/contact"))


async def test_no_span_tells_who_anybody_is(stack: Stack, collector: Collector) -> None:
    story = Story(stack.site)
    try:
        for scene in SCENES[:5]:  # until somebody looked it up by code and identity number
            await story._play(scene)
        await eventually(lambda: named(collector.spans, "GET /api/v1/dossiers/{code}"))
    finally:
        await story.close()
    secrets = (story.who.identity_number, story.who.name, story.who.phone, story.who.email, story.code)
    assert [
        span for span in collector.spans if any(secret in f"{span.name} {span.attributes}" for secret in secrets)
    ] == []


def named(spans: Sequence[Seen], name: str) -> Seen | None:
    return next((span for span in list(spans) if span.name == name), None)


def way_to(name: str, spans: Sequence[Seen]) -> list[tuple[str, str]]:
    """Services and names from the root of what was exported so far down to this span."""
    by_id = {each.span_id: each for each in spans}
    span = named(spans, name)
    way: list[tuple[str, str]] = []
    while span:
        way.insert(0, (span.service, span.name))
        span = by_id.get(span.parent_id)
    return way
