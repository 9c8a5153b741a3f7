"""Bearer tokens: what is accepted and what is not."""

import base64
import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from opsledger_runtime import auth
from opsledger_runtime.auth import (
    LEEWAY_SECONDS,
    LOCAL_AUDIENCE,
    LOCAL_ISSUER,
    Caller,
    LocalIssuer,
    TokenVerifier,
    Unauthenticated,
    read_jwks,
)
from opsledger_runtime.clock import machine_time
from opsledger_runtime.errors import Forbidden


@pytest.fixture
def issuer(tmp_path: Path) -> LocalIssuer:
    return LocalIssuer.load_or_create(tmp_path / "issuer.json")


@pytest.fixture
def verifier(issuer: LocalIssuer) -> TokenVerifier:
    return TokenVerifier(issuer.jwks(), LOCAL_ISSUER, LOCAL_AUDIENCE)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(machine_time().timestamp())
    found = {"iss": LOCAL_ISSUER, "aud": LOCAL_AUDIENCE, "sub": "p", "roles": ["agent"], "exp": now + 600, **changes}
    return {name: value for name, value in found.items() if value is not None}


def test_a_token_names_its_caller(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    caller = verifier.verify(issuer.token("agent", subject="p-1", organisations=["b", "a"]))
    assert caller == Caller("p-1", frozenset({"agent"}), ("a", "b"), False)
    for role in ("integration", "intake"):
        assert verifier.verify(issuer.token(role)) == Caller(role, frozenset({role}), None, True)


def test_a_token_that_names_no_organisation_sees_none_and_all_only_by_name(
    issuer: LocalIssuer, verifier: TokenVerifier
) -> None:
    soon = machine_time().timestamp() + 60
    forgotten = verifier.verify(issuer.sign({"sub": "p-1", "roles": ["agent"], "exp": soon}))
    assert forgotten.organisations == ()
    assert not forgotten.sees("acme")
    assert verifier.verify(issuer.token("agent")).organisations is None
    assert verifier.verify(issuer.token("agent", organisations=["acme"])).organisations == ("acme",)


def test_the_key_is_kept_readable_by_its_owner_alone(tmp_path: Path, issuer: LocalIssuer) -> None:
    path = tmp_path / "issuer.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert LocalIssuer.load_or_create(path).jwks() == issuer.jwks()
    issuer.write_jwks(tmp_path / "jwks.json")
    found = read_jwks(tmp_path / "jwks.json")
    assert found == issuer.jwks()
    assert "d" not in found["keys"][0]
    (tmp_path / "wrong.json").write_text("[]")
    with pytest.raises(ValueError, match="JSON Web Key Set"):
        read_jwks(tmp_path / "wrong.json")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://elsewhere"}, "foreign_issuer"),
        ({"iss": None}, None),
        ({"aud": "other"}, "foreign_audience"),
        ({"aud": []}, "foreign_audience"),
        ({"exp": 1}, "expired"),
        ({"exp": "soon"}, None),
        ({"nbf": 99_999_999_999}, "not_yet_valid"),
        ({"sub": ""}, "bad_subject"),
        ({"sub": 7}, None),
        ({"sub": "a\0b"}, "bad_subject"),
        ({"sub": "x" * 256}, "bad_subject"),
        ({"roles": "administrator"}, "bad_roles"),
        ({"roles": [["administrator"]]}, "bad_roles"),
        ({"organisations": "acme"}, "bad_organisations"),
        ({"organisations": {}}, "bad_organisations"),
        ({"machine": "no"}, "bad_machine"),
    ],
)
def test_wrong_claims_are_refused(
    issuer: LocalIssuer, verifier: TokenVerifier, changes: dict[str, Any], reason: str | None
) -> None:
    given = claims(**changes)
    if "iss" in changes and changes["iss"] is None:
        given["iss"] = ""
    with pytest.raises(Unauthenticated) as refused:
        verifier.verify(issuer.sign(given))
    assert reason is None or refused.value.reason == reason


