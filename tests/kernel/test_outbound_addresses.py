"""No address that somebody else chose makes the server call its own neighbours.

It is read in one spelling only, and every number it stands for is public.
"""

import socket
import time
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.outbound import (
    AddressRefused,
    Network,
    NoAnswer,
    check_url,
    is_host_name,
    parse,
    post,
)
from tests.kernel.outside import LOOPBACK, NAME, NUMBERS, Names, Receiver, listening

PUBLIC = "93.184.215.14"
SPELLINGS = [
    ("", "malformed"),
    ("hooks.clinic.example", "malformed"),
    ("//hooks.clinic.example/", "malformed"),
    ("https:/hooks.clinic.example/", "malformed"),
    ("https:hooks.clinic.example", "malformed"),
    ("https://", "malformed"),
    ("https:///x", "malformed"),
    ("https://hooks.clinic.example.", "malformed"),
    ("https://hooks..clinic.example", "malformed"),
    ("https://-hooks.example", "malformed"),
    ("https://hooks-.example", "malformed"),
    ("https://hooks_.example", "malformed"),
    (f"https://{'a' * 64}.example", "malformed"),
    (f"https://{'a.' * 127}example", "malformed"),
    (f"https://a.example/{'a' * 2048}", "malformed"),
    ("https://hooks.example/a b", "malformed"),
    ("https://hooks.example/#part", "malformed"),
    ("https://hooks.example/\n", "malformed"),
    ("https://hooks.example\n", "malformed"),
    ("\thttps://hooks.example", "malformed"),
    (" https://hooks.example", "malformed"),
    ("https://hooks.example/\r\nX: y", "malformed"),
    ("https://hooks.example/\0", "malformed"),
    ("https://hooks.example%00.clinic.example/", "malformed"),
    ("https://127.0.0.1%00.clinic.example/", "malformed"),
    ("https://%31%32%37.0.0.1/", "malformed"),
    ("https://127.0.0.1%2f.clinic.example/", "malformed"),
    ("https://hooks.example\\@127.0.0.1/", "malformed"),
    ("https:\\\\127.0.0.1/", "malformed"),
    ("https://127.0.0.1\\.clinic.example/", "malformed"),
    ("https://１２７.0.0.1/", "malformed"),
    ("https://①②⑦.⓪.⓪.①/", "malformed"),
    ("https://127。0。0。1/", "malformed"),
    ("https://127．0．0．1/", "malformed"),
    ("https://lοcalhost/", "malformed"),
    ("https://ʟocalhost.example/", "malformed"),
    ("https://hooks.example/ü", "malformed"),
    ("https://[::1", "malformed"),
    ("https://::1/", "malformed"),
    ("https://[::1%25eth0]/", "malformed"),
    ("https://[fe80::1%eth0]/", "malformed"),
    ("https://[v1.fe80::1]/", "malformed"),
    ("https://[127.0.0.1]/", "malformed"),
    ("https://[:::1]/", "malformed"),
    ("https://[::1]x/", "malformed"),
    ("https://hooks.example:/", "malformed"),
    ("https://hooks.example:443:443/", "malformed"),
    ("https://hooks.example:+443/", "malformed"),
    ("https://hooks.example:４４３/", "malformed"),
    ("https://hooks.example:0/", "port"),
    ("https://hooks.example:22/", "port"),
    ("https://hooks.example:80/", "port"),
    ("https://hooks.example:8443/", "port"),
    ("https://hooks.example:65536/", "port"),
    ("https://hooks.example:65979/", "port"),
    ("http://hooks.example/", "scheme"),
    ("HTTP://hooks.example/", "scheme"),
    ("http://hooks.example:443/", "scheme"),
    ("ftp://hooks.example/", "scheme"),
    ("file:///etc/passwd", "scheme"),
    ("gopher://127.0.0.1:6379/_INFO", "scheme"),
    ("unix://hooks.example", "scheme"),
    ("https://user@hooks.example/", "userinfo"),
    ("https://user:pass@127.0.0.1/", "userinfo"),
    ("https://hooks.example@127.0.0.1/", "userinfo"),
    ("https://hooks.example:443@127.0.0.1/", "userinfo"),
    ("https://@hooks.example/", "userinfo"),
    ("https://user@@127.0.0.1/", "userinfo"),
]
GOOD = [
    ("https://hooks.clinic.example", NAME, "/"),
    ("https://hooks.clinic.example:443/", NAME, "/"),
    ("https://hooks.clinic.example:0443/", NAME, "/"),
    ("HTTPS://Hooks.Clinic.EXAMPLE/A/b", NAME, "/A/b"),
    ("https://hooks.clinic.example?a=b&c=%20", NAME, "/?a=b&c=%20"),
    ("https://hooks.clinic.example/@x:y;z=(1)*$'!,+", NAME, "/@x:y;z=(1)*$'!,+"),
    ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", "/"),
    ("https://127-0-0-1.example/", "127-0-0-1.example", "/"),
    ("https://1.2.3.example/", "1.2.3.example", "/"),
    (f"https://{PUBLIC}/", PUBLIC, "/"),
    (
        "https://[2606:2800:21F:CB07:6820:80DA:AF6B:8B2C]/",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        "/",
    ),
]


