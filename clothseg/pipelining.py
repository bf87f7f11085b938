"""Pipelining: prepare some items, run a batch of others and finish earlier ones at the same time."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from typing import TypeVar


Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Answer = TypeVar("Answer")
Result = TypeVar("Result")

_HELPERS = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Threads that prepare and finish. The network already uses all cores; more threads would only use more memory."""


def pipelined(
    items: Iterable[Item],
    batch_size: int,
    prepare: Callable[[Item], Prepared],
    run: Callable[[list[Prepared]], Iterable[Answer]],
    finish: Callable[[Item, Prepared, Answer], Result],
) -> Iterator[Result]:
    """Yield the result of `finish` for each item, in order, while the next batch is prepared and run.

    Items are taken from the iterable in the caller's thread, when a result is requested, and at most two batches of
    them are held. `prepare` and `finish` run in a few threads, `run` in one. An error of a step or of the iterable is
    raised in place of the first result of its batch. Closing the generator waits for the running batch, and all
    threads end.

    Args:
        items: any number of items, also endless.
        batch_size: number of prepared items that `run` gets at once; the last batch may be smaller.
        prepare: returns one item's input for `run`.
        run: returns the answers to a batch, one for each item, in order.
        finish: returns one item's result.
    """
    iterator = iter(items)
    waiting: deque[Future[list[Future[Result]]]] = deque()
    with ExitStack() as stack:
        helpers, runner = ThreadPoolExecutor(_HELPERS), ThreadPoolExecutor(1)
        # Exited in reverse order: once the helpers are gone, a waiting batch is cancelled.
        for pool in (runner, helpers):
            stack.callback(pool.shutdown, cancel_futures=True)

        def run_batch(batch: list[Item], preparing: list[Future[Prepared]]) -> list[Future[Result]]:
            prepared = [future.result() for future in preparing]
            answers = run(prepared)
            return [helpers.submit(finish, *each) for each in zip(batch, prepared, answers, strict=True)]

        def take() -> None:
            nonlocal iterator
            try:
                batch = list(islice(iterator, batch_size))
            except Exception as error:  # raised after the results of the batch before
                iterator = iter(())
                failed: Future[list[Future[Result]]] = Future()
                failed.set_exception(error)
                waiting.append(failed)
                return
            if batch:
                preparing = [helpers.submit(prepare, item) for item in batch]
                waiting.append(runner.submit(run_batch, batch, preparing))

        take()
        while waiting:
            take()
            for result in waiting.popleft().result():
                yield result.result()


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int | None = None
) -> Generator[Result]:
    """Yield the result of `function` for each item, in order, with a few calls at the same time.

    Items are taken in the caller's thread, when a result is requested. An error of the function or the iterable is
    raised at its turn and ends the generator. Closing the generator waits for running calls and starts no new ones.

    Args:
        function: of one item; called from several threads.
        items: any number of items, also endless.
        threads: number of calls at the same time.
        ahead: number of items in progress or finished besides the requested one; None means `threads`.
    """
    iterator = iter(items)
    waiting: deque[Future[Result]] = deque()
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(threads)
        stack.callback(pool.shutdown, cancel_futures=True)

        def take() -> bool:
            nonlocal iterator
            try:
                waiting.append(pool.submit(function, next(iterator)))
            except StopIteration:
                return False
            except Exception as error:  # raised after the results before it
                iterator = iter(())
                failed: Future[Result] = Future()
                failed.set_exception(error)
                waiting.append(failed)
            return True

        while True:
            while len(waiting) <= (threads if ahead is None else ahead) and take():
                pass
            if not waiting:
                return
            yield waiting.popleft().result()
