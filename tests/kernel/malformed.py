"""Tokens that are no tokens, and JSON that two readers would read in two ways."""

from collections.abc import Iterator

from tests.kernel.forgery import Attack, as_json, forge, good_claims, good_header


def wrong_forms() -> Iterator[Attack]:
    token = forge()
    header, payload, signature = token.split(".")
    for kind, sent in {
        "empty": "",
        "a dot": ".",
        "two dots": "..",
        "three dots": "...",
        "a word": "token",
        "without a signature": f"{header}.{payload}",
        "the header alone": header,
        "with a fourth segment": f"{token}.{signature}",
        "with five segments, as if encrypted": f"{token}.{payload}.{signature}",
        "with a dot behind": f"{token}.",
        "with a dot in front": f".{token}",
        "with an empty header": f".{payload}.{signature}",
        "with a space in front": f" {token}",
        "with a space behind": f"{token} ",
        "with a line break behind": f"{token}\n",
        "with a NUL behind": f"{token}\0",
        "with a scheme": f"Bearer {token}",
        "in quotes": f'"{token}"',
        "twice": token + token,
        "with a comma": f"{token},{token}",
        "with a tab inside": f"{header}\t.{payload}.{signature}",
        "with the header padded": f"{header}=.{payload}.{signature}",
        "with the payload padded": f"{header}.{payload}=.{signature}",
        "with the signature padded": f"{token}=",
        "with correct padding": f"{token}==",
        "with much padding": f"{token}{'=' * 64}",
        "with junk between": f"{header}.{payload[:9]}!{payload[9:]}.{signature}",
        "with a line break between": f"{header}.{payload[:9]}\n{payload[9:]}.{signature}",
        "with a percent sign": f"{header}%2E{payload}%2E{signature}",
        "with full-width letters": "".join(chr(ord(c) + 0xFEE0) for c in token),
        "with a lone surrogate": f"{token}\ud800",
        "with an emoji": f"{token}🙂",
        "with Cyrillic": token.replace("e", "\u0435"),
        "backwards": token[::-1],
        "of JSON serialisation": as_json(
            {"protected": header, "payload": payload, "signature": signature}
        ).decode(),
        "of loose trailing bits": f"{token[:-1]}{chr(ord(token[-1]) + 1)}",
    }.items():
        yield Attack(f"text {kind}", sent, "malformed")
    yield Attack("payload detached", f"{header}..{signature}", "signature")
    for kind, thing in {
        "None": None,
        "bytes": token.encode(),
        "a number": 7,
        "a list": [token],
        "an object": {"token": token},
        "true": True,
        "the three segments": token.split("."),
    }.items():
        yield Attack(f"not a text but {kind}", thing, "malformed")
    filled = as_json(good_claims(filler="x" * 3000))
    for kind, long in {
        "of 4 KB, truly signed": forge(payload=filled),
        "of 1 MB": "A" * 2**20,
        "of 1 MB of dots": "." * 2**20,
        "of 1 MB of padding": token + "=" * 2**20,
        "of 1 MB of claims": forge(payload=as_json(good_claims(filler="x" * 2**20))),
        "a character over the limit": "a" * 4097,
    }.items():
        yield Attack(f"token {kind}", long, "too_large")


def ambiguous_json() -> Iterator[Attack]:
    header, claims = as_json(good_header()), as_json(good_claims())
    for kind, head in {
        "alg twice": header[:-1] + b',"alg":"ES256"}',
        "alg none first": b'{"alg":"none",' + header[1:],
        "kid twice": header[:-1] + b',"kid":"other"}',
        "typ twice": header[:-1] + b',"typ":"at+jwt"}',
        "alg twice, once escaped": header[:-1] + b',"\\u0061lg":"none"}',
        "a list": b"[]",
        "a text": b'"ES256"',
        "a number": b"1",
        "null": b"null",
        "empty": b"",
        "cut short": header[:-1],
        "with more behind": header + b"{}",
        "in single quotes": header.replace(b'"', b"'"),
        "with a comment": header + b"//",
        "in UTF-16": header.decode().encode("utf-16"),
        "in UTF-32": header.decode().encode("utf-32"),
        "with a byte-order mark": b"\xef\xbb\xbf" + header,
        "not UTF-8": header.replace(b"ES256", b"ES\xff56"),
        "nested 1,200 deep": b"[" * 1200,
        "an object nested 500 deep": b'{"a":' * 500,
    }.items():
        yield Attack(f"header {kind}", forge(header=head), "malformed")
    for kind, body in {
        "exp twice": claims[:-1] + b',"exp":9999999999}',
        "exp first twice": b'{"exp":1,' + claims[1:],
        "sub twice": claims[:-1] + b',"sub":"someone else"}',
        "sub twice, once escaped": claims[:-1] + b',"\\u0073ub":"someone else"}',
        "clinic_id twice": claims[:-1] + b',"clinic_id":"another"}',
        "a name twice far inside": claims[:-1] + b',"act":{"sub":"a","sub":"b"}}',
        "a list": b"[" + claims + b"]",
        "a text": as_json(claims.decode()),
        "a number": b"1",
        "null": b"null",
        "empty": b"",
        "cut short": claims[:-1],
        "with more behind": claims + claims,
        "in UTF-16": claims.decode().encode("utf-16"),
        "with a byte-order mark": b"\xef\xbb\xbf" + claims,
        "not UTF-8": claims[:-1] + b',"name":"\xff"}',
        "with a control character": claims[:-1] + b',"name":"\x01"}',
        "with NaN far inside": claims[:-1] + b',"a":[NaN]}',
        "with a comma behind": claims[:-1] + b",}",
        "of 2,000 brackets": b"[" * 2000,
        "with 1,100 lists inside": claims[:-1] + b',"a":' + b"[" * 1100 + b"]" * 1100 + b"}",
    }.items():
        yield Attack(f"payload {kind}", forge(payload=body), "malformed")
