"""Bearer tokens: who asks, checked against the issuer's keys by machine time (D15).

Owns the reading of JWT access tokens (RFC 9068) and the local issuer of the embedded mode. Refuses every token that
is not signed with an allowed algorithm by a known key, for this audience, now. It grants nothing: which role may do
what is the permission table of each service.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from opsledger_runtime import ids
from opsledger_runtime.clock import machine_time
from opsledger_runtime.errors import FieldError, Forbidden, Invalid

ALGORITHMS: Final = ("ES256", "EdDSA", "Ed25519", "RS256")
"""Signatures that are accepted; `none` and shared secrets never are."""

TYPES: Final = ("at+jwt", "application/at+jwt")
LEEWAY_SECONDS: Final = 60
ALL: Final = "*"
"""The claim `organisations: ["*"]` is every organisation; without the claim a caller sees none."""

MAX_TOKEN: Final = 8192
"""Longest token in characters."""

REMEMBERED: Final = 4096
"""So many verified tokens are remembered by one verifier."""

LOCAL_ISSUER: Final = "opsledger-local"
LOCAL_AUDIENCE: Final = "opsledger"

MACHINES: Final = ("integration", "intake")
"""Roles of programs. An `intake` only hands in what it watches, so its token is worth little to a thief."""

ROLES: Final = ("requester", "agent", "lead", "operator", "analyst", "auditor", *MACHINES, "administrator")
"""The fixed set of roles. `administrator` may do everything."""


class Unauthenticated(Exception):
    """No token, or one that is not good; `reason` is for the log and names no secret."""

    def __init__(self, reason: str, *, missing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `organisations` None: all of them. `machine`: a program, which must name its commands."""

    subject: str
    roles: frozenset[str]
    organisations: tuple[str, ...] | None
    machine: bool = False

    def sees(self, organisation: str | None) -> bool:
        """Whether something of that organisation exists for this caller."""
        return self.organisations is None or organisation in self.organisations

    def require(self, organisation: str | None) -> None:
        """Raise Forbidden unless the caller may create things for that organisation."""
        if not self.sees(organisation):
            raise Forbidden("You may not act for this organisation.", code="organisation_forbidden")

    def acting_for(self, named: str | None) -> str | None:
        """The organisation that it acts for: the one it names, else the only one it has.

        Raises:
            Invalid: it has several and names none.
            Forbidden: it names one that it may not act for.
        """
        if named is None and self.organisations is not None:
            if len(self.organisations) != 1:
                raise Invalid(
                    "Say for which organisation.",
                    [FieldError("/organisation", "Name one of the organisations that you act for.")],
                    code="organisation_missing",
                )
            return self.organisations[0]
        self.require(named)
        return named


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token that was good, and between which seconds of machine time it is."""

    caller: Caller
    begins: float
    ends: float


class TokenVerifier:
    """Turns a bearer token into a `Caller`.

    A signature that was good stays good under the same keys, so a token that comes again is looked at by the clock
    alone. The keys of a verifier never change: new keys are a new verifier, which remembers nothing. Only good tokens
    are remembered, by digest, so nobody fills the memory without the issuer's help and it holds no credential.
    """

    def __init__(self, jwks: Mapping[str, Any], issuer: str, audience: str) -> None:
        self._keys = KeySet.import_key_set({"keys": list(jwks["keys"])})
        self._issuer = issuer
        self._audience = audience
        self._verified: dict[bytes, _Verified] = {}

    def verify(self, token: str) -> Caller:
        """The caller that the token names.

        Raises:
            Unauthenticated: garbled, foreign, expired, not yet valid, for another audience, or without a subject.
        """
        if len(token) > MAX_TOKEN:
            raise Unauthenticated("too_long")
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is not None:
            if known.begins <= machine_time().timestamp() < known.ends:
                return known.caller
            del self._verified[digest]  # what is wrong with it now is said below
        found = self._verify(token)
        if len(self._verified) >= REMEMBERED:
            self._verified.pop(next(iter(self._verified)))  # the first that came, which is about the first to end
        self._verified[digest] = found
        return found.caller

    def _verify(self, token: str) -> _Verified:
        try:
            found = jwt.decode(token, self._keys, algorithms=ALGORITHMS)
        except Exception as error:  # whatever a hostile token does to the parser, it is not a good token
            raise Unauthenticated(type(error).__name__) from error
        if str(found.header.get("typ", "")).lower() not in TYPES:
            raise Unauthenticated("wrong_typ")
        caller = self._caller(found.claims)
        begins = _instant(found.claims, "nbf") - LEEWAY_SECONDS if "nbf" in found.claims else float("-inf")
        return _Verified(caller, begins, _instant(found.claims, "exp") + LEEWAY_SECONDS)

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        now = machine_time().timestamp()
        if claims.get("iss") != self._issuer:
            raise Unauthenticated("foreign_issuer")
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("foreign_audience")
        if _instant(claims, "exp") + LEEWAY_SECONDS <= now:
            raise Unauthenticated("expired")
        if "nbf" in claims and _instant(claims, "nbf") - LEEWAY_SECONDS > now:
            raise Unauthenticated("not_yet_valid")
        subject = claims.get("sub")
        # It becomes the actor of events, so it must be storable.
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise Unauthenticated("bad_subject")
        organisations = claims.get("organisations")
        machine = claims.get("machine", False)
        if not isinstance(machine, bool):
            raise Unauthenticated("bad_machine")
        return Caller(
            subject,
            frozenset(_texts(claims.get("roles", []), "bad_roles")),
            _scope(organisations),
            machine,
        )


def _scope(organisations: Any) -> tuple[str, ...] | None:
    """An issuer that forgets the claim gives access to nothing; everything is only ever given by name."""
    named = _texts(organisations if organisations is not None else [], "bad_organisations")
    return None if ALL in named else tuple(sorted(named))


def _instant(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated(f"bad_{name}")
    return value


def _texts(value: Any, reason: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.isprintable() for item in value):
        raise Unauthenticated(reason)  # a scope that cannot be read must never become "all"
    return value


class LocalIssuer:
    """Signs tokens with a key of its own, for the embedded mode and tests. Production settings refuse its name."""

    def __init__(self, key: ECKey) -> None:
        self._key = key

    @classmethod
    def load_or_create(cls, path: Path) -> "LocalIssuer":
        """The issuer whose private key is in `path`; a new one is written there, readable by its owner alone."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(ECKey.import_key(json.loads(path.read_text())))
        key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
        with os.fdopen(descriptor, "w") as file:
            json.dump(key.as_dict(private=True), file)
        return cls(key)

    def jwks(self) -> dict[str, Any]:
        """The public key set (RFC 7517)."""
        return {"keys": [dict(self._key.as_dict(private=False))]}

    def write_jwks(self, path: Path) -> None:
        """Write the public key set for services to read."""
        scratch = path.with_name(path.name + ".new")
        scratch.write_text(json.dumps(self.jwks()))
        scratch.replace(path)

    def token(
        self,
        role: str,
        *,
        subject: str | None = None,
        organisations: Iterable[str] | None = None,
        hours: float = 12,
        machine: bool | None = None,
    ) -> str:
        """A token for one role. Without `organisations`: all of them. `machine` None: as its role is."""
        if role not in ROLES:
            raise ValueError(f"no such role: {role}; one of {', '.join(ROLES)}")
        now = machine_time()
        claims: dict[str, Any] = {
            "sub": subject or role,
            "roles": [role],
            "machine": role in MACHINES if machine is None else machine,
        }
        claims["organisations"] = [ALL] if organisations is None else list(organisations)
        claims["iat"] = claims["nbf"] = int(now.timestamp())
        claims["exp"] = int((now + timedelta(hours=hours)).timestamp())
        return self.sign(claims)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with exactly these claims; issuer and audience are added where they are missing."""
        header = {"alg": "ES256", "typ": "at+jwt", "kid": self._key.kid}
        given = {"iss": LOCAL_ISSUER, "aud": LOCAL_AUDIENCE, "jti": str(ids.new_id()), **claims}
        return jwt.encode(header, given, self._key)


def read_jwks(path: Path) -> dict[str, Any]:
    """The key set of an issuer from a file.

    Raises:
        ValueError: the file is no JSON Web Key Set.
        OSError: it cannot be read.
    """
    found = json.loads(path.read_text())
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list) or not found["keys"]:
        raise ValueError(f"{path} is no JSON Web Key Set: an object with a non-empty list `keys`")
    return found
