"""A token is believed only if it is exactly one that we would have made."""

import json
import random
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from app.kernel.tokens import (
    ACCESS_TYP,
    MAX_TOKEN_LENGTH,
    Claims,
    SigningKeys,
    TokenRefused,
    Verifier,
    sign,
)
from tests.kernel.attacks import attacks
from tests.kernel.forgery import (
    AUDIENCE,
    ISSUER,
    KEYS,
    NOW,
    OURS,
    P256_ORDER,
    Attack,
    a_private_key,
    as_json,
    b64,
    forge,
    good_claims,
    good_header,
    mutated,
    private_jwk,
    raw_signature,
    unb64,
)

ATTACKS = attacks()
MUTATIONS = 2_000


def a_verifier(keys: SigningKeys = KEYS, typ: str = ACCESS_TYP, cache_size: int = 4096) -> Verifier:
    return Verifier(keys, ISSUER, AUDIENCE, typ, cache_size)


def refusal(verifier: Verifier, token: str, now: float = NOW) -> str:
    with pytest.raises(TokenRefused) as refused:
        verifier.verify(token, now)
    return refused.value.reason


class TestVerify:
    def test_a_token_we_signed_says_what_was_signed(self) -> None:
        token = sign(KEYS, good_claims(scope=["journal", {"of": [1, None]}]))

        claims = a_verifier().verify(token, NOW)

        assert (claims.exp, claims.iat, claims.nbf) == (NOW + 600, NOW, NOW)
        assert (claims.aud, claims.iss) == (AUDIENCE, ISSUER)
        assert claims.sub == good_claims()["sub"]
        assert claims.jti == good_claims()["jti"]
        assert claims.private == {
            "clinic_id": good_claims()["clinic_id"],
            "scope": ("journal", {"of": (1, None)}),
        }

    def test_a_hand_made_token_without_a_flaw_is_accepted(self) -> None:
        # Without this every attack below could be refused for a mistake in its making.
        assert a_verifier().verify(forge(), NOW).sub == good_claims()["sub"]

    def test_claims_cannot_be_changed_by_whoever_reads_them(self) -> None:
        token = sign(KEYS, good_claims(act={"scopes": ["read"]}))
        claims = a_verifier().verify(token, NOW)

        with pytest.raises(AttributeError):
            claims.sub = "someone else"  # type: ignore[misc]
        with pytest.raises(TypeError):
            claims.private["act"] = {}  # type: ignore[index]
        act = claims.private["act"]
        assert isinstance(act, Mapping)
        assert not isinstance(act, dict)
        assert act["scopes"] == ("read",)

    @pytest.mark.parametrize(
        "changes",
        [
            {"iat": NOW + 60, "exp": NOW + 61},
            {"nbf": NOW + 60},
            {"nbf": 0},
            {"exp": NOW + 900},
            {"iat": NOW - 899, "exp": NOW + 1},
        ],
        ids=["issued in 60 s", "not before in 60 s", "nbf long past", "lives 15 min", "last s"],
    )
    def test_times_on_the_right_side_of_each_limit_are_accepted(
        self, changes: dict[str, int]
    ) -> None:
        a_verifier().verify(sign(KEYS, good_claims(**changes)), NOW)

    def test_a_token_holds_until_the_instant_it_expires(self) -> None:
        token, verifier = sign(KEYS, good_claims()), a_verifier()

        verifier.verify(token, NOW + 599.999)

        assert refusal(verifier, token, NOW + 600) == "expired"

    @pytest.mark.parametrize("now", [float("nan"), float("inf")])
    def test_a_clock_without_a_time_believes_nothing(self, now: float) -> None:
        assert refusal(a_verifier(), sign(KEYS, good_claims()), now) == "expired"

    def test_a_clock_before_all_time_believes_nothing(self) -> None:
        assert refusal(a_verifier(), sign(KEYS, good_claims()), -float("inf")) == "not_yet_valid"

    def test_a_verifier_of_another_type_refuses_the_token(self) -> None:
        access, identity = sign(KEYS, good_claims()), sign(KEYS, good_claims(), typ="id+jwt")

        a_verifier(typ="id+jwt").verify(identity, NOW)

        assert refusal(a_verifier(typ="id+jwt"), access) == "type"
        assert refusal(a_verifier(), identity) == "type"

    def test_the_twin_of_a_signature_adds_nothing_to_what_was_signed(self) -> None:
        # ECDSA cannot tell (r, s) from (r, n - s): single use must go by jti, never by the text.
        token = sign(KEYS, good_claims())
        signed, signature = token.rsplit(".", 1)
        r, s = unb64(signature)[:32], int.from_bytes(unb64(signature)[32:], "big")
        twin = f"{signed}.{b64(r + (P256_ORDER - s).to_bytes(32, 'big'))}"

        assert a_verifier().verify(twin, NOW) == a_verifier().verify(token, NOW)


