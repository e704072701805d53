"""Makes tokens by hand, true and false, without the code under test."""

import base64
import hashlib
import json
import random
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from app.kernel.tokens import RefusalReason, SigningKeys

NOW: Final = 1_800_000_000
ISSUER: Final = "https://afterglow.example"
AUDIENCE: Final = "https://afterglow.example/v1"

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Attack(NamedTuple):
    name: str
    token: Any  # most are text, and some are the point because they are not
    reason: RefusalReason


def b64(raw: bytes | bytearray) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def a_private_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The same key for the same name, so that a failing forgery can be made again."""
    secret = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    return ec.derive_private_key(secret, ec.SECP256R1())


def private_jwk(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, str]:
    numbers = key.private_numbers()
    point = numbers.public_numbers
    return {
        "kty": "EC",
        "crv": "P-256",
        "kid": kid,
        "x": b64(point.x.to_bytes(32, "big")),
        "y": b64(point.y.to_bytes(32, "big")),
        "d": b64(numbers.private_value.to_bytes(32, "big")),
    }


OURS: Final = a_private_key("ours")
STRANGER: Final = a_private_key("a stranger's")
KEYS: Final = SigningKeys.parse(json.dumps({"keys": [private_jwk(OURS, "Spring-2027")]}))


def good_header(**changes: object) -> dict[str, object]:
    return {"alg": "ES256", "kid": KEYS.signing_kid, "typ": "at+jwt"} | changes


def good_claims(**changes: object) -> dict[str, object]:
    return {
        "exp": NOW + 600,
        "iat": NOW,
        "aud": AUDIENCE,
        "iss": ISSUER,
        "sub": "018f2b1c-0000-7000-8000-00000000a001",
        "jti": "018f2b1c-0000-7000-8000-00000000b001",
        "clinic_id": "018f2b1c-0000-7000-8000-00000000c001",
    } | changes


def as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def raw_signature(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(
        key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    )
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def forge(
    header: bytes | None = None,
    payload: bytes | None = None,
    key: ec.EllipticCurvePrivateKey = OURS,
) -> str:
    """Any two byte strings under a true ES256 signature."""
    head = as_json(good_header()) if header is None else header
    body = as_json(good_claims()) if payload is None else payload
    signed = f"{b64(head)}.{b64(body)}"
    return f"{signed}.{b64(raw_signature(key, signed.encode()))}"


def without(claims: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in claims.items() if key != name}


def mutated(chance: random.Random, genuine: list[str]) -> str:
    """A token damaged or spliced at random; now and then it comes out as it was."""
    token, other = chance.sample(genuine, 2)
    segments, others = token.split("."), other.split(".")
    which = chance.randrange(3)
    raw = bytearray(unb64(segments[which]))
    match chance.randrange(8):
        case 0:  # one bit of the text
            text = bytearray(token.encode())
            text[chance.randrange(len(text))] ^= 1 << chance.randrange(7)
            return text.decode("latin-1")
        case 1:  # one bit of what a segment encodes
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            segments[which] = b64(raw)
        case 2:  # a few bytes
            for _ in range(chance.randint(2, 8)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            segments[which] = b64(raw)
        case 3:  # a segment of another genuine token
            segments[1 + which % 2] = others[1 + which % 2]
        case 4:  # segments in another order
            chance.shuffle(segments)
        case 5:  # the front of one and the back of another
            cut = chance.randrange(1, len(token))
            return token[:cut] + other[cut:]
        case 6:  # cut, doubled or lengthened
            cut = chance.randrange(len(token))
            return chance.choice([token[:cut], token[cut:], token[:cut] + token[cut // 2 :]])
        case _:  # other words under the old signature
            header = good_header(alg=chance.choice(["none", "HS256", "ES256"]))
            claims = good_claims(sub=f"admin-{chance.randrange(10**6)}")
            segments[:2] = [b64(as_json(header)), b64(as_json(claims))]
    return ".".join(segments)
