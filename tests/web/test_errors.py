"""What is shown when something cannot be."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from assistant.errors import PhoneError, StoreBusy
from tests.web.pages import Pages


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    pages = Pages(tmp_path)

    def broken(name: str) -> str:
        if name == "phone":
            raise PhoneError("The telephone company did not answer.")
        if name == "store":
            raise StoreBusy("The database is locked.")
        raise KeyError(f"a bug with {name}")

    pages.app.add_url_rule("/broken/<name>", "broken", broken)
    return pages


def test_an_unknown_address_is_a_page_in_the_usual_frame(pages: Pages):
    answer = pages.owner().get("/no/such/page")

    assert answer.status_code == 404
    assert "Not found" in answer.text
    assert 'href="/static/style.css?v=' in answer.text
    assert "Log out" in answer.text


def test_a_method_that_is_not_taken_says_which_are(pages: Pages):
    answer = pages.owner().get("/logout")

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_more_than_64_kib_is_refused(pages: Pages):
    answer = pages.browser().post("/login", data={"password": "x" * 70_000})

    assert answer.status_code == 413
    assert "Too big" in answer.text


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("phone", 502, "The telephone company did not answer."), ("store", 503, "The database is locked.")],
)
def test_what_failed_outside_is_told_to_the_owner(pages: Pages, name: str, status: int, words: str):
    answer = pages.owner().get(f"/broken/{name}")

    assert answer.status_code == status
    assert words in answer.text


def test_a_bug_is_a_plain_page_and_a_traceback_without_the_address(
    pages: Pages, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO):
        answer = pages.owner().get("/broken/thing?token=secret-in-query")

    assert answer.status_code == 500
    assert answer.content_type.startswith("text/plain")
    assert "KeyError" not in answer.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "/broken/<name>" in record.getMessage()
    assert record.exc_info
    assert "secret-in-query" not in caplog.text


def test_what_is_no_page_is_told_in_a_line_of_text(pages: Pages):
    answer = pages.owner().get("/calls/none/live", headers={"Accept": "text/event-stream"})

    assert (answer.status_code, answer.text) == (404, "Not found\n")
    webhook = pages.browser().post("/voice/unknown")
    assert (webhook.status_code, webhook.text) == (401, "Please log in\n")


def test_a_host_that_is_not_ours_gets_no_page_of_the_owner(pages: Pages):
    answer = pages.owner().get("/", headers={"Host": "evil.example"})

    assert answer.status_code == 400
    assert "Log out" not in answer.text