class TestAttacks:
    def test_there_are_at_least_two_hundred_and_no_two_alike(self) -> None:
        assert len(ATTACKS) >= 200
        assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
        texts = [attack.token for attack in ATTACKS if isinstance(attack.token, str)]
        assert len(set(texts)) == len(texts)

    @pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
    def test_it_is_refused_for_its_own_reason_every_time(self, attack: Attack) -> None:
        verifier = a_verifier()

        assert refusal(verifier, attack.token) == attack.reason
        assert refusal(verifier, attack.token) == attack.reason
        assert refusal(a_verifier(cache_size=0), attack.token) == attack.reason

    def test_a_refusal_repeats_nothing_of_the_token(self) -> None:
        canary = "canary-5b1f"
        payload = as_json(good_claims(name=canary))[:-1] + b',"exp":1}'

        with pytest.raises(TokenRefused) as refused:
            a_verifier().verify(forge(payload=payload), NOW)

        assert canary not in "".join(traceback.format_exception(refused.value))

    def test_mutations_of_genuine_tokens_are_all_refused(self) -> None:
        chance = random.Random(20270115)
        genuine = [
            forge(payload=as_json(good_claims(jti=f"token-{n}", sub=f"account-{n % 3}")))
            for n in range(8)
        ]
        verifier = a_verifier()
        for token in genuine:  # remembered, so that a near miss could find them
            verifier.verify(token, NOW)

        tried = 0
        while tried < MUTATIONS:
            mutant = mutated(chance, genuine)
            if mutant in genuine:
                continue
            tried += 1
            with pytest.raises(TokenRefused):
                verifier.verify(mutant, NOW)


class TestMemory:
    def test_an_expired_token_is_refused_although_it_is_remembered(self) -> None:
        token, verifier = sign(KEYS, good_claims()), a_verifier()
        first = verifier.verify(token, NOW)

        assert verifier.verify(token, NOW + 599) is first
        assert refusal(verifier, token, NOW + 600) == "expired"

    def test_a_clock_that_jumps_back_is_noticed_on_a_remembered_token(self) -> None:
        token, verifier = sign(KEYS, good_claims()), a_verifier()
        verifier.verify(token, NOW)

        assert refusal(verifier, token, NOW - 61) == "not_yet_valid"

    def test_a_refused_token_is_never_remembered(self) -> None:
        early = sign(KEYS, good_claims(nbf=NOW + 300))
        late = sign(KEYS, good_claims(iat=NOW - 600, exp=NOW - 1))
        verifier = a_verifier(cache_size=1)
        kept = sign(KEYS, good_claims())
        first = verifier.verify(kept, NOW)

        for token in (early, late, kept[:-4] + "AAAA", "", "."):
            refusal(verifier, token)

        # Had any of them entered a memory of one, this would be another object.
        assert verifier.verify(kept, NOW) is first

    def test_only_the_least_recently_used_is_forgotten(self) -> None:
        tokens = [sign(KEYS, good_claims(jti=f"token-{n}")) for n in range(3)]
        verifier = a_verifier(cache_size=2)
        first, second = (verifier.verify(token, NOW) for token in tokens[:2])

        assert verifier.verify(tokens[0], NOW) is first
        verifier.verify(tokens[2], NOW)

        assert verifier.verify(tokens[0], NOW) is first
        assert verifier.verify(tokens[1], NOW) is not second

    def test_a_memory_of_nothing_still_verifies(self) -> None:
        token, verifier = sign(KEYS, good_claims()), a_verifier(cache_size=0)

        assert verifier.verify(token, NOW) == verifier.verify(token, NOW)
        assert verifier.verify(token, NOW) is not verifier.verify(token, NOW)

    def test_threads_that_push_each_other_out_get_their_own_claims(self) -> None:
        tokens = {f"token-{n}": sign(KEYS, good_claims(jti=f"token-{n}")) for n in range(12)}
        verifier = a_verifier(cache_size=4)
        wrong: list[object] = []

        def read(start: int) -> None:
            for turn in range(400):
                jti = f"token-{(start + turn * 5) % 12}"
                try:
                    said = verifier.verify(tokens[jti], NOW).jti
                except Exception as failure:
                    wrong.append(failure)
                else:
                    if said != jti:
                        wrong.append((said, jti))

        threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert wrong == []


