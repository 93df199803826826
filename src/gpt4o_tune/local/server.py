"""`LocalServer`: the local fine-tuning service in a thread of the calling process."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
import weakref
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gpt4o_tune.local.app import build_app
from gpt4o_tune.local.auth import (
    is_loopback,
    require_safe_host,
    stored_key,
    stored_webhook_secret,
)
from gpt4o_tune.local.batches.turns import BatchTurns
from gpt4o_tune.local.front_page.serving import page_link
from gpt4o_tune.local.http_thread import HttpThread, listen
from gpt4o_tune.local.process_lock import locked
from gpt4o_tune.local.scheduler import Scheduler
from gpt4o_tune.local.store import Store
from gpt4o_tune.local.webhooks import WebhookSender, require_address, signing_key

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Sequence

    from gpt4o_tune.providers import Provider

logger = logging.getLogger("gpt4o_tune.local")


class LocalServer:
    """A fine-tuning service on this machine that speaks OpenAI's REST API and really trains.

    What trains is a small stand-in model, not GPT-4o: the losses, checkpoints and files are real, the
    quality is the stand-in's own. Everything is kept below one folder; a server started again on the
    same folder knows its files, jobs and models, and continues jobs that were cut off.

    Example:
        >>> with LocalServer() as server:
        ...     job = FineTuneJob.create(train, provider=server.provider)

    Args:
        data_dir: Where everything is kept; None for a temporary folder that goes when the server stops.
        port: TCP port; 0 lets the system choose a free one.
        host: Address to listen on.
        api_key: The key that clients must send; None for a random one, kept in `data_dir`.
        slots: How many jobs train at the same time; the others wait in the queue.
        moderation: Fail jobs whose training file has rows that the moderation stand-in flags.
        webhooks: Addresses that are told, by a signed request, that a job or a batch has ended.
        webhook_secret: What signs; None for a random one, kept in `data_dir`.
        allow_python_graders: Let the graders of clients run Python source on this machine.

    Raises:
        ValueError: `host` is reachable from other machines and no `api_key` was given, or webhooks
            cannot be sent to an address or signed with the secret.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        api_key: str | None = None,
        slots: int = 1,
        moderation: bool = False,
        webhooks: Sequence[str] = (),
        webhook_secret: str | None = None,
        allow_python_graders: bool = False,
    ) -> None:
        require_safe_host(host, api_key=api_key)
        for url in webhooks:
            require_address(url)
        if webhook_secret is not None:
            signing_key(webhook_secret)
        self._settings = _Settings(
            data_dir=None if data_dir is None else Path(data_dir).absolute(),
            host=host,
            port=port,
            api_key=api_key,
            slots=slots,
            moderation=moderation,
            webhooks=tuple(webhooks),
            webhook_secret=webhook_secret,
            allow_python_graders=allow_python_graders,
        )
        self._running: _Running | None = None

    def start(self) -> Self:
        """Start serving, unless it already does; returns once requests are answered.

        Raises:
            OSError: The port is taken, or the data folder cannot be written to or is used by another
                server.
        """
        if self._running is None:
            self._running = _Running(self._settings)
        return self

    def stop(self) -> None:
        """Stop serving and training; open jobs continue when a server starts on the same folder."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        where = f"base_url={self.base_url!r}" if self._running else "not started"
        return f"{type(self).__name__}({where})"

    @property
    def base_url(self) -> str:
        """Address for clients; ends in `/v1`."""
        return f"http://{_in_url(self._settings.host)}:{self._started.port}/v1"

    @property
    def api_key(self) -> str:
        """The key that clients send."""
        return self._started.api_key

    @property
    def webhook_secret(self) -> str:
        """The secret by which receivers verify webhooks."""
        return self._started.webhook_secret

    @property
    def page_url(self) -> str:
        """Address of the page for people; it holds the key, behind a `#` that is never sent."""
        return page_link(self.base_url, api_key=self.api_key)

    @property
    def data_dir(self) -> Path:
        """The folder that holds everything."""
        return self._started.data_dir

    @property
    def provider(self) -> Provider:
        """The value that `provider=` takes everywhere in this library."""
        from gpt4o_tune.providers import Provider

        return Provider.local(base_url=self.base_url, api_key=self.api_key)

    @property
    def _started(self) -> _Running:
        if self._running is None:
            raise RuntimeError("the local server is not running; use it in a with block or start()")
        return self._running


@dataclass(frozen=True, kw_only=True, slots=True)
class _Settings:
    """What a server was asked to be; see `LocalServer`."""

    data_dir: Path | None
    host: str
    port: int
    api_key: str | None
    slots: int
    moderation: bool
    webhooks: tuple[str, ...]
    webhook_secret: str | None
    allow_python_graders: bool


class _Running:
    """All that a running server holds; `close` gives it back in reverse order."""

    def __init__(self, settings: _Settings) -> None:
        host = settings.host
        if not is_loopback(host):
            logger.warning("the local server listens on %s: other machines can reach it", host)
        with ExitStack() as stack:
            self.data_dir = settings.data_dir or _temporary_folder(stack)
            with _explained(self.data_dir):
                self.data_dir.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_only_server(self.data_dir))
                self.api_key = settings.api_key or stored_key(self.data_dir)
                self.webhook_secret = settings.webhook_secret or stored_webhook_secret(
                    self.data_dir
                )
                store = Store(self.data_dir)
                stack.callback(store.close)
                store.sweep()
            listener = stack.enter_context(listen(host, settings.port))
            self.port: int = listener.getsockname()[1]
            sender = WebhookSender(store, settings.webhooks, secret=self.webhook_secret)
            sender.start()
            stack.callback(sender.stop)
            scheduler = Scheduler(store, slots=settings.slots, is_screened=settings.moderation)
            scheduler.start()
            stack.callback(scheduler.stop)
            batches = BatchTurns(store)
            batches.start()
            stack.callback(batches.stop)
            app = build_app(
                store,
                api_key=self.api_key,
                wake=scheduler.wake,
                wake_batches=batches.wake,
                host=host,
                slots=settings.slots,
                allow_python_graders=settings.allow_python_graders,
            )
            http = HttpThread(app, listener)
            http.start()
            stack.callback(http.stop)
            self._stack = stack.pop_all()
        # Where nobody calls close, the workers and the temporary folder still go at exit.
        self._finalizer = weakref.finalize(self, self._stack.close)

    def close(self) -> None:
        self._finalizer()


def _temporary_folder(stack: ExitStack) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gpt4o-tune-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def _only_server(data_dir: Path) -> Generator[None]:
    try:
        with locked(data_dir / "server.lock", is_waiting=False):
            yield
    except BlockingIOError as error:
        raise OSError(f"another local server already uses the folder {str(data_dir)!r}") from error


@contextmanager
def _explained(data_dir: Path) -> Generator[None]:
    """Say of a data folder that cannot be used what is to be done about it."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise OSError(f"cannot use the data folder {str(data_dir)!r}: {error}") from error
    except OSError as error:
        if error.errno is None:  # It was raised here and says it already.
            raise
        raise OSError(
            error.errno,
            f"cannot use the data folder {str(data_dir)!r}: {error.strerror}. Choose a folder that "
            "can be written to, on a disk with room",
        ) from error


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
