"""Three steps of many items at the same time: prepare some, run a batch of others, finish those before."""

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
"""Threads that prepare and finish. The network has all cores already; more of these would only hold more memory."""


def pipelined(
    items: Iterable[Item],
    batch_size: int,
    prepare: Callable[[Item], Prepared],
    run: Callable[[list[Prepared]], Iterable[Answer]],
    finish: Callable[[Item, Prepared, Answer], Result],
) -> Iterator[Result]:
    """What `finish` makes of each item, in their order, while the next batch is being prepared and run.

    Items are taken from the iterable in the caller's thread, when a result is asked for, and at most two batches of
    them are held. `prepare` and `finish` run in a few threads, `run` in one. Whatever a step or the iterable raises
    reaches the caller in place of the first result of its batch. Closing the generator waits for the batch that is
    running, and no thread outlives it.

    Args:
        items: of any number, also endless.
        batch_size: how many prepared items `run` gets at once; the last batch may be smaller.
        prepare: one item's input for `run`.
        run: answers to a batch, as many as it has items, in order.
        finish: one item's result.
    """
    iterator = iter(items)
    waiting: deque[Future[list[Future[Result]]]] = deque()
    with ExitStack() as stack:
        helpers, runner = ThreadPoolExecutor(_HELPERS), ThreadPoolExecutor(1)
        for pool in (runner, helpers):  # left in reverse: without helpers a batch that waits for them is given up
            stack.callback(pool.shutdown, cancel_futures=True)

        def run_batch(batch: list[Item], preparing: list[Future[Prepared]]) -> list[Future[Result]]:
            prepared = [future.result() for future in preparing]
            answers = run(prepared)
            return [helpers.submit(finish, *each) for each in zip(batch, prepared, answers, strict=True)]

        def take() -> None:
            nonlocal iterator
            try:
                batch = list(islice(iterator, batch_size))
            except Exception as error:  # after the results of the batch before, as if nothing had been taken ahead
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
    """What `function` makes of each item, in their order, a few at the same time.

    Items are taken in the caller's thread, when a result is asked for. Whatever the function or the iterable raises
    reaches the caller at its turn, and ends it. Closing the generator waits for what is running, and begins nothing
    more.

    Args:
        function: of one item; called from several threads.
        items: of any number, also endless.
        threads: how many calls run at the same time.
        ahead: how many items are in hand, or their results waiting, beside the one asked for; None: `threads`.
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
            except Exception as error:  # after the results before it, as if nothing had been taken ahead
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
