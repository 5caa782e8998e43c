"""Signatures, made by our own hand: HMAC-SHA1 over the address and the sorted fields."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from werkzeug.datastructures import ImmutableMultiDict

from assistant.telephony.signature import signature_ok, stream_signature_ok

TOKEN = "0123456789abcdef0123456789abcdef"
URL = "http://127.0.0.1:5000/voice/incoming"


def sign(url: str, fields: ImmutableMultiDict[str, str], token: str = TOKEN) -> str:
    text = url
    for name in sorted(set(fields)):
        text += "".join(name + value for value in sorted(set(fields.getlist(name))))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


def form(*fields: tuple[str, str]) -> ImmutableMultiDict[str, str]:
    return ImmutableMultiDict([("CallSid", "CA" + "1" * 32), *fields])


def test_the_documented_example():
    """The test vector of Twilio's security page (reference 5.1)."""
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    url = "https://example.com/myapp.php?foo=1&bar=2"

    assert signature_ok("12345", url, fields, "L/OH5YylLD5NRKLltdqwSvS0BnU=")


@pytest.mark.parametrize(
    "fields",
    [
        form(),
        form(("FromCity", ""), ("ToZip", "")),
        form(("NewField", "since yesterday"), ("Ünï", "ço dé")),
        form(("Twice", "b"), ("Twice", "a"), ("Twice", "b")),
        form(("Digits", " 1 ")),
    ],
)
def test_every_field_counts_also_empty_unknown_and_double_ones(fields: ImmutableMultiDict[str, str]):
    signature = sign(URL, fields)

    assert signature_ok(TOKEN, URL, fields, signature)
    for name in fields:
        fewer = ImmutableMultiDict([pair for pair in fields.items(multi=True) if pair[0] != name])
        assert not signature_ok(TOKEN, URL, fewer, signature)
    assert not signature_ok(TOKEN, URL, form(("More", "")), signature)


def test_a_port_may_be_left_out_of_the_signed_address():
    assert signature_ok(TOKEN, URL, form(), sign(URL.replace(":5000", ""), form()))


@pytest.mark.parametrize(
    "signed",
    [
        "https://127.0.0.1:5000/voice/incoming",
        "http://127.0.0.2:5000/voice/incoming",
        "http://127.0.0.1:5001/voice/incoming",
        "http://127.0.0.1:5000/voice/incoming/",
        "http://127.0.0.1:5000/voice/incoming?a=1",
        "http://127.0.0.1:5000/voice/status",
    ],
)
def test_another_address_is_another_signature(signed: str):
    assert not signature_ok(TOKEN, URL, form(), sign(signed, form()))


@pytest.mark.parametrize("header", [None, "", "=", "ü", "x" * 5000, sign(URL, form(), "another token")])
def test_a_missing_or_wrong_header_is_refused(header: str | None):
    assert not signature_ok(TOKEN, URL, form(), header)


def test_without_a_token_of_ours_nothing_is_signed():
    assert not signature_ok("", URL, form(), sign(URL, form(), ""))


def test_a_stream_is_signed_with_or_without_a_slash_at_the_end():
    url, nothing = "wss://phone.example/voice/stream", ImmutableMultiDict[str, str]()

    assert stream_signature_ok(TOKEN, url, sign(url, nothing))
    assert stream_signature_ok(TOKEN, url, sign(url + "/", nothing))
    assert not stream_signature_ok(TOKEN, url, sign(url.replace("wss", "https"), nothing))
    assert not stream_signature_ok(TOKEN, url, sign(url + "?a=1", nothing))
    assert not stream_signature_ok(TOKEN, url, None)
