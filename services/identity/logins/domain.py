"""Logging in: which ways a tenant allows, what a password must be, and how often one may guess."""

from dataclasses import dataclass, field
from datetime import timedelta

from contracts.refusal import Refusal


class LoginMethodOff(Refusal):
    """The tenant's policy does not offer this way in (`login_policy` of tenant.yaml)."""

    status = 403
    title = "Cổng dịch vụ công không dùng cách đăng nhập này. Vui lòng đăng nhập bằng VNeID."
    title_en = "This way of logging in is switched off here; please use the national e-identity."


class LoginExpired(Refusal):
    """A login is answered once, by the browser that began it, within a few minutes."""

    status = 410
    title = "Lượt đăng nhập đã hết hạn hoặc đã được dùng. Vui lòng đăng nhập lại."
    title_en = "This login has expired or was already used; please start again."


class CredentialsRejected(Refusal):
    """One answer for an unknown name and for a wrong password."""

    status = 401
    title = "Tên đăng nhập hoặc mật khẩu không đúng."
    title_en = "The user name or the password is wrong."


class TooManyAttempts(Refusal):
    """Guessing is stopped for a while, whether or not the name exists."""

    status = 429
    title = "Bạn đã nhập sai quá nhiều lần. Vui lòng thử lại sau 15 phút."
    title_en = "Too many failed attempts; please try again in 15 minutes."


class CallbackForbidden(Refusal):
    """The provider may send a browser back to our own pages only."""

    status = 422
    title = "Địa chỉ quay lại sau đăng nhập không được phép."
    title_en = "That callback address is not allowed."


class PasswordTooWeak(Refusal):
    """Length is what counts; a password that stands in the profile is no password."""

    status = 422
    title = "Mật khẩu cần ít nhất 10 ký tự, không phải số điện thoại hay số định danh, và không lặp lại một ký tự."
    title_en = "A password needs 10 characters, and is neither a phone nor an identity number."


LOGIN_LIFE = timedelta(minutes=10)
"""Time a person has at the identity provider's pages."""
ATTEMPTS = 5
"""Guesses one user name has within the window; the next is refused unseen."""
ATTEMPTS_FROM_ADDRESS = 60
"""Guesses from one network address, where many people may be."""
ATTEMPT_WINDOW = timedelta(minutes=15)


def judge_attempts(attempts: int, most: int = ATTEMPTS) -> None:
    """`attempts` counts this one too: recorded before it is judged, so that racing guesses see each other."""
    if attempts > most:
        raise TooManyAttempts(retry_after=int(ATTEMPT_WINDOW.total_seconds()))


SHORTEST = 10


def check_password(password: str, *known: str | None) -> None:
    """PasswordTooWeak for one that is short, monotonous, or nothing but what stands in the profile (`known`)."""
    bare = "".join(c for c in password.casefold() if c.isalnum())
    written = {"".join(c for c in word.casefold() if c.isalnum()) for word in known if word}
    local = {f"0{word[2:]}" for word in written if word.startswith("84")}
    if len(password) < SHORTEST or len(set(password)) < 4 or bare in written | local:
        raise PasswordTooWeak()


@dataclass(frozen=True, slots=True)
class Policy:
    """`login_policy` of tenant.yaml: what is not named is off."""

    citizens: frozenset[str] = frozenset({"vneid"})
    """`vneid`, `national_portal`, `local`."""
    officers: frozenset[str] = field(default_factory=lambda: frozenset({"password", "totp", "passkey"}))
    second_factor: str = "required"
    """Of officers: `required`, or `when_enrolled` (demonstrations)."""

    def demand(self, method: str) -> None:
        if method not in self.citizens:
            raise LoginMethodOff()

    @property
    def needs_second_factor(self) -> bool:
        return self.second_factor != "when_enrolled"