class TestSign:
    def test_the_header_names_the_key_and_the_type_and_nothing_else(self) -> None:
        header = json.loads(unb64(sign(KEYS, good_claims(), typ="id+jwt").split(".")[0]))

        assert header == {"alg": "ES256", "kid": KEYS.signing_kid, "typ": "id+jwt"}

    @pytest.mark.parametrize("claim", [float("nan"), float("inf"), b"bytes", object()])
    def test_what_json_has_no_word_for_is_not_signed(self, claim: object) -> None:
        with pytest.raises((TypeError, ValueError)):
            sign(KEYS, good_claims(extra=claim))

    def test_the_longest_token_that_is_signed_is_one_that_is_accepted(self) -> None:
        empty = sign(KEYS, good_claims(filler=""))
        room = (MAX_TOKEN_LENGTH - len(empty)) * 3 // 4  # bytes, four characters for three

        longest = sign(KEYS, good_claims(filler="x" * room))

        assert MAX_TOKEN_LENGTH - 2 <= len(longest) <= MAX_TOKEN_LENGTH
        a_verifier().verify(longest, NOW)
        with pytest.raises(ValueError, match="at most 4096"):
            sign(KEYS, good_claims(filler="x" * (room + 3)))


class TestSigningKeys:
    def test_a_new_set_signs_what_it_verifies(self) -> None:
        keys = SigningKeys.parse(SigningKeys.generate())

        a_verifier(keys).verify(sign(keys, good_claims()), NOW)

        assert refusal(a_verifier(KEYS), sign(keys, good_claims())) == "key"

    def test_the_kid_of_a_new_key_is_its_thumbprint(self) -> None:
        jwk = json.loads(SigningKeys.generate())["keys"][0]

        assert jwk["kid"] == ECKey.import_key(jwk).thumbprint()

    def test_the_published_set_has_no_private_part_and_verifies_elsewhere(self) -> None:
        text = SigningKeys.rotate(SigningKeys.generate())
        keys = SigningKeys.parse(text)

        published = keys.public_jwks()

        assert [set(jwk) for jwk in published["keys"]] == [
            {"kty", "crv", "x", "y", "kid", "use", "alg"}
        ] * 2
        assert all(jwk["use"] == "sig" and jwk["alg"] == "ES256" for jwk in published["keys"])
        for jwk in json.loads(text)["keys"]:
            assert jwk["d"] not in json.dumps(published)
        elsewhere = KeySet.import_key_set(published)  # type: ignore[arg-type]
        decoded = jwt.decode(sign(keys, good_claims()), elsewhere, algorithms=["ES256"])
        assert decoded.claims == good_claims()

    def test_after_rotation_the_new_key_signs_and_the_old_still_verifies(self) -> None:
        old_text = SigningKeys.generate()
        old, new = SigningKeys.parse(old_text), SigningKeys.parse(SigningKeys.rotate(old_text))

        before, after = sign(old, good_claims()), sign(new, good_claims())

        assert new.signing_kid != old.signing_kid
        a_verifier(new).verify(before, NOW)
        a_verifier(new).verify(after, NOW)
        assert refusal(a_verifier(old), after) == "key"

    def test_a_removed_key_stops_verifying_what_was_remembered(self) -> None:
        both_text = SigningKeys.rotate(SigningKeys.generate())
        newest, oldest = json.loads(both_text)["keys"]
        token = sign(SigningKeys.parse(json.dumps({"keys": [oldest]})), good_claims())
        a_verifier(SigningKeys.parse(both_text)).verify(token, NOW)

        remaining = a_verifier(SigningKeys.parse(json.dumps({"keys": [newest]})))

        assert refusal(remaining, token) == "key"

    def test_a_kid_of_ours_does_not_lend_its_name_to_another_of_our_keys(self) -> None:
        both = SigningKeys.parse(
            json.dumps({"keys": [private_jwk(OURS, "a"), private_jwk(a_private_key("b"), "b")]})
        )

        under_its_own_name = forge(header=as_json(good_header(kid="a")), key=OURS)
        under_the_other_name = forge(header=as_json(good_header(kid="b")), key=OURS)

        a_verifier(both).verify(under_its_own_name, NOW)
        assert refusal(a_verifier(both), under_the_other_name) == "signature"

    def test_its_printed_form_names_the_keys_and_shows_nothing_of_them(self) -> None:
        text = SigningKeys.generate()
        jwk = json.loads(text)["keys"][0]
        keys = SigningKeys.parse(text)

        assert repr(keys) == f"SigningKeys({jwk['kid']})"
        secret = int.from_bytes(unb64(jwk["d"]), "big")
        for printed in (repr(keys.signer), str(keys.verifiers), repr(a_verifier(keys))):
            assert jwk["d"] not in printed
            assert str(secret) not in printed
            assert f"{secret:x}" not in printed

    @pytest.mark.parametrize(
        ("kind", "changes"),
        [
            ("another curve", {"crv": "P-384"}),
            ("another kind", {"kty": "RSA"}),
            ("a point that is not its own", {"x": b64(bytes(32))}),
            ("no private part", {"d": None}),
            ("a private part of zero", {"d": b64(bytes(32))}),
            ("a private part beyond the order", {"d": b64(b"\xff" * 32)}),
            ("a padded private part", {"d": private_jwk(OURS, "")["d"] + "="}),
            ("a kid that is no text", {"kid": 7}),
            ("an empty kid", {"kid": ""}),
            ("a kid that is a list", {"kid": []}),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_set_with_a_key_that_is_not_ours_to_use_is_not_read(
        self, kind: str, changes: dict[str, object]
    ) -> None:
        jwk = private_jwk(OURS, "one") | changes

        for read in (SigningKeys.parse, SigningKeys.rotate):
            with pytest.raises(ValueError, match=r"^signing keys: ") as refused:
                read(json.dumps({"keys": [jwk]}))
            printed = "".join(traceback.format_exception(refused.value))
            assert private_jwk(OURS, "one")["d"] not in printed, kind

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "{}",
            '{"keys": {}}',
            '{"keys": []}',
            '{"keys": [{}]}',
            '{"keys": ["x"]}',
            '{"keys": null}',
            '{"keys": [], "keys": []}',
            json.dumps({"keys": [private_jwk(OURS, "one")] * 2}),
        ],
    )
    def test_a_text_that_is_not_a_set_of_keys_is_not_read(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"^signing keys: "):
            SigningKeys.parse(text)


