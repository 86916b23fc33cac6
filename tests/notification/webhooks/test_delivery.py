"""Events reach other systems: all of them, in order for each dossier, whatever happens on the way."""

from tests.notification.webhooks.conftest import House, code, life
from tests.notification.webhooks.receiver import receiving
from tests.support import eventually


async def test_everything_arrives_once_and_in_order(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        await house.subscribe(receiver.url)
        lives = [life(n, 5) for n in range(20)]
        for batch in zip(*lives, strict=True):
            await house.hear(*batch)
        await eventually(lambda: len(receiver.received) == 100)
    assert receiver.histories() == {("/services/dossier", code(n)): [1, 2, 3, 4, 5] for n in range(20)}
    assert len({got.id for got in receiver.received}) == 100


async def test_a_webhook_is_the_event_as_kafka_has_it(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        await house.subscribe(receiver.url)
        await house.hear(*life(1, 2))
        await eventually(lambda: len(receiver.received) == 2)
    sent, worked = receiver.received
    assert sent.event["type"] == "vn.motcua.dossier.DossierSubmitted.v1"
    assert sent.event["id"] == sent.id
    assert sent.event["data"]["dossier_code"] == code(1)
    assert sent.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert "motcua-previous-version" not in sent.headers
    assert worked.headers["motcua-previous-version"] == "1"
