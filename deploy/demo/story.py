"""Acceptance scenario 1: a copy of a civil status record, from the login to the result in hand."""

import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

from deploy.demo import papers
from deploy.demo.eyes import Eyes, Unseen, until
from deploy.demo.people import Person, Portal, profile
from deploy.demo.web import Refused, Web
from deploy.local.site import Site

PROCEDURE = "2.000635"
UNIT = "H99.02.01"
COMPONENT = "TP-TL-01"
CITIZEN = "000190000001"
SOMEBODY_ELSE = "000301000003"
COPIES = 2
LOCAL = timezone(timedelta(hours=7))
PAID_WITHIN = 60.0
"""Seconds in which the bank repeats its callback; afterwards another attempt is made."""
ATTEMPTS_TO_PAY = 3


@dataclass(frozen=True)
class Step:
    """A step that was seen to the end."""

    title: str
    lines: tuple[str, ...]
    """What there is to tell, in Vietnamese."""
    events: tuple[str, ...]
    """What tracking showed anew, in the order it happened."""
    tracking_ms: int | None
    """From the answer to the act until tracking showed its events; None for a step without an event."""


@dataclass(frozen=True)
class Scene:
    """A step to play, and what must be seen after it."""

    title: str
    act: Callable[["Story"], Awaitable[list[str]]]
    events: tuple[str, ...] = ()
    status: int = 0
    folder: str = ""
    mails: tuple[str, ...] = ()
    """Parts of subjects that reach the citizen's mailbox."""
    texts: tuple[str, ...] = ()
    """Parts of text messages that reach the citizen's phone."""


