"""A dossier that is over copied into a new draft: what still fits comes along, what does not is named."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.dossier import ComponentSource
from contracts.refusal import Refusal
from services.dossier.attachments.domain import ComponentFile
from services.dossier.catalogue.domain import Case, Component, Procedure
from services.dossier.faults import Fault
from services.dossier.processing.domain import TERMINAL, Dossier


class DossierNotOver(Refusal):
    """Only what is over is copied; a dossier under way is supplemented or withdrawn."""

    title = "Chỉ sao chép được hồ sơ đã kết thúc"
    title_en = "Only a dossier that is over can be copied"


@dataclass(frozen=True, slots=True)
class Copied:
    """What the new draft takes over."""

    case: Case
    answers: dict[str, Any]
    files: list[ComponentFile]
    dropped: list[Fault]


def may_copy(dossier: Dossier) -> None:
    if dossier.state not in TERMINAL:
        raise DossierNotOver


def copied(dossier: Dossier, files: Sequence[ComponentFile], procedure: Procedure) -> Copied:
    """The dossier's content as the procedure's current version takes it."""
    facts, dropped = dossier.facts, []
    case = next((each for each in procedure.cases if each.code == facts.case), procedure.cases[0])
    if case.code != facts.case:
        dropped.append(Fault("case", "gone", "Trường hợp của hồ sơ cũ không còn, xin chọn lại"))
    form = procedure.eform_of(case)
    asked = set(form.schema.get("properties", {})) if form else set()
    answers = {name: value for name, value in facts.answers.items() if name in asked}
    gone = sorted(facts.answers.keys() - asked)
    dropped += [Fault(f"answers.{name}", "gone", "Tờ khai hiện nay không còn hỏi mục này") for name in gone]
    if facts.delivery not in procedure.delivery:
        dropped.append(Fault("delivery", "not_offered", "Cách nhận kết quả cũ không còn, xin chọn lại"))
    unfit = {file.id: _unfit(case.component(file.component_code), file) for file in files}
    kept = [file for file in files if unfit[file.id] is None]
    return Copied(case, answers, kept, [*dropped, *filter(None, unfit.values())])


def _unfit(component: Component | None, file: ComponentFile) -> Fault | None:
    """Why a file cannot come along; None when it can."""
    where = f"components.{file.component_code}"
    if component is None:
        return Fault(where, "gone", f"Thủ tục hiện nay không cần thành phần của tệp “{file.file_name}”")
    if file.source == ComponentSource.EDOC_STORE:
        return Fault(where, "choose_again", f"Xin chọn lại “{component.name}” từ kho, nếu còn giá trị sử dụng")
    if file.content_type not in component.accepted_types or file.size > component.max_size:
        return Fault(where, "not_accepted", f"“{component.name}” không còn nhận loại tệp như “{file.file_name}”")
    return None