class TestAgainstAnIndependentLibrary:
    def test_it_accepts_ours(self) -> None:
        key = ECKey.import_key({**KEYS.public_jwks()["keys"][0]})

        for n in range(20):
            claims = good_claims(jti=f"token-{n}", note="Übung №1 🌱")
            decoded = jwt.decode(sign(KEYS, claims), key, algorithms=["ES256"])
            assert decoded.claims == claims
            assert decoded.header == good_header()

    def test_we_accept_its_own(self) -> None:
        key = ECKey.import_key({**private_jwk(OURS, KEYS.signing_kid)})

        for n in range(20):
            claims = good_claims(jti=f"token-{n}", note="Übung №1 🌱")
            said = a_verifier().verify(jwt.encode(good_header(), claims, key), NOW)
            assert said == Claims(
                exp=NOW + 600,
                iat=NOW,
                nbf=NOW,
                aud=AUDIENCE,
                iss=ISSUER,
                sub=str(claims["sub"]),
                jti=f"token-{n}",
                private={"clinic_id": claims["clinic_id"], "note": "Übung №1 🌱"},
            )

    def test_a_signature_made_by_hand_is_one_it_accepts(self) -> None:
        # The forger's own arithmetic, or the attacks above would prove nothing.
        key = ECKey.import_key({**KEYS.public_jwks()["keys"][0]})

        assert jwt.decode(forge(), key, algorithms=["ES256"]).claims == good_claims()
        assert len(raw_signature(OURS, b"x")) == 64


def test_signing_and_verifying_never_load_the_pure_python_curve_arithmetic() -> None:
    script = """
import sys
from app.kernel.tokens import SigningKeys, Verifier, sign
keys = SigningKeys.parse(SigningKeys.generate())
claims = dict(exp=600, iat=0, aud="a", iss="i", sub="s", jti="j")
assert Verifier(keys, "i", "a").verify(sign(keys, claims), 1).sub == "s"
assert "jose" in sys.modules
assert not {"ecdsa", "rsa"} & set(sys.modules)
"""
    finished = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert finished.returncode == 0, finished.stderr