@dataclass
class Story:
    """One playing of the scenario; every command carries a key of its own, so that repeating it changes nothing."""

    site: Site
    on_begin: Callable[[Scene], None] = lambda scene: None
    on_step: Callable[[Step], None] = lambda step: None
    code: str = ""
    version: int = 0
    """Of the dossier, as the last command answered."""
    doing: str = ""
    seconds: float = 0.0
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.web, self.who = Web(), profile(CITIZEN)
        self.portal = Portal(self.web, self.site)
        self.eyes = Eyes(self.web, self.site, self.who)
        self.citizen: Person
        self.draft_id = ""
        self._run = uuid4().hex[:12]
        self._answered = 0.0
        """When the act of this step was answered."""

    async def close(self) -> None:
        await self.web.close()

    async def play(self) -> None:
        """Every scene in turn; Unseen, Refused or Unreachable at the first that fails."""
        began = time.monotonic()
        for scene in SCENES:
            self.doing = scene.title
            self.on_begin(scene)
            step = await self._play(scene)
            self.steps.append(step)
            self.on_step(step)
        self.seconds = time.monotonic() - began

    async def _play(self, scene: Scene) -> Step:
        lines = await scene.act(self)
        events: tuple[str, ...] = ()
        took: int | None = None
        if scene.events:
            events = await self.eyes.news(
                self.citizen, self.code, self.version, scene.events, scene.status, scene.folder
            )
            took = round((time.monotonic() - self._answered) * 1000)
        lines += [f"thư điện tử: {await self.eyes.mail(self.code, part)}" for part in scene.mails]
        lines += [f"tin nhắn: {await self.eyes.text(self.code, part)}" for part in scene.texts]
        return Step(scene.title, tuple(lines), events, took)

    def as_json(self, failure: str = "") -> dict[str, Any]:
        return {
            "passed": not failure,
            "dossier_code": self.code,
            "seconds": round(self.seconds, 2),
            "steps": [asdict(step) for step in self.steps],
            **({"failed_at": self.doing, "failure": failure} if failure else {}),
        }

    # ── the citizen ──

    async def log_in(self) -> list[str]:
        self.citizen = await self.portal.citizen(CITIZEN)
        return [f"đã đăng nhập: {self.citizen.name}"]

    async def draft(self) -> list[str]:
        found = await self._public("dossier", "procedures", q="trich luc ho tich")
        name = next(item["name"] for item in found["items"] if item["code"] == PROCEDURE)
        wish = {"procedure_code": PROCEDURE, "receiving_unit": UNIT}
        self.draft_id = (await self.citizen.post("dossier", "drafts", self._key("draft"), wish))["id"]
        answers = {"event_type": "birth", "person_name": self.who.name, "copies": COPIES, "authorised": False}
        filled = {"answers": answers, "delivery": "online", "sms_opt_in": True}
        await self.citizen.post("dossier", f"drafts/{self.draft_id}", self._key("fill"), filled, method="PATCH")
        kept = (await self.citizen.get("dossier", "drafts"))["items"]
        _see(any(one["id"] == self.draft_id for one in kept), "hồ sơ nháp không có trong Hồ sơ chưa gửi")
        return [f"thủ tục {PROCEDURE}: {name}", "đã lưu, có trong thư mục Hồ sơ chưa gửi"]

    async def upload(self) -> list[str]:
        pdf = papers.declaration(f"To khai cap ban sao trich luc ho tich - {self._run}")
        wish = {"file_name": "to-khai.pdf", "content_type": "application/pdf", "size": len(pdf)}
        wish["sha256"] = hashlib.sha256(pdf).hexdigest()
        path = f"drafts/{self.draft_id}/components/{COMPONENT}/uploads"
        ticket = await self.citizen.post("dossier", path, self._key("upload"), wish)
        file = {"file": ("to-khai.pdf", pdf, "application/pdf")}
        await self.web.call("POST", ticket["url"], data=ticket["fields"], files=file)
        return [f"to-khai.pdf, {len(pdf)} byte, gửi thẳng vào kho tệp bằng giấy phép tải lên"]

    async def send(self) -> list[str]:
        sent = await self.citizen.post("dossier", f"drafts/{self.draft_id}/submission", self._key("send"))
        self._answered = time.monotonic()
        self.code, self.version = sent["code"], sent["version"]
        return [f"mã hồ sơ {self.code}"]

    async def look_up(self) -> list[str]:
        """What the code alone shows, what the matching number adds, and what a wrong number learns: nothing."""
        alone = await self._public("tracking", f"dossiers/{self.code}")
        proven = await self._public("tracking", f"dossiers/{self.code}", identity_number=CITIZEN)
        wrong = await self._refusal("tracking", f"dossiers/{self.code}", identity_number=SOMEBODY_ELSE)
        _see("submitter" not in alone and self.who.name not in str(proven), "tra cứu để lộ tên")
        _see(wrong == 404, "tra cứu bằng số định danh của người khác không bị từ chối")
        status = f"{alone['status']['code']} “{alone['status']['label']}”"
        return [f"chỉ có mã: tình trạng {status}", f"mã và số định danh: {proven['submitter']}, {proven['unit']}"]

    async def pay(self) -> list[str]:
        await until("chưa thấy yêu cầu nộp lệ phí", self._fee_is_requested)
        for attempt in range(1, ATTEMPTS_TO_PAY + 1):
            try:
                await self._pay_at_the_bank(attempt)
                await until("ngân hàng chưa báo đã thu", self._fee_is_paid, within=PAID_WITHIN)
                break
            except Unseen:  # the bank forgot it when it was killed
                if attempt == ATTEMPTS_TO_PAY:
                    raise
        await until("hồ sơ chưa ghi nhận đã thanh toán", self._dossier_is_paid)
        (receipt,) = await self.citizen.get("payment", f"dossiers/{self.code}/receipts")
        _see(bool(re.fullmatch(r"\d{7}", receipt["receipt_no"])), "số biên lai không đủ 7 chữ số")
        return [f"đã thu {_dong(receipt['amount'])}, biên lai số {receipt['receipt_no']} ký hiệu {receipt['symbol']}"]

    async def _fee_is_requested(self) -> bool:
        try:
            return bool((await self._public("payment", f"dossiers/{self.code}/fees"))["state"] != "none")
        except Refused as no:
            if no.status != 404:
                raise
            return False

    async def _pay_at_the_bank(self, attempt: int) -> None:
        if await self._fee_is_paid():
            return
        wish = {"provider": "vnpay", "return_url": f"{self.site.url('gateway')}/thanh-toan/ket-qua"}
        url = f"{self.site.url('payment')}/api/v1/dossiers/{self.code}/attempts"
        begun = (await self.web.call("POST", url, key=self._key(f"pay-{attempt}"), json=wish)).json()
        await self.web.call("POST", begun["redirect_url"], data={"decision": "pay"})
        self._answered = time.monotonic()

    async def _fee_is_paid(self) -> bool:
        return bool((await self._public("payment", f"dossiers/{self.code}/fees"))["state"] == "paid")

    async def _dossier_is_paid(self) -> bool:
        return bool((await self.citizen.get("dossier", f"dossiers/{self.code}"))["payment_state"] == "paid")

    async def receive(self) -> list[str]:
        link = await self.citizen.get("dossier", f"dossiers/{self.code}/result")
        pdf = (await self.web.call("GET", link["url"])).content
        signatures = await papers.signatures(pdf, self.site.secrets.trust_root)
        _see(len(signatures) == 2 and all(one.valid for one in signatures), "chữ ký số của kết quả không hợp lệ")
        _see(signatures[-1].covers_all, "kết quả có phần được thêm sau chữ ký cuối cùng")
        stored = (await self.citizen.get("dossier", "documents"))["items"]
        _see(any(one["dossier_code"] == self.code for one in stored), "kết quả không có trong kho giấy tờ")
        notices = (await self.citizen.get("notification", "messages", limit=100))["items"]
        told = [one["subject"] for one in notices if one["dossier_code"] == self.code]
        _see(len(told) == len(NOTICES), f"hộp thông báo có {len(told)} tin, phải có {len(NOTICES)}")
        return [
            f"kết quả {len(pdf)} byte, chữ ký hợp lệ: {', '.join(one.signer for one in signatures)}",
            "có trong Kho quản lý dữ liệu điện tử",
            f"hộp thông báo: {len(told)} tin",
        ]

    # ── the officers ──

    async def accept(self) -> list[str]:
        done = await self._officer_does("mot-cua", "reception", "acceptance")
        link = await self.citizen.get("dossier", f"dossiers/{self.code}/slip")
        slip = (await self.web.call("GET", link["url"])).content
        _see(slip.startswith(b"%PDF"), "Giấy tiếp nhận hồ sơ và hẹn trả kết quả không phải là PDF")
        return [f"hẹn trả kết quả {_local(done['due_at'])}", f"Giấy tiếp nhận và hẹn trả (Mẫu 01): {len(slip)} byte"]

    async def propose(self) -> list[str]:
        await self._officer_does("chuyen-mon", "processing", "proposal")
        return ["đã dự thảo kết quả và trình ký"]

    async def sign(self) -> list[str]:
        await self._officer_does("lanh-dao", "signing", "signature")
        return ["lãnh đạo đã ký số nội dung kết quả"]

    async def issue(self) -> list[str]:
        await self._officer_does("van-thu", "issuing", "issuance")
        return ["đã vào số, đóng dấu, ban hành; nhận trực tuyến nên trả ngay"]

    async def _officer_does(self, username: str, queue: str, act: str) -> dict[str, Any]:
        """The officer finds the dossier in the queue and acts."""
        officer = await self.portal.officer(username)

        async def waiting() -> bool:
            items = (await officer.get("dossier", f"queues/{queue}", limit=200))["items"]
            return any(item["code"] == self.code for item in items)

        await until(f"hồ sơ không có trong hàng đợi {queue}", waiting)
        done: dict[str, Any] = await officer.post("dossier", f"dossiers/{self.code}/{act}", self._key(act))
        self._answered, self.version = time.monotonic(), done["version"]
        return done

    # ── calls ──

    def _key(self, act: str) -> str:
        return f"demo-{self._run}-{act}"

    async def _public(self, service: str, path: str, **params: str) -> dict[str, Any]:
        answer = await self.web.call("GET", f"{self.site.url(service)}/api/v1/{path}", params=params)
        found: dict[str, Any] = answer.json()
        return found

    async def _refusal(self, service: str, path: str, **params: str) -> int:
        try:
            await self._public(service, path, **params)
        except Refused as no:
            return no.status
        return 200


