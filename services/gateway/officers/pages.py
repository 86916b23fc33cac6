"""The officers' console, bare: see the queues one may work on, and do the one act that a dossier waits for."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from services.gateway import clients
from services.gateway.pages import Form, Officer, go, page, pages, text

router = pages()


@dataclass(frozen=True, slots=True)
class Queue:
    """Dossiers that wait for one act of one role."""

    key: str
    label: str
    role: str
    act: str
    button: str


QUEUES = {
    queue.key: queue
    for queue in (
        Queue("reception", "Chờ tiếp nhận", "desk", "acceptance", "Tiếp nhận"),
        Queue("processing", "Đang xử lý", "specialist", "proposal", "Trình ký"),
        Queue("signing", "Chờ ký", "leader", "signature", "Ký số"),
        Queue("issuing", "Chờ phát hành", "clerk", "issuance", "Vào số và phát hành"),
        Queue("handover", "Chờ trả kết quả", "desk", "handover", "Trả kết quả"),
    )
}
ACT_PATIENCE = 30.0
"""Seconds an act may take: signing sets a page and makes a signature with a certificate's chain."""
ACTS = {queue.act: queue for queue in QUEUES.values()}


def first_queue(roles: tuple[str, ...]) -> str:
    """The queue that an officer of these roles begins with."""
    return next((queue.key for queue in QUEUES.values() if queue.role in roles), "reception")


@router.get("/can-bo/{key}")
async def queue(request: Request, me: Officer, key: str) -> Response:
    """One queue of the officer's unit, the most urgent first."""
    if "inspector" in me.roles and not any(queue.role in me.roles for queue in QUEUES.values()):
        return go("/can-bo/so-theo-doi")
    chosen = QUEUES.get(key) or QUEUES[first_queue(me.roles)]
    found = await clients.dossier.get(f"/api/v1/queues/{chosen.key}", token=await me.token("dossier"))
    mine = [queue for queue in QUEUES.values() if queue.role in me.roles]
    done = request.query_params.get("xong", "")
    return page(request, "queue.html", queue=chosen, queues=mine, items=found["items"], done=done)


@router.post("/can-bo/ho-so/{code}/{act}")
async def do(me: Officer, form: Form, code: str, act: str) -> Response:
    """The act that the dossier waits for, on the version that the officer saw."""
    queue = ACTS[act]
    await clients.dossier.send(
        "POST",
        f"/api/v1/dossiers/{code}/{queue.act}",
        token=await me.token("dossier"),
        headers={"Idempotency-Key": text(form, "lan_gui"), **_seen(form)},
        json={},
        timeout=ACT_PATIENCE,
    )
    return go(f"/can-bo/{queue.key}?xong={code}")


def _seen(form: Any) -> dict[str, str]:
    version = text(form, "phien_ban")
    return {"If-Match": f'"{version}"'} if version.isdecimal() else {}
