"""Styles, scripts and icons: sent small, and fetched once.

An address names what it leads to: `style.css?v=<hash>`, or a vendored file with its version in its name.
So a browser may keep it for a year and never ask again, and a new release is seen at once. Text is
compressed once for each file, not for each request: the server has better things to do while calls go on.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, current_app, request
from werkzeug.security import safe_join

TEXT = frozenset({".css", ".js", ".svg", ".webmanifest", ".json"})
TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}
NAMED_BY_VERSION = "vendor/"  # these files have their version in their name
FOR_A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. packed: the same, compressed; None where that is not smaller."""

    version: str
    mimetype: str
    payload: bytes
    packed: bytes | None


class Assets:
    """The files of the static folder, each read and compressed once; one that has changed, again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, tuple[tuple[int, int], Asset]] = {}

    def get(self, filename: str) -> Asset | None:
        """The file of that name; None when there is none, or when it is not in the folder."""
        path = safe_join(str(self._folder), filename)
        if path is None or not (file := Path(path)).is_file():
            return None
        stat = file.stat()
        state = (stat.st_mtime_ns, stat.st_size)
        kept = self._kept.get(path)  # not by the name asked for: `./x.css` and `y/../x.css` are one file
        if kept is None or kept[0] != state:
            kept = self._kept[path] = (state, _read(file))
        return kept[1]


def _read(file: Path) -> Asset:
    payload = file.read_bytes()
    packed = gzip.compress(payload, 9, mtime=0) if file.suffix in TEXT else payload
    kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "text/plain"
    version = hashlib.sha256(payload).hexdigest()[:12]
    return Asset(version, kind, payload, packed if len(packed) < len(payload) else None)


def register(app: Flask) -> None:
    """Take over the app's `static` route, and have `url_for("static", …)` name the version."""
    assets = Assets(Path(app.static_folder or "static"))
    app.extensions["afterbeep_assets"] = assets
    app.view_functions["static"] = static
    app.url_defaults(_name_version)


def static(filename: str) -> Response:
    """One file."""
    asset = _assets().get(filename)
    if asset is None:
        abort(404)
    packed = asset.packed if request.accept_encodings["gzip"] > 0 else None
    response = Response(packed or asset.payload, mimetype=asset.mimetype)
    response.set_etag(asset.version + ("-gz" if packed else ""))
    response.headers["Cache-Control"] = FOR_A_YEAR if _says_version(filename, asset) else "no-cache"
    if asset.packed:
        response.vary.add("Accept-Encoding")
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.make_conditional(request.environ)
    return response


def _says_version(filename: str, asset: Asset) -> bool:
    return filename.startswith(NAMED_BY_VERSION) or request.args.get("v") == asset.version


def _name_version(endpoint: str, values: dict[str, Any]) -> None:
    filename = str(values.get("filename", ""))
    if endpoint == "static" and not filename.startswith(NAMED_BY_VERSION):
        asset = _assets().get(filename)
        if asset is not None:
            values.setdefault("v", asset.version)


def _assets() -> Assets:
    assets: Assets = current_app.extensions["afterbeep_assets"]
    return assets
