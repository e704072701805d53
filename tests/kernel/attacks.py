"""Tokens that a thief, a liar or a broken client could send, each with why it must be refused.

Most are signed with the real key, so that what refuses them is the flaw they were made with and
not merely a broken signature.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.kernel.tokens import RefusalReason
from tests.kernel import malformed
from tests.kernel.forgery import (
    AUDIENCE,
    ISSUER,
    KEYS,
    NOW,
    OURS,
    P256_ORDER,
    STRANGER,
    Attack,
    as_json,
    b64,
    forge,
    good_claims,
    good_header,
    raw_signature,
    unb64,
    without,
)


def attacks() -> list[Attack]:
    families = (
        _wrong_claims,
        _wrong_times,
        _wrong_headers,
        _none_algorithms,
        _public_key_as_hmac_secret,
        _wrong_signatures,
        malformed.wrong_forms,
        malformed.ambiguous_json,
    )
    return [attack for family in families for attack in family()]


def _wrong_claims() -> Iterator[Attack]:
    of_no_claim: dict[str, object] = {
        "null": None,
        "true": True,
        "float": 1.5,
        "object": {},
        "empty list": [],
    }
    of_a_text = {
        "number": 7,
        "empty": "",
        "list of one": ["x"],
        "NUL": "a\0b",
        "line break": "a\n",
        "not ASCII": "m\u00eda",
    }
    of_an_instant = {"text": str(NOW), "ISO text": "2027-01-15T08:00:00Z", "list": [NOW]}
    for claim in ("exp", "iat", "aud", "iss", "sub", "jti"):
        payload = as_json(without(good_claims(), claim))
        yield Attack(f"{claim} missing", forge(payload=payload), "claims")
        own = of_an_instant if claim in ("exp", "iat") else of_a_text
        for kind, value in (of_no_claim | own).items():
            payload = as_json(good_claims(**{claim: value}))
            yield Attack(f"{claim} is {kind}", forge(payload=payload), "claims")
    for claim in ("aud", "iss"):
        right = str(good_claims()[claim])
        payload = as_json(good_claims(**{claim: [right]}))
        yield Attack(f"{claim} is a list of the right one", forge(payload=payload), "claims")
        refusal: RefusalReason = "audience" if claim == "aud" else "issuer"
        for kind, other in {
            "another": "https://elsewhere.example",
            "longer by a slash": right + "/",
            "longer by a name": right + ".elsewhere.example",
            "shorter": right[:-1],
            "upper case": right.upper(),
            "led by a space": " " + right,
            "a star": "*",
        }.items():
            payload = as_json(good_claims(**{claim: other}))
            yield Attack(f"{claim} is {kind}", forge(payload=payload), refusal)
    payload = as_json(good_claims(aud=[AUDIENCE, "https://elsewhere.example"]))
    yield Attack("aud names us among others", forge(payload=payload), "claims")
    yield Attack(
        "sub is a lone surrogate", forge(payload=as_json(good_claims(sub="\ud800"))), "claims"
    )
    yield Attack("no claims", forge(payload=b"{}"), "claims")


def _wrong_times() -> Iterator[Attack]:
    def signed(**changes: object) -> str:
        return forge(payload=as_json(good_claims(**changes)))

    def spelt(exp: str) -> str:
        return forge(payload=as_json(good_claims(exp="EXP")).replace(b'"EXP"', exp.encode()))

    yield Attack("expired this second", signed(iat=NOW - 600, exp=NOW), "expired")
    yield Attack("expired a minute ago", signed(iat=NOW - 600, exp=NOW - 60), "expired")
    yield Attack("expired in 1970", signed(iat=0, exp=1), "expired")
    yield Attack("expired before the epoch", signed(iat=-600, exp=-1), "expired")
    yield Attack("issued in 61 s", signed(iat=NOW + 61, exp=NOW + 600), "not_yet_valid")
    late = signed(iat=NOW + 61, exp=NOW + 600, nbf=NOW)
    yield Attack("issued in 61 s but not before now", late, "not_yet_valid")
    yield Attack("issued tomorrow", signed(iat=NOW + 86400, exp=NOW + 87000), "not_yet_valid")
    yield Attack("not before in 61 s", signed(nbf=NOW + 61), "not_yet_valid")
    yield Attack("not before never", signed(nbf=10**300), "not_yet_valid")
    for kind, nbf in {"null": None, "text": "0", "float": 0.0, "false": False, "list": [0]}.items():
        yield Attack(f"nbf is {kind}", signed(nbf=nbf), "claims")
    yield Attack("lives 15 min and 1 s", signed(exp=NOW + 901), "lifetime")
    yield Attack("lives a year", signed(exp=NOW + 31_536_000), "lifetime")
    yield Attack("lives for ever", signed(exp=2**63), "lifetime")
    yield Attack("lives for 300 digits", signed(exp=10**300), "lifetime")
    yield Attack("was issued long ago for long", signed(iat=NOW - 901, exp=NOW + 1), "lifetime")
    yield Attack("was issued at minus a googol", signed(iat=-(10**100)), "lifetime")
    yield Attack("ends as it starts", signed(exp=NOW), "lifetime")
    yield Attack("ends before it starts", signed(exp=NOW - 1), "lifetime")
    yield Attack("exp is 1e400", spelt("1e400"), "claims")
    yield Attack("exp is -1e400", spelt("-1e400"), "claims")
    yield Attack("exp is a whole float", spelt(f"{NOW + 600}.0"), "claims")
    yield Attack("exp in scientific notation", spelt("1.8000006e9"), "claims")
    yield Attack("exp is NaN", spelt("NaN"), "malformed")
    yield Attack("exp is Infinity", spelt("Infinity"), "malformed")
    yield Attack("exp is -Infinity", spelt("-Infinity"), "malformed")
    yield Attack("exp is hexadecimal", spelt("0x7fffffff"), "malformed")
    yield Attack("exp has a leading zero", spelt(f"0{NOW + 600}"), "malformed")


def _wrong_headers() -> Iterator[Attack]:
    def signed(header: object) -> str:
        return forge(header=as_json(header))

    stranger = STRANGER.public_key().public_numbers()
    stranger_jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": b64(stranger.x.to_bytes(32, "big")),
        "y": b64(stranger.y.to_bytes(32, "big")),
    }
    extra: dict[str, object] = {
        "crit": ["exp"],
        "crit of b64": ["b64"],
        "crit empty": [],
        "crit null": None,
        "jku": "https://elsewhere.example/keys",
        "x5u": "https://elsewhere.example/cert",
        "jwk": stranger_jwk,
        "x5c": ["MIIB"],
        "x5t": "AAAA",
        "x5t#S256": "AAAA",
        "b64": False,
        "zip": "DEF",
        "cty": "JWT",
        "enc": "A256GCM",
        "epk": stranger_jwk,
        "p2c": 10**9,
        "iss": ISSUER,
        "": "",
        "ALG": "none",
        "kid ": "x",
    }
    for name, value in extra.items():
        member = name.split(" of ")[0].removesuffix(" empty").removesuffix(" null")
        yield Attack(
            f"header with {name or 'a nameless member'}",
            signed(good_header(**{member: value})),
            "header",
        )
    # The classic use of an embedded key: signed by the stranger, who brings their own key along.
    brought = as_json(good_header(jwk=stranger_jwk))
    yield Attack("signed by the jwk it brings", forge(header=brought, key=STRANGER), "header")
    for name in ("alg", "kid", "typ"):
        yield Attack(f"header without {name}", signed(without(good_header(), name)), "header")
    for kind, typ in {
        "JWT": "JWT",
        "a refresh token": "rt+jwt",
        "an id token": "id+jwt",
        "upper case": "AT+JWT",
        "a media type": "application/at+jwt",
        "empty": "",
        "null": None,
        "a list": ["at+jwt"],
        "led by a space": " at+jwt",
    }.items():
        yield Attack(f"typ is {kind}", signed(good_header(typ=typ)), "type")
    kid = KEYS.signing_kid
    for kind, meant in {
        "unknown": "2027-01",
        "empty": "",
        "null": None,
        "a number": 0,
        "true": True,
        "a list": [kid],
        "an object": {"kid": kid},
        "a path": "../../../../etc/passwd",
        "an empty file": "/dev/null",
        "a device": "/proc/self/environ",
        "a padded name": kid + " ",
        "cut by a NUL": kid + "\0.pem",
        "a NUL": "\0",
        "SQL": "' OR '1'='1",
        "an URL encoded path": "%2e%2e%2fkeys",
        "a Windows path": "..\\..\\keys.json",
        "a web address": "https://elsewhere.example/key",
        "a shell command": "key.pem|id",
        "swapped case": kid.swapcase(),
        "a dunder": "__class__",
        "a template": "{{7*7}}",
        "a lone surrogate": "\udfff",
        "long": "k" * 1500,
        "an LDAP filter": "*)(uid=*",
    }.items():
        yield Attack(f"kid is {kind}", signed(good_header(kid=meant)), "key")
    for alg in (
        "es256",
        "ES256 ",
        "ES384",
        "ES512",
        "ES256K",
        "RS256",
        "PS256",
        "HS256",
        "EdDSA",
        "dir",
        "A256KW",
        "",
        None,
        0,
        True,
        ["ES256"],
        {"ES256": 1},
    ):
        yield Attack(f"alg is {alg!r}, truly signed", signed(good_header(alg=alg)), "algorithm")


def _none_algorithms() -> Iterator[Attack]:
    signature = forge().rsplit(".", 1)[1]
    for alg in ("none", "None", "NONE", "nOnE", "none ", "none\0", "\uff4eone"):
        signed = f"{b64(as_json(good_header(alg=alg)))}.{b64(as_json(good_claims()))}"
        yield Attack(f"alg {alg!r} without a signature", f"{signed}.", "algorithm")
        yield Attack(f"alg {alg!r} with a signature", f"{signed}.{signature}", "algorithm")
    bare = f"{b64(as_json({'alg': 'none'}))}.{b64(as_json(good_claims()))}."
    yield Attack("alg none and nothing else", bare, "header")


def public_key_spellings() -> dict[str, bytes]:
    """Everything that a careless verifier could have at hand as an HMAC secret."""
    public = OURS.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = KEYS.public_jwks()["keys"][0]
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "PEM": pem,
        "PEM without its last line break": pem.rstrip(),
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "SSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "JWK": as_json(jwk),
        "JWK with spaces": json.dumps(jwk).encode(),
        "JWK set": as_json(KEYS.public_jwks()),
        "uncompressed point": point,
        "compressed point": public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
        "x": point[1:33],
        "x in base64": jwk["x"].encode(),
        "kid": jwk["kid"].encode(),
        "nothing": b"",
        "three bytes": b"key",
    }


def _public_key_as_hmac_secret() -> Iterator[Attack]:
    digests = {
        "HS256": "sha256",
        "HS384": "sha384",
        "HS512": "sha512",
        "ES256": "sha256",
    }
    for spelling, secret in public_key_spellings().items():
        for alg, digest in digests.items():
            signed = f"{b64(as_json(good_header(alg=alg)))}.{b64(as_json(good_claims()))}"
            mac = b64(hmac.digest(secret, signed.encode(), digest))
            refusal: RefusalReason = "signature" if alg == "ES256" else "algorithm"
            yield Attack(f"{alg} keyed by our {spelling}", f"{signed}.{mac}", refusal)


def _wrong_signatures() -> Iterator[Attack]:
    token = forge()
    signed, signature = token.rsplit(".", 1)
    r, s = unb64(signature)[:32], unb64(signature)[32:]
    header, payload = signed.split(".")
    other = forge(payload=as_json(good_claims(jti="018f2b1c-0000-7000-8000-00000000b002")))
    order = P256_ORDER.to_bytes(32, "big")
    for kind, forged in {
        "absent": b"",
        "all zero": bytes(64),
        "all ones": b"\xff" * 64,
        "r zero": bytes(32) + s,
        "s zero": r + bytes(32),
        "r the order": order + s,
        "s the order": r + order,
        "both the order": order * 2,
        "r and s one": (bytes(31) + b"\x01") * 2,
        "swapped": s + r,
        "r twice": r + r,
        "a byte short": (r + s)[:-1],
        "a byte long": r + s + b"\0",
        "half": r,
        "twice": (r + s) * 2,
        "for P-384": bytes(16) + r + bytes(16) + s,
        "in DER": OURS.sign(signed.encode(), ec.ECDSA(hashes.SHA256())),
        "of another token": unb64(other.rsplit(".", 1)[1]),
        "of the payload alone": raw_signature(OURS, payload.encode()),
        "of the header alone": raw_signature(OURS, header.encode()),
        "of the decoded bytes": raw_signature(OURS, unb64(header) + b"." + unb64(payload)),
        "of nothing": raw_signature(OURS, b""),
        "a digest": hashlib.sha256(signed.encode()).digest() * 2,
        "by a stranger": raw_signature(STRANGER, signed.encode()),
    }.items():
        yield Attack(f"signature {kind}", f"{signed}.{b64(forged)}", "signature")
    with_sha384 = decode_dss_signature(OURS.sign(signed.encode(), ec.ECDSA(hashes.SHA384())))
    over_sha384 = b"".join(number.to_bytes(32, "big") for number in with_sha384)
    yield Attack("signature over SHA-384", f"{signed}.{b64(over_sha384)}", "signature")
    for claim, value in {"sub": "someone else", "exp": NOW + 700, "clinic_id": "another"}.items():
        changed = b64(as_json(good_claims(**{claim: value})))
        yield Attack(
            f"{claim} changed after signing", f"{header}.{changed}.{signature}", "signature"
        )