def refusal(url: str, allow: frozenset[Network] = frozenset(), *addresses: str) -> str:
    """Why nothing is sent. addresses: what the name stands for."""
    with pytest.raises(AddressRefused) as refused:
        post(url, b"{}", {}, allow=allow, resolve=Names(addresses))
    return refused.value.reason


def is_answer(number: str) -> bool:
    """Whether a resolver could answer with it."""
    try:
        ip_address(number)
    except ValueError:
        return False
    return True


class TestAddress:
    @pytest.mark.parametrize("number", NUMBERS)
    def test_a_neighbour_is_refused_in_every_spelling_when_it_is_registered(
        self, number: str
    ) -> None:
        with pytest.raises(AddressRefused) as refused:
            check_url(f"https://{number}/hook")

        assert refused.value.reason in {"address", "malformed"}

    @pytest.mark.parametrize(("url", "reason"), SPELLINGS)
    def test_only_one_spelling_is_an_address(self, url: str, reason: str) -> None:
        with pytest.raises(AddressRefused) as refused:
            check_url(url)

        assert refused.value.reason == reason
        assert str(refused.value) == reason

    def test_no_neighbour_is_reached_in_any_spelling_and_on_any_port(self) -> None:
        receiver = Receiver()
        with listening(receiver) as server:
            ports = ["", f":{server.port}", ":443", ":80"]
            urls = [
                f"{scheme}://{number}{port}/"
                for scheme in ("https", "http")
                for number in NUMBERS
                for port in ports
            ] + [url for url, _ in SPELLINGS]

            for url in urls:
                with pytest.raises(AddressRefused):
                    post(url, b"{}", {})

        assert len(urls) > 60
        assert server.connections == 0

    @pytest.mark.parametrize(("url", "host", "target"), GOOD)
    def test_an_ordinary_address_is_taken_apart(self, url: str, host: str, target: str) -> None:
        endpoint = check_url(url)

        assert endpoint == parse(url) == ("https", host, 443, target)

    def test_the_origin_names_a_port_only_where_it_is_not_the_scheme_s_own(self) -> None:
        assert parse("https://Push.Example:443/x").origin == "https://push.example"
        assert parse("https://push.example:8443/x").origin == "https://push.example:8443"
        assert parse("http://push.example/x").origin == "http://push.example"
        assert parse("https://[2606:2800::1]/").origin == "https://[2606:2800::1]"

    @given(st.one_of(st.text(), st.text("0123456789abcdefx.:[]@%/\\-").map("https://{}".format)))
    def test_whatever_is_sent_is_an_address_in_one_spelling_or_refused(self, url: str) -> None:
        try:
            endpoint = check_url(url)
        except AddressRefused:
            return

        assert url.isascii()
        assert check_url(endpoint.origin + endpoint.target) == endpoint

    def test_an_opened_network_may_be_registered_with_http_and_any_port(self) -> None:
        assert check_url("http://127.0.0.1:8080/", allow=LOOPBACK).port == 8080
        assert check_url("http://receiver:8080/", allow=LOOPBACK).host == "receiver"

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("https://10.0.0.1/", "address"),
            ("http://10.0.0.1:8080/", "address"),
            (f"http://{PUBLIC}/", "scheme"),
            (f"https://{PUBLIC}:8443/", "port"),
        ],
    )
    def test_an_opened_network_opens_no_other(self, url: str, reason: str) -> None:
        with pytest.raises(AddressRefused) as refused:
            check_url(url, allow=LOOPBACK)

        assert refused.value.reason == reason

    @pytest.mark.parametrize("name", ["clinic.example", "a", "xn--mnchen-3ya.example", "A-1.b2"])
    def test_a_host_name_is_letters_digits_and_hyphens(self, name: str) -> None:
        assert is_host_name(name)

    @pytest.mark.parametrize(
        "name", ["", "a.", ".a", "-a", "a_b", "münchen", "1.2.3.4", "a.1", "a\n"]
    )
    def test_a_number_and_anything_else_is_no_host_name(self, name: str) -> None:
        assert not is_host_name(name)


