"""A webhook of Một Cửa, received: verified, each event once, gaps noticed.

    pip install standardwebhooks cryptography
    MOTCUA_WEBHOOK_KEY=whsec_…  python receive.py 8080        (or whpk_… for a subscription signed with Ed25519)

Put it behind a proxy that speaks TLS on an agreed host. What `seen` and `last` remember belongs into your database, in
the transaction that keeps the event.
"""

import base64
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

KEY = os.environ["MOTCUA_WEBHOOK_KEY"]
seen: set[str] = set()
last: dict[tuple[str, str], int] = {}


def verify(body: bytes, headers: dict[str, str]) -> None:
    """Raises unless one of the signatures is good and not older than five minutes."""
    if KEY.startswith("whsec_"):
        Webhook(KEY).verify(body, headers, json_parse=False)
        return
    if abs(time.time() - int(headers["webhook-timestamp"])) > 300:
        raise WebhookVerificationError("too old or too new")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(KEY.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for signature in headers["webhook-signature"].split(" "):
        scheme, _, value = signature.partition(",")
        if scheme == "v1a" and is_good(public, base64.b64decode(value), signed):
            return
    raise WebhookVerificationError("no good signature")


def is_good(public: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        public.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def take(event: dict[str, Any], headers: dict[str, str]) -> None:
    """Each event once; a hole in a dossier's history is a reason to ask for a replay."""
    if event["id"] in seen:
        print("repeated:", event["id"], flush=True)
        return
    seen.add(event["id"])
    history = (event["source"], event.get("subject", ""))
    before = int(headers.get("motcua-previous-version", 0))
    if history in last and "motcua-replayed" not in headers and last[history] != before:
        print(f"gap: {history[1]} had {last[history]}, expected {before}: ask for a replay", flush=True)
    last[history] = max(event["aggregateversion"], last.get(history, 0))
    print("event:", event["type"], event.get("subject"), event["aggregateversion"], flush=True)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            verify(body, headers)
        except (WebhookVerificationError, KeyError, ValueError):
            self.answer(401)
            return
        take(json.loads(body), headers)  # keep it now, work on it later: you have 15 seconds
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0") if status != 204 else None
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Bodies and headers are nobody's business in a log."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print("listening on", server.server_port, flush=True)
    server.serve_forever()
