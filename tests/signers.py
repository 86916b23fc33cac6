"""Where the signing keys of tests are kept: files, SoftHSM by PKCS#11, or a remote service with the CSC API v2.

`pytest --keys pkcs11` needs the package `softhsm2`; each kind gives the YAML file that MOTCUA_SIGNING_KEYS names.
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pkcs11
import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from pkcs11.util.x509 import decode_x509_certificate

from services.dossier.results.keys import ANY_UNIT

PASSWORD = "only for tests"
LIBRARY = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "1234"
ECDSA = "1.2.840.10045.4.3.2"
USES = ("leader", "seal")


def _listed(folder: Path, **places: dict[str, Any]) -> Path:
    """The YAML file: where each of the two keys is."""
    file = folder / "keys.yaml"
    file.write_text(yaml.safe_dump({"keys": [{"unit": ANY_UNIT, "use": use, **places[use]} for use in USES]}))
    return file


@contextmanager
def in_files(folder: Path, keys: dict[str, Path]) -> Iterator[Path]:
    at = {use: {"pkcs12": {"file": str(keys[use]), "password_env": "MOTCUA_P12_PASSWORD"}} for use in USES}
    yield _listed(folder, **at)


@contextmanager
def in_a_token(folder: Path, keys: dict[str, Path]) -> Iterator[Path]:
    """SoftHSM: real PKCS#11, the key in a file of its own."""
    program = shutil.which("softhsm2-util")
    assert program, "there is no softhsm2-util: install the package softhsm2"
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    os.environ.update(SOFTHSM2_CONF=str(folder / "softhsm2.conf"), TEST_TOKEN_PIN=PIN)
    _run(program, "--init-token", "--free", "--label", "motcua", "--pin", PIN, "--so-pin", PIN)
    at = {use: {"pkcs11": _in_token(program, folder, use, keys[use])} for use in USES}
    yield _listed(folder, **at)


def _in_token(program: str, folder: Path, use: str, file: Path) -> dict[str, str]:
    opened = pkcs12.load_pkcs12(file.read_bytes(), PASSWORD.encode())
    assert opened.key
    assert opened.cert
    ident = use.encode().hex()
    (folder / f"{use}.key").write_bytes(opened.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "chain.pem").write_bytes(opened.additional_certs[0].certificate.public_bytes(Encoding.PEM))
    about = ("--token", "motcua", "--label", use, "--id", ident, "--pin", PIN)
    _run(program, "--import", str(folder / f"{use}.key"), *about)
    _keep_certificate(use, opened.cert.certificate.public_bytes(Encoding.DER))
    return {"library": LIBRARY, "token": "motcua", "key": use, "pin_env": "TEST_TOKEN_PIN", "chain": "chain.pem"}


def _keep_certificate(use: str, encoded: bytes) -> None:
    """softhsm2-util imports keys only."""
    token = pkcs11.lib(LIBRARY).get_token(token_label="motcua")
    about = {pkcs11.Attribute.TOKEN: True, pkcs11.Attribute.LABEL: use, pkcs11.Attribute.ID: use.encode()}
    with token.open(user_pin=PIN, rw=True) as session:
        session.create_object({**decode_x509_certificate(encoded), **about})


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ── a remote service ──


@contextmanager
def at_a_service(folder: Path, keys: dict[str, Path]) -> Iterator[Path]:
    """A service with the calls of the CSC API that signing needs; credentials are named after their use."""
    os.environ["TEST_CSC_TOKEN"] = "bearer"
    opened = {use: pkcs12.load_pkcs12(keys[use].read_bytes(), PASSWORD.encode()) for use in USES}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _service(opened))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield _listed(
            folder, **{use: {"csc": {"url": url, "credential": use, "token_env": "TEST_CSC_TOKEN"}} for use in USES}
        )
    finally:
        server.shutdown()


def _service(opened: dict[str, pkcs12.PKCS12KeyAndCertificates]) -> type[BaseHTTPRequestHandler]:
    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.headers["Authorization"] == "Bearer bearer"
            answer = json.dumps(_answer(self.path, body, opened) if known else {}).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Service


def _answer(path: str, body: dict[str, Any], opened: dict[str, pkcs12.PKCS12KeyAndCertificates]) -> dict[str, Any]:
    held = opened[body["credentialID"]]
    assert held.cert
    if path.endswith("/credentials/info"):
        chain = [held.cert, *held.additional_certs]
        encoded = [base64.b64encode(each.certificate.public_bytes(Encoding.DER)).decode() for each in chain]
        return {"key": {"status": "enabled", "algo": [ECDSA]}, "cert": {"certificates": encoded}}
    if path.endswith("/credentials/authorize"):
        return {"SAD": "once:" + body["hashes"][0]}
    assert body["SAD"] == "once:" + body["hashes"][0], "what is signed was authorised"
    assert isinstance(held.key, ec.EllipticCurvePrivateKey)
    digest = base64.b64decode(body["hashes"][0])
    signature = held.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    return {"signatures": [base64.b64encode(signature).decode()]}


Kind = Callable[[Path, dict[str, Path]], AbstractContextManager[Path]]
KINDS: dict[str, Kind] = {"pkcs12": in_files, "pkcs11": in_a_token, "csc": at_a_service}
