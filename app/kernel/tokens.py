"""Signed tokens: what we sign, and every way in which we refuse to believe one.

This module hides python-jose. Left to itself that library accepts a token without an expiry or
an audience, an `iat` in the future, an unknown `crit` and trailing padding, and lets
RecursionError, OverflowError and TypeError escape; here such a token is one `TokenRefused`.

There is one algorithm, ES256 (RFC 7518 section 3.4). The header may choose only *which of our
own keys* is meant, by looking its `kid` up in a dictionary; it can name neither an algorithm nor
a place to fetch a key from. Nothing here knows whether an account is still allowed in: that is
asked again for every request, elsewhere.

An ECDSA signature (r, s) has a twin (r, n - s) that verifies the same bytes. The text of a token
is therefore no identity: single use and revocation go by `jti`.

Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7519 (JWT), RFC 7638 (thumbprints), RFC 8725 (JWT
best current practice), RFC 9068 (access tokens).
"""

import base64
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Self

from cryptography.hazmat.primitives.asymmetric import ec
from jose import jws
from jose.backends import ECKey
from jose.exceptions import JWSError

ALGORITHM = "ES256"
ACCESS_TYP = "at+jwt"  # RFC 9068 section 2.1
MAX_TOKEN_LENGTH = 4096  # characters
MAX_LIFETIME_SECONDS = 15 * 60
CLOCK_LEEWAY_SECONDS = 60  # between the machines that sign and those that verify

_HEADER_MEMBERS = frozenset({"alg", "kid", "typ"})
_REGISTERED_CLAIMS = frozenset({"exp", "iat", "nbf", "aud", "iss", "sub", "jti"})

RefusalReason = Literal[
    "too_large",
    "malformed",
    "header",
    "algorithm",
    "type",
    "key",
    "signature",
    "claims",
    "issuer",
    "audience",
    "lifetime",
    "not_yet_valid",
    "expired",
]


class TokenRefused(Exception):
    """The token proves nothing. `reason` is for counting; it never repeats the token."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason)
        self.reason: RefusalReason = reason


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. Shared between threads, so frozen all the way down.

    exp, iat, nbf: whole seconds since 1970-01-01T00:00Z; nbf is iat where the token has none.
    aud, iss: the ones the verifier was made for. sub, jti: printable ASCII, not empty.
    private: every other claim; JSON arrays are tuples and objects are read-only mappings.
    """

    exp: int
    iat: int
    nbf: int
    aud: str
    iss: str
    sub: str
    jti: str
    private: Mapping[str, object]


