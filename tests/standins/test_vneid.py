"""The VNeID stand-in, used as an OpenID Connect client uses a provider."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.standins.conftest import VNeID, vneid_running

AN = "000190000001"


@dataclass
class Login:
    """One login of one client: what it must remember between the redirect and the token."""

    vneid: VNeID
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def url(self, **changed: str) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.vneid.client_id,
            "redirect_uri": self.vneid.redirect_uri,
            "scope": "openid profile",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **changed,
        }
        return f"{self.vneid.address}/authorize?{urlencode({k: v for k, v in query.items() if v})}"

    def code(self, identity_number: str = AN) -> str:
        back = httpx2.post(self.url(), data={"identity_number": identity_number})
        assert back.status_code == 303
        return answered(back)["code"]

    def redeem(self, code: str, **changed: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.vneid.redirect_uri,
            "code_verifier": self.verifier,
            **changed,
        }
        client = (self.vneid.client_id, self.vneid.client_secret)
        return httpx2.post(f"{self.vneid.address}/token", data=form, auth=client)


def answered(response: httpx2.Response) -> dict[str, str]:
    """The parameters that the browser carries back to the client."""
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["location"]).query).items()}


def test_a_person_logs_in_and_the_client_learns_who(vneid: VNeID) -> None:
    login = Login(vneid)
    discovery = httpx2.get(f"{vneid.address}/.well-known/openid-configuration").json()
    page = httpx2.get(login.url())
    back = httpx2.post(login.url(), data={"identity_number": AN})
    tokens = login.redeem(answered(back)["code"]).json()

    assert "VNeID thử nghiệm" in page.text
    assert "Nguyễn Thị An" in page.text
    assert "<script" not in page.text
    assert back.headers["location"].startswith(vneid.redirect_uri + "?")
    assert answered(back)["state"] == login.state
    assert answered(back)["iss"] == discovery["issuer"] == vneid.address

    keys = KeySet.import_key_set(httpx2.get(discovery["jwks_uri"]).json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (vneid.address, vneid.client_id, login.nonce)
    assert claims["iat"] <= time.time() < claims["exp"]
    assert claims["SoDinhDanh"] == AN
    assert claims["HoVaTen"] == "Nguyễn Thị An"
    assert claims["NgayThangNamSinh"] == "08/03/1990"
    assert claims["acr"] == claims["IAL"] == claims["loAs"] == "2"

    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    userinfo = httpx2.get(discovery["userinfo_endpoint"], headers=bearer).json()
    assert userinfo["sub"] == claims["sub"]
    assert userinfo["ThuDienTu"] == "an.nguyen@example.vn"


def test_a_person_without_an_email_has_no_such_claim(vneid: VNeID) -> None:
    login = Login(vneid)

    tokens = login.redeem(login.code("000058000004")).json()

    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    claims = httpx2.get(f"{vneid.address}/userinfo", headers=bearer).json()
    assert "ThuDienTu" not in claims
    assert claims["acr"] == "1"


def test_the_client_may_also_show_its_secret_in_the_form(vneid: VNeID) -> None:
    login = Login(vneid)
    form = {
        "grant_type": "authorization_code",
        "code": login.code(),
        "redirect_uri": vneid.redirect_uri,
        "code_verifier": login.verifier,
        "client_id": vneid.client_id,
        "client_secret": vneid.client_secret,
    }

    assert httpx2.post(f"{vneid.address}/token", data=form).status_code == 200


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"state": ""}, "invalid_request"),
        ({"nonce": ""}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_an_incomplete_request_goes_back_with_its_error(vneid: VNeID, changed: dict[str, str], error: str) -> None:
    back = httpx2.get(Login(vneid).url(**changed))

    assert back.status_code == 303
    assert answered(back)["error"] == error
    assert "code" not in answered(back)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:9.evil.example/dang-nhap",
        "http://127.0.0.1:99/dang-nhap",
        "http://127.0.0.1:9@evil.example/",
        "https://evil.example/http://127.0.0.1:9/",
        "http://127.0.0.1:9/../x",
        "",
    ],
)
def test_nobody_is_sent_to_an_unknown_address(vneid: VNeID, redirect_uri: str) -> None:
    refused = httpx2.post(Login(vneid).url(redirect_uri=redirect_uri), data={"identity_number": AN})

    assert refused.status_code == 400
    assert "location" not in refused.headers


def test_an_unknown_client_sees_a_page(vneid: VNeID) -> None:
    refused = httpx2.get(Login(vneid).url(client_id="somebody"))

    assert refused.status_code == 400
    assert "chưa đăng ký" in refused.text


def test_a_wrong_verifier_gets_no_token(vneid: VNeID) -> None:
    login = Login(vneid)

    refused = login.redeem(login.code(), code_verifier=secrets.token_urlsafe(32))

    assert refused.status_code == 400
    assert refused.json()["error"] == "invalid_grant"


def test_another_redirect_uri_gets_no_token(vneid: VNeID) -> None:
    login = Login(vneid)

    refused = login.redeem(login.code(), redirect_uri=vneid.redirect_uri + "/khac")

    assert refused.json()["error"] == "invalid_grant"


def test_a_code_works_once_and_a_second_use_ends_what_the_first_gave(vneid: VNeID) -> None:
    login = Login(vneid)
    code = login.code()
    tokens = login.redeem(code).json()

    again = login.redeem(code)

    assert again.json()["error"] == "invalid_grant"
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert httpx2.get(f"{vneid.address}/userinfo", headers=bearer).status_code == 401


def test_a_wrong_client_secret_gets_no_token(vneid: VNeID) -> None:
    login = Login(VNeID(vneid.address, vneid.client_id, "wrong", vneid.redirect_uri))

    refused = login.redeem(login.code())

    assert refused.status_code == 401
    assert refused.json()["error"] == "invalid_client"


def test_a_token_request_without_a_body_is_refused(vneid: VNeID) -> None:
    assert httpx2.post(f"{vneid.address}/token").status_code == 401


def test_an_expired_code_gets_no_token() -> None:
    with vneid_running(MOTCUA_VNEID_CODE_SECONDS="0.001") as hasty:
        login = Login(hasty)

        assert login.redeem(login.code()).json()["error"] == "invalid_grant"


def test_a_restart_keeps_the_key() -> None:
    keys = []
    for _ in range(2):
        with vneid_running(MOTCUA_VNEID_CLIENT_SECRET="of this test only") as restarted:
            keys.append(httpx2.get(f"{restarted.address}/jwks.json").json())

    assert keys[0] == keys[1]
    assert "d" not in keys[0]["keys"][0]


def test_who_does_not_want_to_log_in_goes_back(vneid: VNeID) -> None:
    login = Login(vneid)

    back = httpx2.post(login.url(), data={"cancel": "1"})

    assert answered(back) == {"error": "access_denied", "state": login.state, "iss": vneid.address}


def test_an_unknown_person_is_asked_again(vneid: VNeID) -> None:
    page = httpx2.post(Login(vneid).url(), data={"identity_number": "000190999999"})

    assert page.status_code == 400
    assert "Không có người này" in page.text