def test_clocks_may_differ_by_a_minute(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    now = int(machine_time().timestamp())
    assert verifier.verify(issuer.sign(claims(exp=now - 30, nbf=now + 30))).subject == "p"
    with pytest.raises(Unauthenticated, match="expired"):
        verifier.verify(issuer.sign(claims(exp=now - 90)))


def _at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    instant = datetime.fromtimestamp(seconds, UTC)
    monkeypatch.setattr(auth, "machine_time", lambda: instant)


def test_a_remembered_token_ends_and_begins_to_the_second(
    issuer: LocalIssuer, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(machine_time().timestamp())
    token = issuer.sign(claims(nbf=now, exp=now + 600))
    assert verifier.verify(token) is verifier.verify(token)
    for seconds, refused in (
        (now + 600 + LEEWAY_SECONDS - 0.001, None),
        (now + 600 + LEEWAY_SECONDS, "expired"),
        (now - LEEWAY_SECONDS, None),
        (now - LEEWAY_SECONDS - 0.001, "not_yet_valid"),
        (now, None),
    ):
        _at(monkeypatch, seconds)
        if refused is None:
            assert verifier.verify(token).subject == "p"
        else:
            with pytest.raises(Unauthenticated, match=refused):
                verifier.verify(token)


def test_other_keys_remember_nothing(issuer: LocalIssuer, verifier: TokenVerifier, tmp_path: Path) -> None:
    token = issuer.token("agent")
    verifier.verify(token)
    changed = LocalIssuer.load_or_create(tmp_path / "changed.json")
    with pytest.raises(Unauthenticated):
        TokenVerifier(changed.jwks(), LOCAL_ISSUER, LOCAL_AUDIENCE).verify(token)


def test_only_good_tokens_are_remembered_and_not_without_bound(
    issuer: LocalIssuer, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REMEMBERED", 3)
    tokens = [issuer.token("agent", subject=f"p-{number}") for number in range(5)]
    for bad in ("x.y.z", issuer.token("agent", hours=-1), tokens[0][:-4] + "AAAA"):
        with pytest.raises(Unauthenticated):
            verifier.verify(bad)
    assert len(verifier._verified) == 0
    for _ in range(2):
        assert [verifier.verify(token).subject for token in tokens] == [f"p-{number}" for number in range(5)]
    assert len(verifier._verified) == 3
    assert not any(token.encode() in verifier._verified for token in tokens)


def test_a_list_of_audiences_may_hold_ours(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    assert verifier.verify(issuer.sign(claims(aud=["x", LOCAL_AUDIENCE]))).subject == "p"


def test_only_allowed_algorithms_and_types_count(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    kid = issuer.jwks()["keys"][0]["kid"]
    unsigned = f"{part({'alg': 'none', 'typ': 'at+jwt', 'kid': kid})}.{part(claims())}."
    public = json.dumps(issuer.jwks()["keys"][0])
    shared = jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": kid}, claims(), OctKey.import_key(public))
    token = issuer.token("agent")
    head, body, signature = token.split(".")
    plain = jwt.encode({"alg": "ES256", "typ": "JWT", "kid": kid}, claims(), issuer._key)
    for bad in (
        unsigned,
        shared,
        plain,
        f"{head}.{body}",
        f"{head}.{body}x.{signature}",
        token * 20,
        "\udcff",
        "",
        "...",
    ):
        with pytest.raises(Unauthenticated):
            verifier.verify(bad)


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "Ed25519", "RS256"])
def test_each_allowed_algorithm_works(alg: str) -> None:
    key: Any
    if alg == "ES256":
        key = ECKey.generate_key("P-256", auto_kid=True)
    elif alg == "RS256":
        key = RSAKey.generate_key(2048, auto_kid=True)
    else:
        key = OKPKey.generate_key("Ed25519", auto_kid=True)
    other = ECKey.generate_key("P-256", auto_kid=True)
    keys = {"keys": [other.as_dict(private=False), key.as_dict(private=False)]}
    header = {"alg": alg, "typ": "at+jwt", "kid": key.kid}
    token = jwt.encode(header, claims(), key, algorithms=[alg])
    assert TokenVerifier(keys, LOCAL_ISSUER, LOCAL_AUDIENCE).verify(token).subject == "p"


def test_acting_for_another_organisation_is_forbidden() -> None:
    caller = Caller("p", frozenset(), ("acme",))
    caller.require("acme")
    with pytest.raises(Forbidden):
        caller.require("other")
    with pytest.raises(Forbidden):
        caller.require(None)
    Caller("p", frozenset(), None).require(None)


def test_an_unknown_role_is_not_issued(issuer: LocalIssuer) -> None:
    with pytest.raises(ValueError, match="no such role"):
        issuer.token("king")
