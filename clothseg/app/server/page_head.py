"""The head of the page's HTML: our title, sentence and picture for link previews instead of Gradio's, and the script
that keeps a photo given before the page is ready.

Gradio's own option `head` is added by its script, which is too late for both.
"""

import re
from html import escape
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clothseg.app.i18n import tr


PICTURE = Path(__file__).parents[1] / "preview.jpg"
"""The preview picture: 1200 x 630 pixels, the size that sites with link previews expect."""

ADDRESS = "/link-preview.jpg"

EARLY = Path(__file__).parents[1] / "page" / "early.js"
"""The script."""

_TAGS = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*')


class PageHead:
    """ASGI middleware that answers `ADDRESS`, and changes the page's head."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app
        self.script = EARLY.read_text(encoding="utf-8")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and change the head if the answer is the page."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path == ADDRESS:
            return await FileResponse(PICTURE)(scope, receive, send)
        if path not in ("", "/"):
            return await self.app(scope, receive, send)
        begun: list[Message] = []
        body = bytearray()

        async def gather(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            (start,) = begun
            made = bytes(body)
            if Headers(raw=start["headers"]).get("content-type", "").startswith("text/html"):
                made = with_tags(made, _origin(scope), self.script)
                headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
                start = {**start, "headers": [*headers, (b"content-length", str(len(made)).encode())]}
            await send(start)
            await send({"type": "http.response.body", "body": made})

        await self.app(scope, receive, gather)


def with_tags(page: bytes, origin: str, script: str = "") -> bytes:
    """Return the page's HTML with our tags for link previews, and a script that runs first.

    Args:
        page: HTML.
        origin: for example `https://example.org`.
        script: JavaScript.
    """
    title = tr("clothseg: clothes, cut out")
    text = tr("Finds every garment in a photo and cuts it out, at the photo’s full size.")
    values = {
        "og:type": "website",
        "og:title": title,
        "og:description": text,
        "og:url": f"{origin}/",
        "og:image": f"{origin}{ADDRESS}",
        "og:image:width": "1200",
        "og:image:height": "630",
        "twitter:card": "summary_large_image",
    }
    tags = "".join(f'<meta property="{name}" content="{escape(value)}">\n' for name, value in values.items())
    page = _TAGS.sub(b"", page).replace(b"</head>", tags.encode() + b"</head>", 1)
    return page.replace(b"<head>", f"<head><script>{script}</script>".encode(), 1) if script else page


def _origin(scope: Scope) -> str:
    """Return the scheme and host by which the visitor reached the app, also behind a proxy."""
    headers = Headers(scope=scope)
    host = headers.get("x-forwarded-host") or headers.get("host") or "localhost"
    scheme = headers.get("x-forwarded-proto") or scope.get("scheme", "http")
    root = scope.get("root_path", "").rstrip("/")
    return f"{scheme.split(',')[0].strip()}://{host.split(',')[0].strip()}{root}"
