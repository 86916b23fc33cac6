"""HTTP in: the keys that check every token, and the tokens of services."""

from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from contracts.refusal import Refusal
from kit.auth import Public
from kit.clock import now
from kit.http import Router
from kit.problems import InvalidRequest
from services.identity import tokens
from services.identity.sessions.api import AccessToken
from services.identity.sessions.domain import AudienceUnknown

router = Router(tags=["tokens"])


class ClientUnknown(Refusal):
    """No such service, or another secret."""

    status = 401
    title = "Tên hoặc mã bí mật của dịch vụ không đúng."
    title_en = "The client is unknown or its secret is wrong."


class ClientCredentials(BaseModel):
    """RFC 6749 §4.4, as a form or as JSON."""

    model_config = ConfigDict(extra="forbid")

    grant_type: str = Field(pattern="^client_credentials$")
    client_id: str
    client_secret: SecretStr
    audience: str


@router.get("/.well-known/jwks.json", dependencies=[Public])
async def jwks() -> dict[str, Any]:
    """The public keys that check every token of this installation; the first one signs."""
    return tokens.published()


@router.post("/oauth/token", dependencies=[Public])
async def client_token(request: Request) -> AccessToken:
    """A service's own token for another service; a system of another agency gets one for notification."""
    asked = await _credentials(request)
    if not tokens.client_is(asked.client_id, asked.client_secret.get_secret_value()):
        raise ClientUnknown()
    if asked.audience not in tokens.audiences_of(asked.client_id):
        raise AudienceUnknown()
    return AccessToken(**tokens.issue(asked.audience, asked.client_id, "system", now()))


async def _credentials(request: Request) -> ClientCredentials:
    body = await request.body()
    try:
        if "json" in request.headers.get("content-type", ""):
            return ClientCredentials.model_validate_json(body)
        return ClientCredentials.model_validate(dict(parse_qsl(body.decode())))
    except (ValidationError, UnicodeDecodeError) as invalid:
        raise InvalidRequest() from invalid
