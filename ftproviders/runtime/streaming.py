"""An answer that is read piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Self

from typing_extensions import override

from ftproviders.errors import FineTuneError, ProviderError
from ftproviders.provider import HostingAdapter
from ftproviders.runtime.session import Session
from ftproviders.schema.deployment import ChatReply

__all__ = ["ChatStream"]

_Pieces = Generator[str, None, ChatReply]


class ChatStream(Iterator[str]):
    """Pieces of text as the model says them; `reply` is the whole answer.

    Whoever stops reading early calls `close`, or uses it as a context manager. An answer that
    breaks off raises; what had come is `text`, and ``received`` of the error.

    Args:
        session: Retries and translated errors.
        host: Whose answer it is.
        start: Sends the question; called again only as long as nothing was surely carried out.
        retry: Which errors of the first piece to try again after.
    """

    def __init__(
        self,
        session: Session,
        host: HostingAdapter,
        start: Callable[[], _Pieces],
        *,
        retry: Callable[[FineTuneError], bool],
    ) -> None:
        self._host = host
        self._start = start
        self._pieces: _Pieces | None = None
        self._reply: ChatReply | None = None
        self._texts: list[str] = []
        # At once, so that a refusal is told here and not where the answer is read.
        self._first = session.call(host, "chat", self._begin, retry=retry)

    @property
    def text(self) -> str:
        """What has been read so far."""
        return "".join(self._texts)

    @property
    def reply(self) -> ChatReply:
        """The whole answer; what is not read yet is read first.

        Raises:
            ProviderError: It broke off, or was closed before its end.
        """
        for _ in self:
            pass
        if self._reply is None:
            raise ProviderError(
                "The answer was not read to its end.",
                provider=self._host.info.name,
                operation="chat",
                hint="Ask again, and read every piece.",
            )
        return self._reply

    @override
    def __iter__(self) -> Self:
        return self

    @override
    def __next__(self) -> str:
        piece, self._first = self._first, None
        if piece is None:
            piece = self._next()
        if piece is None:
            raise StopIteration
        self._texts.append(piece)
        return piece

    def close(self) -> None:
        """Stop reading and let the connection go; may be called again."""
        if self._pieces is not None:
            self._pieces.close()
            self._pieces = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self) -> str | None:
        self._pieces = self._start()
        return self._advance()

    def _next(self) -> str | None:
        try:
            return self._advance()
        # Whatever an SDK raises between two pieces is translated, and told what came before.
        except Exception as error:
            ours = self._host.translate(error, operation="chat")
            if isinstance(ours, ProviderError):
                ours.received = self.text
            if ours is error:
                raise
            raise ours from error

    def _advance(self) -> str | None:
        """Return the next piece; None at the end, when the whole answer is there."""
        if self._pieces is None:
            return None
        try:
            return next(self._pieces)
        except StopIteration as end:
            self._reply, self._pieces = end.value, None
            return None
        except BaseException:
            self._pieces = None
            raise
