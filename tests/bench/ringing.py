"""How a call gets to its media stream: the telephone company's webhooks, signed, over one-request sockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
from urllib.parse import urlencode, urlsplit

ACCOUNT, TOKEN = "AC" + "be2c4" * 6 + "00", "a-token-of-the-bench-alone"
OWNER_PHONE, TWILIO_NUMBER = "+12025550101", "+12025550100"


def signature(url: str, fields: dict[str, str] | None = None) -> str:
    """What stands in X-Twilio-Signature."""
    text = url + "".join(name + value for name, value in sorted((fields or {}).items()))
    return base64.b64encode(hmac.digest(TOKEN.encode(), text.encode(), hashlib.sha1)).decode()


def call_sid(number: int) -> str:
    return f"CA{number:032x}"


async def webhook(base_url: str, path: str, number: int, **fields: str) -> str:
    """One webhook about call `number`. Returns the document it is answered."""
    whole = {
        "CallSid": call_sid(number),
        "AccountSid": ACCOUNT,
        "From": f"+1202666{number % 10_000:04d}",
        "To": TWILIO_NUMBER,
        "CallStatus": "ringing",
        "Direction": "inbound",
        **fields,
    }
    url = base_url + path
    headers = {
        "X-Twilio-Signature": signature(url, whole),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    status, text = await request("POST", url, headers, urlencode(whole).encode())
    if status not in (200, 204):
        raise ConnectionError(f"{path} was answered {status}")
    return text


async def request(
    method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, str]:
    """Status and text of one request on this machine. Raises OSError."""
    split = urlsplit(url)
    reader, writer = await asyncio.open_connection(split.hostname, split.port)
    try:
        whole = {**(headers or {}), "Host": split.netloc, "Connection": "close"}
        lines = [f"{method} {split.path} HTTP/1.1", *(f"{name}: {value}" for name, value in whole.items())]
        length = f"Content-Length: {len(body)}"
        writer.write("\r\n".join([*lines, length, "", ""]).encode() + body)
        answer = await reader.read()
    finally:
        writer.close()
    head, _, text = answer.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    if found is None:
        raise ConnectionError("no answer")
    return int(found[1]), text.decode()


def token_in(document: str) -> str:
    """The one-time token of a document that connects the stream."""
    found = re.search(r'<Parameter name="token" value="([^"]+)"', document)
    if found is None:
        raise ConnectionError(f"not the assistant: {document[:200]}")
    return found[1]
