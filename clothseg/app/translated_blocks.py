"""Gradio's Blocks with languages, and with support for calls written for an older version of the app."""

from typing import Any

import gradio as gr
from starlette.datastructures import Headers, QueryParams
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from clothseg.app.i18n import current, preferred, resolve, use_language
from clothseg.app.server.lazy_files import LazyFiles
from clothseg.app.server.page_head import PageHead


class Page(gr.Blocks):
    """Blocks that are built once, while the language is `deferred`, and shown to each visitor in their language.

    Endpoints also accept calls that lack their last parameters, written before these existed.
    """

    @property
    def config(self) -> Any:
        """The configuration sent to a browser; Gradio reads it while answering that browser's request."""
        language, (written, said) = current(), self._config
        if language not in said:
            said[language] = resolve(written)
        return said[language]

    @config.setter
    def config(self, config: Any) -> None:
        self._config: tuple[Any, dict[str, Any]] = config, {}  # as built, and its translations by language

    def launch(self, *args: Any, app_kwargs: dict[str, Any] | None = None, **options: Any) -> Any:
        """Launch with middleware that detects the language of requests."""
        of_server = dict(app_kwargs or {})
        # The given limits come first.
        given = of_server.get("middleware", [])
        of_server["middleware"] = [Middleware(Listener), Middleware(PageHead), *given, Middleware(LazyFiles)]
        return super().launch(*args, app_kwargs=of_server, **options)

    async def process_api(self, *args: Any, **kwargs: Any) -> Any:
        """Answer in the request's language; events run in the queue's own tasks, which have no language."""
        request = kwargs.get("request")
        one = request[0] if isinstance(request, list) else request
        with use_language(current() if one is None else preferred(one.query_params, one.headers)):
            answer = await super().process_api(*args, **kwargs)
            return answer | {"data": resolve(answer["data"])}  # changed components may send their labels again

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Fill in missing parameters of a call with their default values."""
        missing = [getattr(block, "value", None) for block in block_fn.inputs[len(inputs) :]]
        return await super().preprocess_data(block_fn, [*inputs, *missing], *args, **kwargs)


class Listener:
    """ASGI middleware that answers requests in the requested language."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        with use_language(preferred(QueryParams(scope["query_string"]), Headers(scope=scope))):
            await self.app(scope, receive, send)
