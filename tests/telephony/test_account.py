"""Questions about the account, and the one thing that is set, asked over real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assistant.errors import RestError
from assistant.telephony.account import AccountFact, Balance, NumberWish, TwilioAccount
from assistant.telephony.signature import signature_ok, signed
from tests.telephony.far_account import FALLBACK, NUMBER_SID, FarAccount
from tests.telephony.far_end import ACCOUNT, NUMBER, TOKEN

OURS = "https://phone.example"
WISH = NumberWish.at(OURS)


@pytest.fixture
def far() -> FarAccount:
    return FarAccount()


@pytest.fixture
def account(far: FarAccount) -> Iterator[TwilioAccount]:
    with far.serving() as url:
        yield TwilioAccount(ACCOUNT, TOKEN, url, timeout_s=5)


def test_an_account_is_what_twilio_says(far: FarAccount, account: TwilioAccount):
    assert account.account() == AccountFact("active", is_trial=False)
    assert account.balance() == Balance(20.5, "USD")

    far.kind, far.status = "Trial", "suspended"
    assert account.account() == AccountFact("suspended", is_trial=True)


def test_a_wrong_token_is_told_without_it(far: FarAccount, account: TwilioAccount):
    far.refuse[ACCOUNT] = 401

    with pytest.raises(RestError, match=r"401.*TWILIO_AUTH_TOKEN") as refused:
        account.account()

    assert TOKEN not in str(refused.value)
    assert ACCOUNT not in str(refused.value)


@pytest.mark.parametrize("status", [403, 404])
def test_a_part_of_another_account_has_no_balance(far: FarAccount, account: TwilioAccount, status: int):
    far.refuse["Balance"] = status

    assert account.balance() is None


def test_a_balance_that_cannot_be_had_is_an_error(far: FarAccount, account: TwilioAccount):
    far.refuse["Balance"] = 500

    with pytest.raises(RestError):
        account.balance()


def test_a_number_says_where_it_sends_its_calls(far: FarAccount, account: TwilioAccount):
    far.point_at(OURS)

    number = account.number(NUMBER)

    assert number is not None
    assert (number.number_sid, number.fallback_url) == (NUMBER_SID, FALLBACK)
    assert WISH.changes(number) == []
    assert account.number("+12025550199") is None


def test_pointing_a_number_here_takes_it_from_an_application_and_leaves_its_fallback(
    far: FarAccount, account: TwilioAccount
):
    far.number |= {"voice_application_sid": "AP" + "0" * 32, "voice_fallback_url": FALLBACK}
    before = account.number(NUMBER)
    assert before is not None
    fields = [field for field, _, _ in WISH.changes(before)]

    account.point_number(NUMBER_SID, WISH)

    after = account.number(NUMBER)
    assert after is not None
    assert fields == ["A call comes in", "Call status changes", "Configure with"]
    assert WISH.changes(after) == []
    assert (after.voice_url, after.voice_method) == ("https://phone.example/voice/incoming", "POST")
    assert after.status_callback == "https://phone.example/voice/status#rc=2&rp=ct,rt,5xx"
    assert after.fallback_url == FALLBACK


def test_what_will_change_is_said_with_what_is_there(far: FarAccount, account: TwilioAccount):
    number = account.number(NUMBER)

    assert number is not None
    assert WISH.changes(number) == [
        (
            "A call comes in",
            "GET https://demo.twilio.com/welcome",
            "POST https://phone.example/voice/incoming",
        ),
        ("Call status changes", "nothing", "POST https://phone.example/voice/status#rc=2&rp=ct,rt,5xx"),
    ]


def test_only_a_numbers_own_identifier_is_put_into_a_path(account: TwilioAccount):
    with pytest.raises(RestError, match="PN"):
        account.point_number("PN/../Calls", WISH)


def test_what_we_sign_is_believed():
    form = {"CallSid": "CA1", "AccountSid": ACCOUNT}

    header = signed(TOKEN, f"{OURS}/voice/status", form)

    assert signature_ok(TOKEN, f"{OURS}/voice/status", form, header)
    assert not signature_ok(TOKEN, f"{OURS}/voice/incoming", form, header)
