"""The services behind the pages, and what is asked of them in more than one place."""

from typing import Any

from fastapi import Request

from kit.clients import Answered, ServiceClient

identity = ServiceClient("identity")
dossier = ServiceClient("dossier")
payment = ServiceClient("payment")
tracking = ServiceClient("tracking")

ANYBODY = ""
"""The bearer of a call that needs none."""


async def session_token(session: str, audience: str) -> dict[str, Any] | None:
    """A new access token of the session for one service; None when the session has ended."""
    try:
        made: dict[str, Any] = await identity.post(f"/api/v1/sessions/{session}/tokens", {"audience": audience})
    except Answered as refused:
        if refused.status in (401, 404, 422):
            return None
        raise
    return made


def on_behalf_of(request: Request) -> dict[str, str]:
    """The visitor's own address, for services that count by it or pass it to the bank."""
    return {"X-Forwarded-For": request.client.host} if request.client else {}


async def end_session(session: str) -> None:
    await identity.post(f"/api/v1/sessions/{session}", method="DELETE")
