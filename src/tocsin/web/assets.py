"""The style sheet, the script and the icons: read once, served from memory under an address that changes with them."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    "tocsin.css": "text/css; charset=utf-8",
    "tocsin.js": "text/javascript; charset=utf-8",
    "bell.svg": "image/svg+xml",
    "bell-alarm.svg": "image/svg+xml",
}


class Assets:
    def __init__(self) -> None:
        folder = files(__package__).joinpath("static")
        self._bodies = {name: folder.joinpath(name).read_bytes() for name in TYPES}
        self._tags = {name: sha256(body).hexdigest()[:12] for name, body in self._bodies.items()}

    def url(self, name: str) -> str:
        return f"/static/{name}?{self._tags[name]}"

    async def serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._bodies:
            raise HTTPException(404, "There is no such file.")
        is_current = request.url.query == self._tags[name]
        keep = "public, max-age=31536000, immutable" if is_current else "no-cache"
        return Response(self._bodies[name], media_type=TYPES[name], headers={"cache-control": keep})
