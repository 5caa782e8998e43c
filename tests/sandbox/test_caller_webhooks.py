"""Webhooks are signed as Twilio documents it, made again as the URL asks, and never carry its fragment."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from assistant.sandbox.caller.webhooks import RetryRule, WebhookFailed, Webhooks, signature, without_fragment
from tests.sandbox.fake_app import TOKEN, FakeApp


def test_the_documented_signature():
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    url = "https://example.com/myapp.php?foo=1&bar=2"

    assert signature("12345", url, fields) == "L/OH5YylLD5NRKLltdqwSvS0BnU="


@given(
    st.dictionaries(st.text(min_size=1), st.text()),
    st.sampled_from(["http://h:5000/a", "ws://h/s", "https://h/"]),
)
def test_the_real_package_accepts_every_signature(fields, url):
    assert RequestValidator("secret").validate(url, fields, signature("secret", url, fields))


def test_the_fragment_is_a_rule_for_retries_and_nothing_else():
    url = "https://host/voice/status?a=1#rc=2&rp=ct,rt,5xx"

    assert without_fragment(url) == "https://host/voice/status?a=1"
    rule = RetryRule.of(url)
    assert rule.retries == 2
    assert [rule.covers(kind) for kind in ("ct", "rt", "4xx", "5xx")] == [True, True, False, True]
    assert RetryRule.of("https://host/") == RetryRule(1, frozenset({"ct"}))


def test_a_server_error_is_tried_again_only_when_the_url_asks_for_it():
    with FakeApp().running() as app:
        app.statuses = {"/once": [500], "/again": [500, 503], "/refused": [403]}
        webhooks = Webhooks(TOKEN)

        with pytest.raises(WebhookFailed, match="answered 500") as failed:
            webhooks.post(f"{app.url}/once", {"A": ""})
        assert failed.value.code == 11200
        assert webhooks.post(f"{app.url}/again#rc=2&rp=ct,rt,5xx", {"A": ""}).status == 200
        assert len(app.forms_to("/again")) == 3
        with pytest.raises(WebhookFailed, match="403"):
            webhooks.post(f"{app.url}/refused#rc=2&rp=ct,rt,5xx", {})


def test_redirects_are_followed_and_each_hop_is_signed():
    with FakeApp().running() as app:
        app.statuses = {"/old": [301]}
        app.documents["/moved"] = "<Response><Hangup/></Response>"

        answer = Webhooks(TOKEN).post(f"{app.url}/old", {"From": "+1", "FromCity": ""})
        assert answer.url == f"{app.url}/moved"
        assert answer.text == "<Response><Hangup/></Response>"
        assert app.forms_to("/moved") == [{"From": "+1", "FromCity": ""}]


def test_nobody_there_and_nobody_answering():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        with pytest.raises(WebhookFailed, match="no answer within") as failed:
            Webhooks(TOKEN, timeout_s=0.1).post(url, {})
        assert failed.value.code == 11205
    with pytest.raises(WebhookFailed, match="no connection"):
        Webhooks(TOKEN, timeout_s=0.5).post(url, {})
