"""Officers: who provisions them, what they may do, their units, and the second thing they prove themselves by."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from contracts import identifiers
from contracts.refusal import Refusal


class RoleUnknown(Refusal):
    """Roles are those of the law and of the product, not free words."""

    status = 422
    title = "Vai trò không có trong danh sách."
    title_en = "There is no such role."


class RolesTogether(Refusal):
    """Whoever runs the system sees no dossier (domain §11), so that role stands alone."""

    status = 422
    title = "Quản trị hệ thống không kiêm vai trò khác: người quản trị không được xem nội dung hồ sơ."
    title_en = "The system administrator has no other role: administrators see no dossier content."


class UnitUnknown(Refusal):
    """An officer works in a unit that is open."""

    status = 422
    title = "Đơn vị không có hoặc đã dừng hoạt động."
    title_en = "There is no such unit, or it is closed."


class UnitOpen(Refusal):
    """A unit that is open is not opened again; close it first."""

    title = "Đơn vị này đang hoạt động."
    title_en = "That unit is open already."


class UnitHasOfficers(Refusal):
    """Nobody is left working in a unit that is closed."""

    title = "Đơn vị còn cán bộ đang hoạt động hoặc đơn vị trực thuộc. Vui lòng chuyển họ sang đơn vị khác trước."
    title_en = "Officers or units below are still active in that unit; move them first."


class UsernameTaken(Refusal):
    title = "Tên đăng nhập này đã có."
    title_en = "That user name is taken."


class UsernameMalformed(Refusal):
    status = 422
    title = "Tên đăng nhập gồm 3 đến 40 chữ thường không dấu, chữ số, dấu chấm hoặc gạch nối."
    title_en = "A user name has 3 to 40 lower-case letters, digits, dots or hyphens."


class OwnAccount(Refusal):
    """Nobody changes their own rights."""

    status = 403
    title = "Bạn không tự thay đổi quyền của chính mình."
    title_en = "Nobody changes their own rights."


class FactorWrong(Refusal):
    """The six digits of the authenticator are wrong or were used before; or the passkey is not this officer's."""

    status = 401
    title = "Mã xác thực không đúng hoặc đã được dùng. Vui lòng nhập mã mới."
    title_en = "The second factor is wrong or was used before."


class FactorExpired(Refusal):
    status = 410
    title = "Lượt đăng nhập đã hết hạn. Vui lòng đăng nhập lại."
    title_en = "The login has expired; please start again."


class PasskeyRefused(Refusal):
    status = 422
    title = "Không đăng ký được khóa bảo mật này."
    title_en = "That passkey could not be registered."


class Role(StrEnum):
    """What an officer may do (domain §11)."""

    DESK = "desk"
    """Cán bộ một cửa."""
    SPECIALIST = "specialist"
    """Công chức chuyên môn."""
    DIVISION_HEAD = "division_head"
    """Lãnh đạo phòng."""
    LEADER = "leader"
    """Lãnh đạo."""
    CLERK = "clerk"
    """Văn thư."""
    CASHIER = "cashier"
    """Thu ngân."""
    INSPECTOR = "inspector"
    """Kiểm soát TTHC, thanh tra."""
    SUPERVISOR = "supervisor"
    """Phụ trách Bộ phận Một cửa."""
    CATALOGUE_EDITOR = "catalogue_editor"
    CATALOGUE_PUBLISHER = "catalogue_publisher"
    SYSTEM_ADMIN = "system_admin"
    """Quản trị hệ thống: officers, units, calendars; no dossier."""


USERNAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")
FACTOR_LIFE = timedelta(minutes=5)
"""Time between the password and the second factor."""
FACTOR_TRIES = 5


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody who acts for a unit; provisioned by an administrator, never by registration."""

    ref: UUID
    username: str
    display_name: str
    unit: str
    roles: tuple[str, ...]
    title: str = ""
    phone: str | None = None
    """The officer's own phone, where the code for a first or forgotten password goes."""
    active: bool = True
    password_hash: str | None = None
    """None until the officer chose one."""
    has_totp: bool = False
    passkeys: int = 0

    @property
    def second_factors(self) -> tuple[str, ...]:
        return (*(["totp"] if self.has_totp else []), *(["passkey"] if self.passkeys else []))


def username(text: str) -> str:
    """The canonical user name: `mot-cua`."""
    name = text.strip().lower()
    if not 3 <= len(name) <= 40 or not USERNAME.issuperset(name):
        raise UsernameMalformed()
    return name


def roles(wanted: Iterable[str]) -> tuple[str, ...]:
    """The roles in their own order; refuses words that are none, and what may not go together."""
    asked = set(wanted)
    known = [role.value for role in Role]
    if not asked or not asked <= set(known):
        raise RoleUnknown(roles=sorted(asked - set(known)))
    if Role.SYSTEM_ADMIN in asked and len(asked) > 1:
        raise RolesTogether()
    return tuple(role for role in known if role in asked)


@dataclass(frozen=True, slots=True)
class Unit:
    """An agency as it is, or was, from one day to another (both included)."""

    id: str
    name: str
    level: str
    """`province`, `commune`; `district` was closed on 01/07/2025 and stays in the history."""
    parent: str | None
    valid_from: date
    valid_to: date | None = None
    successor: str | None = None
    """The agency that took over its work."""


def unit(id: str, name: str, level: str, parent: str | None, valid_from: date) -> Unit:  # noqa: A002
    """An agency that opens; its id is one by QĐ 20/2020/QĐ-TTg."""
    return Unit(identifiers.agency_id(id), " ".join(name.split()), level, parent, valid_from)


def close_unit(open_unit: Unit, last_day: date, successor: str | None) -> Unit:
    """The agency is closed after that day. Its code is never given to another (QĐ 19/2025/QĐ-TTg)."""
    if last_day < open_unit.valid_from:
        raise UnitUnknown()
    return replace(open_unit, valid_to=last_day, successor=successor)
