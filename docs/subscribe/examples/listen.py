"""Hears every event of a province once, in the order of each dossier. Needs Python ≥ 3.11 and `pip install aiokafka`.

Told by the environment: KAFKA_SERVERS, KAFKA_CA, KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_GROUP (begins with your name and
a dot), KAFKA_REPLAY (where events come again that you asked for). What was heard is kept in the file DATABASE.
"""

import asyncio
import json
import os
import signal
import sqlite3
import ssl
import sys
from collections.abc import Callable, Iterator

from aiokafka import AIOKafkaConsumer

TOPICS = os.environ.get("KAFKA_TOPICS", "dossier.dossiers.v1,payment.payments.v1").split(",")

TABLES = """
CREATE TABLE IF NOT EXISTS event (source, subject, version INTEGER, type, body, PRIMARY KEY (source, subject, version));
CREATE TABLE IF NOT EXISTS position (source, subject, version INTEGER, PRIMARY KEY (source, subject));
"""
NEXT = "SELECT type, body FROM event WHERE source = ? AND subject = ? AND version = ?"
POSITION = "SELECT version FROM position WHERE source = ? AND subject = ?"
WAITING = "SELECT min(version) FROM event WHERE source = ? AND subject = ? AND version > ?"


def consumer() -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        *TOPICS,
        *filter(None, [os.environ.get("KAFKA_REPLAY")]),
        bootstrap_servers=os.environ["KAFKA_SERVERS"].split(","),
        security_protocol="SASL_SSL",
        ssl_context=ssl.create_default_context(cafile=os.environ.get("KAFKA_CA")),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=os.environ["KAFKA_USERNAME"],
        sasl_plain_password=os.environ["KAFKA_PASSWORD"],
        group_id=os.environ["KAFKA_GROUP"],
        auto_offset_reset="earliest",  # a new group begins at the oldest event, not at the next one
        enable_auto_commit=False,  # how far we are is said after our own commit, below
    )


def keep(db: sqlite3.Connection, headers: dict[str, str], body: str) -> None:
    """Remembers the event; the second time it comes, nothing happens."""
    which = headers["ce_source"], headers["ce_subject"], int(headers["ce_aggregateversion"])
    db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)", (*which, headers["ce_type"], body))


def next_of(db: sqlite3.Connection, source: str, subject: str) -> Iterator[tuple[str, str]]:
    """The events of one dossier that can be acted upon now: without a gap after the last one."""
    version = (db.execute(POSITION, (source, subject)).fetchone() or [0])[0]
    while found := db.execute(NEXT, (source, subject, version + 1)).fetchone():
        yield found
        version += 1
        db.execute("INSERT OR REPLACE INTO position VALUES (?, ?, ?)", (source, subject, version))
    if (later := db.execute(WAITING, (source, subject, version)).fetchone()[0]) is not None:
        print(f"{subject}: version {later} waits for {version + 1}: ask for a replay", file=sys.stderr, flush=True)


def show(kind: str, body: str) -> None:
    """Your work goes here. Types that you do not know are none of your business: return."""
    event = json.loads(body)
    print(event["dossier_code"], event["version"], kind.split(".")[3], event["occurred_at"], flush=True)


async def listen(act: Callable[[str, str], None]) -> None:
    db = sqlite3.connect(os.environ.get("DATABASE", "heard.sqlite"))
    db.executescript(TABLES)
    kafka = consumer()
    await kafka.start()
    try:
        while True:
            came = await kafka.getmany(timeout_ms=1000)
            for records in came.values():
                with db:  # one transaction: what was heard, what was done about it
                    for record in records:
                        headers = {name: value.decode() for name, value in record.headers}
                        keep(db, headers, record.value.decode())
                        for kind, body in next_of(db, headers["ce_source"], headers["ce_subject"]):
                            act(kind, body)
            if came:
                await kafka.commit()  # a crash before this line repeats events, which `keep` forgets
    finally:
        await kafka.stop()


async def until_stopped(act: Callable[[str, str], None]) -> None:
    """Ctrl-C and SIGTERM leave the group in good order."""
    listening = asyncio.create_task(listen(act))
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, listening.cancel)
    await asyncio.wait([listening])
    if not listening.cancelled():
        listening.result()


if __name__ == "__main__":
    asyncio.run(until_stopped(show))