class SigningKeys:
    """Our P-256 keys: the first one signs, all of them verify.

    The text is a JWK set of private keys, each with its own `kid`. To rotate: `rotate` the text,
    restart, and take the old key out once the tokens it signed have run out.
    """

    __slots__ = ("signer", "signing_kid", "verifiers")

    def __init__(self, private_keys: Mapping[str, ec.EllipticCurvePrivateKey]) -> None:
        """private_keys: by kid, not empty, the signing one first."""
        self.signing_kid = next(iter(private_keys))
        self.signer = ECKey(private_keys[self.signing_kid], ALGORITHM)
        self.verifiers: Mapping[str, ECKey] = {
            kid: ECKey(key.public_key(), ALGORITHM) for kid, key in private_keys.items()
        }

    def __repr__(self) -> str:
        return f"SigningKeys({', '.join(self.verifiers)})"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a JWK set of private P-256 keys.

        Raises: ValueError, which says which key is at fault and repeats nothing of it.
        """
        return cls({kid: _private_key(jwk, kid) for kid, jwk in _private_jwks(text).items()})

    @staticmethod
    def generate() -> str:
        """The text of a new set of one new key. Secret: it belongs in a file of mode 0600."""
        return _jwks_text([_new_private_jwk()])

    @staticmethod
    def rotate(text: str) -> str:
        """The same set with a new key in front; the old ones stay for verification.

        Raises: ValueError if the text is not one that `parse` reads.
        """
        SigningKeys.parse(text)
        return _jwks_text([_new_private_jwk(), *_private_jwks(text).values()])

    def public_jwks(self) -> dict[str, list[dict[str, str]]]:
        """The set to publish (RFC 7517 section 5): no private part."""
        return {
            "keys": [
                {**_public_jwk(key.prepared_key), "kid": kid, "use": "sig", "alg": ALGORITHM}
                for kid, key in self.verifiers.items()
            ]
        }


def sign(keys: SigningKeys, claims: Mapping[str, object], typ: str = ACCESS_TYP) -> str:
    """Sign claims with the current key as a compact JWS.

    claims: what `json` can write; instants in whole seconds.
    typ: keeps the kinds of token apart; a verifier of one kind refuses the others.
    Raises: TypeError or ValueError for what JSON has no word for (NaN included), and ValueError
        for a token so long that every verifier would refuse it.
    """
    payload = json.dumps(dict(claims), allow_nan=False, separators=(",", ":")).encode()
    header = {"kid": keys.signing_kid, "typ": typ}
    token: str = jws.sign(payload, keys.signer, headers=header, algorithm=ALGORITHM)
    if len(token) > MAX_TOKEN_LENGTH:
        raise ValueError(f"a token of {len(token)} characters: at most {MAX_TOKEN_LENGTH}")
    return token


class Verifier:
    """Believes tokens of one issuer, audience and type. Thread-safe.

    It remembers the tokens whose signature it has checked, the least recently used forgotten
    first, because the signature is nearly all of the price. It remembers no refusal, and time is
    judged at every call. A key is withdrawn by making a new Verifier.
    """

    def __init__(
        self,
        keys: SigningKeys,
        issuer: str,
        audience: str,
        typ: str = ACCESS_TYP,
        cache_size: int = 4096,
    ) -> None:
        """cache_size: tokens remembered, each of at most a few kilobytes; 0 remembers none."""
        self._keys = keys.verifiers
        self._issuer = issuer
        self._audience = audience
        self._typ = typ
        self._cache_size = cache_size
        self._believed: OrderedDict[str, Claims] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, token: str, now: float) -> Claims:
        """What the token says, if it is one of ours and holds at this moment.

        now: seconds since 1970-01-01T00:00Z.
        Raises: TokenRefused, and nothing else whatever is sent.
        """
        try:
            if len(token) > MAX_TOKEN_LENGTH:
                raise TokenRefused("too_large")
            claims = self._believed.get(token) or self._read(token)
            _require_current(claims, now)
            self._remember(token, claims)  # only here, where nothing is left that could refuse
            return claims
        except TokenRefused:
            raise
        except Exception:
            # Hostile input fails in more ways than anyone has listed, and a JSONDecodeError
            # carries the whole payload: neither may travel on.
            raise TokenRefused("malformed") from None

    def _remember(self, token: str, claims: Claims) -> None:
        with self._lock:
            self._believed[token] = claims
            self._believed.move_to_end(token)
            if len(self._believed) > self._cache_size:
                self._believed.popitem(last=False)

    def _read(self, token: str) -> Claims:
        """Everything but time: form, header, signature, then claims, in that order."""
        header_segment, payload_segment, signature_segment = token.split(".")
        header = _json_object(_decoded(header_segment))
        # The payload and signature are decoded again by python-jose, which would be content with
        # padding, stray characters and loose trailing bits.
        _decoded(payload_segment)
        _decoded(signature_segment)
        key = self._key_meant_by(header)
        try:
            payload: bytes = jws.verify(token, key, algorithms=[ALGORITHM])
        except JWSError:
            raise TokenRefused("signature") from None
        return self._claims(_json_object(payload))

    def _key_meant_by(self, header: Mapping[str, object]) -> ECKey:
        # An exact set rather than a list of what is dangerous: `crit`, `jku`, `x5u`, `jwk`,
        # `x5c`, `b64`, `zip` and whatever is registered next are all refused by it.
        if header.keys() != _HEADER_MEMBERS:
            raise TokenRefused("header")
        if header["alg"] != ALGORITHM:
            raise TokenRefused("algorithm")
        if header["typ"] != self._typ:
            raise TokenRefused("type")
        kid = header["kid"]
        if not isinstance(kid, str) or kid not in self._keys:
            raise TokenRefused("key")
        return self._keys[kid]

    def _claims(self, payload: Mapping[str, object]) -> Claims:
        iat = _instant(payload, "iat")
        claims = Claims(
            exp=_instant(payload, "exp"),
            iat=iat,
            nbf=_instant(payload, "nbf") if "nbf" in payload else iat,
            aud=_name(payload, "aud"),
            iss=_name(payload, "iss"),
            sub=_name(payload, "sub"),
            jti=_name(payload, "jti"),
            private=MappingProxyType(
                {k: _frozen(v) for k, v in payload.items() if k not in _REGISTERED_CLAIMS}
            ),
        )
        if claims.iss != self._issuer:
            raise TokenRefused("issuer")
        if claims.aud != self._audience:
            raise TokenRefused("audience")
        if not 0 < claims.exp - claims.iat <= MAX_LIFETIME_SECONDS:
            raise TokenRefused("lifetime")
        return claims


def _require_current(claims: Claims, now: float) -> None:
    # Written so that a `now` which is not a number refuses: every comparison with NaN is false.
    if not now < claims.exp:
        raise TokenRefused("expired")
    latest_start = now + CLOCK_LEEWAY_SECONDS
    if not (claims.iat <= latest_start and claims.nbf <= latest_start):
        raise TokenRefused("not_yet_valid")


def _instant(payload: Mapping[str, object], claim: str) -> int:
    seconds = payload.get(claim)
    if type(seconds) is not int:  # `True` is an int by inheritance; RFC 7519's fractions we never
        raise TokenRefused("claims")  # write, and a float could be infinite
    return seconds


def _name(payload: Mapping[str, object], claim: str) -> str:
    """A claim that will be compared, looked up and logged: no NUL, no line break, no surrogate.

    A list of audiences is refused too: a token that is good elsewhere is not one of ours.
    """
    value = payload.get(claim)
    if not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
        raise TokenRefused("claims")
    return value


def _frozen(value: object) -> object:
    """A read-only copy: a caller that changed a remembered claim would change it for everyone."""
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(member) for name, member in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(member) for member in value)
    return value


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decoded(segment: str) -> bytes:
    """Unpadded base64url, and only in the one spelling that an encoder writes.

    Raises: ValueError.
    """
    raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if _encoded(raw) != segment:
        raise ValueError("not canonical base64url")
    return raw


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a JSON name is given twice")
    return members


def _no_constant(_: str) -> float:
    raise ValueError("JSON has no NaN and no Infinity")


def _json_object(raw: bytes) -> dict[str, Any]:
    """Raises: ValueError or RecursionError for anything but one unambiguous JSON object."""
    # Decoded first: given bytes, `json` would guess UTF-16 and UTF-32 as well.
    value = json.loads(
        raw.decode("utf-8"), object_pairs_hook=_unique_members, parse_constant=_no_constant
    )
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _private_jwks(text: str) -> dict[str, dict[str, Any]]:
    """The keys of a set by kid, in order. Raises: ValueError."""
    try:
        jwks: list[dict[str, Any]] = _json_object(text.encode())["keys"]
        by_kid = {jwk["kid"]: jwk for jwk in jwks}
    except Exception:
        raise ValueError("signing keys: not a JWK set of keys with a kid") from None
    if not by_kid or len(by_kid) != len(jwks):
        raise ValueError("signing keys: there must be a key, and no kid twice")
    if not all(isinstance(kid, str) and kid for kid in by_kid):
        raise ValueError("signing keys: a kid must be a text that is not empty")
    return by_kid


def _private_key(jwk: Mapping[str, Any], kid: str) -> ec.EllipticCurvePrivateKey:
    """Raises: ValueError, naming only the kid; the cause could quote the key and is dropped."""
    try:
        key = ec.derive_private_key(int.from_bytes(_decoded(jwk["d"]), "big"), ec.SECP256R1())
        if not _public_jwk(key.public_key()).items() <= jwk.items():
            raise ValueError("the public part belongs to another key")
    except Exception:
        raise ValueError(f"signing keys: {kid!r} is not a private P-256 key") from None
    return key


def _public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The members that make the key (RFC 7518 section 6.2.1), sorted as RFC 7638 hashes them."""
    point = key.public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": _encoded(point.x.to_bytes(32, "big")),
        "y": _encoded(point.y.to_bytes(32, "big")),
    }


def _new_private_jwk() -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = _public_jwk(key.public_key())
    thumbprint = hashlib.sha256(json.dumps(public, separators=(",", ":")).encode()).digest()
    secret = key.private_numbers().private_value.to_bytes(32, "big")
    return {"kid": _encoded(thumbprint), **public, "d": _encoded(secret)}


def _jwks_text(jwks: list[dict[str, Any]]) -> str:
    return json.dumps({"keys": jwks}, indent=2) + "\n"
