"""Whose key signs what, wherever it is kept. `--keys pkcs11|csc` runs all dossier tests on such keys."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from kit.settings import load
from services.dossier import typesetting
from services.dossier.results import signing
from services.dossier.results.keys import Keys
from services.dossier.results.signing import KeyUnusable
from services.dossier.settings import Settings
from tests import signers
from tests.dossier.office import UNIT, pdf

MINH = UUID(int=0x102)


def keys_in(file: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    monkeypatch.setenv("MOTCUA_SIGNING_KEYS", str(file))
    monkeypatch.setenv("MOTCUA_P12_PASSWORD", signers.PASSWORD)
    monkeypatch.setattr("kit.settings._loaded", {})
    return Keys(load(Settings))


@pytest.mark.parametrize("kind", ["pkcs12", "csc"])
def test_a_signature_holds_wherever_the_key_is_kept(
    kind: str, keys: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = typesetting.Place(signing.SEAL, 0, (300, 100, 500, 160))
    prepared = signing.add_fields(typesetting.Document(pdf(), (place,)))
    with signers.KINDS[kind](tmp_path, keys) as listed:
        found = keys_in(listed, monkeypatch)
        signed = signing.seal(prepared, found.seal(UNIT), reason="Phát hành", at=datetime.now(UTC))
        checked = asyncio.run(signing.check(signed, found.roots, signing.SEAL))
    assert checked.valid, checked.why
    assert checked.signers == ("Ủy ban nhân dân xã Bình Minh",)


def test_an_officers_own_key_goes_before_that_of_the_unit(
    keys: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.yaml"
    both = "password_env: MOTCUA_P12_PASSWORD}}"
    file.write_text(
        "keys:\n"
        f"  - {{unit: {UNIT}, use: leader, pkcs12: {{file: {keys['stranger']}, {both}\n"
        f"  - {{unit: {UNIT}, use: leader, officer: {MINH}, pkcs12: {{file: {keys['leader']}, {both}\n"
    )
    found = keys_in(file, monkeypatch)

    assert found.leader(UNIT, MINH).subject == "Đặng Quang Minh"
    assert found.leader(UNIT, UUID(int=1)).subject == "Người lạ"
    with pytest.raises(KeyUnusable):
        found.leader("H99.02.02", MINH)
    with pytest.raises(KeyUnusable):
        found.seal(UNIT)


def test_a_service_that_is_away_is_said_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("keys: [{unit: '*', use: seal, csc: {url: 'http://127.0.0.1:9', credential: x, token_env: X}}]")
    with pytest.raises(KeyUnusable):
        keys_in(file, monkeypatch).seal(UNIT)