def _see(there: bool, otherwise: str) -> None:
    if not there:
        raise Unseen(otherwise)


def _dong(amount: int) -> str:
    return f"{amount:,} đ".replace(",", ".")


def _local(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(LOCAL).strftime("%H:%M %d/%m/%Y")


NOTICES = ("dossier_submitted", "dossier_accepted", "fee_requested", "fee_paid", "result_ready", "result_returned")

SCENES = (
    Scene("Công dân đăng nhập bằng VNeID", Story.log_in),
    Scene("Tìm thủ tục, lưu hồ sơ nháp", Story.draft),
    Scene("Tải tờ khai lên", Story.upload),
    Scene(
        "Gửi hồ sơ", Story.send,
        events=("DossierSubmitted",), status=1, folder="sent",
        mails=("đã được gửi",), texts=("da duoc gui",),
    ),
    Scene("Tra cứu không cần đăng nhập", Story.look_up),
    Scene(
        "Bộ phận Một cửa tiếp nhận", Story.accept,
        events=("DossierAccepted", "FeeRequested"), status=2, folder="awaiting_payment",
        mails=("đã được tiếp nhận", "cần nộp phí, lệ phí"), texts=("da duoc tiep nhan", "can nop phi, le phi"),
    ),
    Scene(
        "Nộp lệ phí ở ngân hàng", Story.pay,
        events=("FeePaid", "ReceiptIssued"), status=2, folder="in_progress", mails=("Đã thu phí, lệ phí",),
    ),
    Scene("Công chức chuyên môn trình kết quả", Story.propose, ("StepCompleted",), 4, "in_progress"),
    Scene("Lãnh đạo ký số", Story.sign, ("StepCompleted",), 4, "in_progress"),
    Scene(
        "Văn thư vào số, đóng dấu, ban hành", Story.issue,
        events=("ResultSigned", "ResultIssued", "ResultDelivered"), status=10, folder="result_returned",
        mails=("đã có kết quả",), texts=("da co ket qua", "da tra ket qua"),
    ),
    Scene("Công dân nhận kết quả, kiểm tra chữ ký số", Story.receive),
)  # fmt: skip