class TestName:
    @pytest.mark.parametrize("number", [n.strip("[]") for n in NUMBERS if is_answer(n.strip("[]"))])
    def test_a_name_that_stands_for_a_neighbour_is_refused(self, number: str) -> None:
        assert refusal(f"https://{NAME}/", frozenset(), number) == "address"
        assert refusal(f"https://{NAME}/", frozenset(), PUBLIC, number) == "address"

    def test_a_zone_of_a_link_is_refused(self) -> None:
        assert refusal(f"https://{NAME}/", frozenset(), "fe80::1%eth0") == "address"

    def test_a_name_is_looked_up_once_and_the_number_judged_is_the_number_called(self) -> None:
        receiver, trap = Receiver(), Receiver()
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        with listening(receiver) as server, listening(trap, address="127.0.0.2") as other:
            url = f"http://{NAME}:{server.port}/"
            allow = frozenset[Network]({ip_network("127.0.0.1/32")})
            answer = post(url, b"{}", {}, allow=allow, resolve=names)

            assert answer.status == 204
            assert names.asked == [NAME]
            assert other.connections == 0
            # What the name stands for now would be refused.
            with pytest.raises(AddressRefused):
                post(url, b"{}", {}, allow=allow, resolve=names)

        assert (server.connections, other.connections) == (1, 0)

    def test_one_neighbour_among_opened_numbers_refuses_them_all(self) -> None:
        receiver = Receiver()
        with listening(receiver) as server:
            url = f"http://{NAME}:{server.port}/"

            assert refusal(url, LOOPBACK, "127.0.0.1", "10.0.0.1") == "address"
            assert refusal(url, LOOPBACK, "127.0.0.1", PUBLIC) == "scheme"
            assert refusal(url.replace("http", "https"), LOOPBACK, PUBLIC) == "port"

        assert server.connections == 0

    def test_the_next_number_is_tried_where_one_does_not_accept(self) -> None:
        receiver = Receiver()
        with listening(receiver) as server:
            names = Names(["127.0.0.3", "127.0.0.3", "127.0.0.1", "127.0.0.4"])
            answer = post(f"http://{NAME}:{server.port}/", b"", {}, allow=LOOPBACK, resolve=names)

        assert answer.status == 204

    def test_a_name_that_nobody_has_is_no_answer(self) -> None:
        def unknown(name: str, port: int) -> list[str]:
            raise socket.gaierror(socket.EAI_NONAME, f"{name}:{port}")

        for resolve in (unknown, Names([])):
            with pytest.raises(NoAnswer) as failed:
                post(f"https://{NAME}/", b"", {}, resolve=resolve)
            assert str(failed.value) == ""

    def test_a_slow_name_server_is_not_waited_for(self) -> None:
        def slow(_: str, __: int) -> list[str]:
            time.sleep(2)
            return [PUBLIC]

        began_at = time.monotonic()
        with pytest.raises(NoAnswer):
            post(f"https://{NAME}/", b"", {}, timeout=0.2, resolve=slow)

        assert time.monotonic() - began_at < 1.5

    def test_the_system_is_asked_where_nobody_else_is_named(self) -> None:
        receiver = Receiver()
        with listening(receiver) as server:
            allow = LOOPBACK | {ip_network("::1/128")}
            answer = post(f"http://localhost:{server.port}/", b"", {}, allow=allow)

        assert answer.status == 204
