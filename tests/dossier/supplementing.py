"""The acts of a supplement over HTTP, for tests."""

from typing import Any

from tests.dossier.office import Office, pdf, sha256

DECLARATION, AUTHORISATION = "TP-TL-01", "TP-TL-02"


def item(code: str = DECLARATION, problem: str = "Tờ khai thiếu trang 2", **changes: Any) -> dict[str, Any]:
    return {"component_code": code, "problem": problem, "guidance": "Chụp lại đủ các trang", **changes}


def fault(*codes: str) -> dict[str, Any]:
    """What the applicant left undone of the request before."""
    components = [{"component_code": code, "what": "Vẫn thiếu trang 2"} for code in codes]
    return {"statement": "Chưa thực hiện hướng dẫn lần trước", "components": components}


async def ask(
    office: Office, code: str, *items: dict[str, Any], who: dict[str, str] | None = None, expect: int = 201, **more: Any
) -> dict[str, Any]:
    """The desk asks for these components."""
    body = {"items": list(items) or [item()], **more}
    desk = who or office.officers["desk"]
    return await office.call("POST", f"/dossiers/{code}/supplement-requests", desk, expect, json=body)


async def add_file(office: Office, code: str, component: str = DECLARATION, text: str = "Bản bổ sung") -> None:
    """The applicant sends a new file of a component."""
    data = pdf(text)
    body = {
        "file_name": "bo-sung.pdf",
        "content_type": "application/pdf",
        "size": len(data),
        "sha256": sha256(data),
    }
    path = f"/dossiers/{code}/components/{component}/uploads"
    await office.send_file(await office.call("POST", path, office.an, 201, json=body), data)


async def send(office: Office, code: str, expect: int = 200) -> dict[str, Any]:
    return await office.call("POST", f"/dossiers/{code}/supplement", office.an, expect)


async def answer(office: Office, code: str) -> dict[str, Any]:
    """The applicant sends a new file, and the supplement."""
    await add_file(office, code)
    return await send(office, code)


async def accepted(office: Office) -> str:
    """A dossier that a specialist works on."""
    code = await office.submitted()
    await office.act(code, "acceptance")
    await office.call("POST", f"/dossiers/{code}/assignment", office.officers["specialist"])
    return code


async def drafted(office: Office, code: str, *items: dict[str, Any], **more: Any) -> str:
    """The specialist drafts a request; its id."""
    found = await ask(office, code, *items, who=office.officers["specialist"], **more)
    request_id: str = found["request_id"]
    return request_id


async def issue(
    office: Office, code: str, request: str, who: dict[str, str] | None = None, expect: int = 200, **body: Any
) -> dict[str, Any]:
    path = f"/dossiers/{code}/supplement-requests/{request}/issuance"
    return await office.call("POST", path, who or office.officers["desk"], expect, json=body)


def name(problem: dict[str, Any]) -> str:
    return str(problem["type"]).rsplit(":", 1)[1]
