"""The history of a dossier as a file that anybody can check."""

from fastapi import Response

from kit.auth import Caller
from kit.http import Db, Router
from services.dossier.history import domain, store
from services.dossier.processing.api import Code, readable

router = Router(prefix="/api/v1", tags=["history"])


@router.get(
    "/dossiers/{code}/history-file",
    response_class=Response,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "The history file"}},
)
async def get_history_file(code: Code, caller: Caller, db: Db) -> Response:
    """The whole history as a hash chain, to keep and to check: `motcua dossier verify-history FILE`.

    One canonical JSON object a line; people are in it by opaque references only. What it proves, together with the head
    printed on the signed result: no line was changed, removed or moved since.
    """
    dossier = await readable(db, code, caller)
    text = domain.write(dossier.code, await store.chain(db, dossier.code))
    name = f'attachment; filename="lich-su-{dossier.code}.jsonl"'
    return Response(text, media_type="application/x-ndjson", headers={"Content-Disposition": name})
