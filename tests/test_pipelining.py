"""Pipelined steps overlap, but keep order, errors and the number of held items of a plain loop over batches."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clothseg.pipelining import in_order, pipelined


def prepare(item: int) -> str:
    time.sleep(0.001 * (item % 3))
    return str(item)


def run(prepared: list[str]) -> list[int]:
    return [10 * int(text) for text in prepared]


def finish(item: int, prepared: str, answer: int) -> tuple[int, str, int]:
    time.sleep(0.001 * (item % 2))
    return item, prepared, answer


def expected(count: int) -> list[tuple[int, str, int]]:
    return [(item, str(item), 10 * item) for item in range(count)]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_results_are_in_order(count: int, batch_size: int) -> None:
    assert list(pipelined(range(count), batch_size, prepare, run, finish)) == expected(count)


def test_all_batches_but_the_last_are_full() -> None:
    sizes: list[int] = []

    def noting(prepared: list[str]) -> list[int]:
        sizes.append(len(prepared))
        return run(prepared)

    list(pipelined(range(8), 3, prepare, noting, finish))
    assert sizes == [3, 3, 2]


def test_next_batch_runs_while_results_are_consumed() -> None:
    second = threading.Event()

    def noting(prepared: list[str]) -> list[int]:
        if "2" in prepared:
            second.set()
        return run(prepared)

    results = pipelined(range(9), 2, prepare, noting, finish)
    next(results)
    assert second.wait(10)
    results.close()


def test_at_most_two_batches_are_held() -> None:
    taken = given = most = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken - 1

    results = pipelined(items(), 4, prepare, run, finish)
    for _ in range(50):
        next(results)
        given += 1
        most = max(most, taken - given)
    assert most == 7  # two batches minus the item just returned
    results.close()


def fail_at(number: int, step: str) -> Callable[..., Any]:
    def failing(*arguments: object) -> object:
        first = arguments[0]
        if str(number) in first if isinstance(first, list) else first == number:
            raise ValueError(f"{step} fails")
        return {"prepare": prepare, "run": run, "finish": finish}[step](*arguments)

    return failing


@pytest.mark.parametrize("step", ["prepare", "run", "finish"])
def test_errors_are_raised_after_earlier_batches(step: str) -> None:
    steps = {"prepare": prepare, "run": run, "finish": finish} | {step: fail_at(5, step)}
    before = threading.active_count()
    results = pipelined(range(100), 2, **steps)
    assert [next(results) for _ in range(4)] == expected(4)
    with pytest.raises(ValueError, match=f"{step} fails"):
        list(results)
    assert threading.active_count() == before


def test_errors_of_the_iterable_are_raised_in_order() -> None:
    def items() -> Iterator[int]:
        yield from range(4)
        raise OSError("the folder is gone")

    results = pipelined(items(), 2, prepare, run, finish)
    assert [next(results) for _ in range(4)] == expected(4)
    with pytest.raises(OSError, match="the folder is gone"):
        next(results)


@pytest.mark.parametrize("given", [0, 1, 5])
def test_closing_early_ends_the_threads(given: int) -> None:
    before = threading.active_count()
    results = pipelined(iter(range(1000)), 3, prepare, run, finish)
    for _ in range(given):
        next(results)
    results.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(("threads", "ahead"), [(1, None), (2, None), (2, 5), (4, 1)])
def test_in_order_limits_items_ahead(threads: int, ahead: int | None) -> None:
    taken = most = running = together = 0
    guard = threading.Lock()

    def items() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken - 1

    def work(item: int) -> int:
        nonlocal running, together
        with guard:
            running += 1
            together = max(together, running)
        time.sleep(0.001 * (item % 3))
        with guard:
            running -= 1
        return item

    results = in_order(work, items(), threads, ahead)
    for given in range(50):
        assert next(results) == given
        most = max(most, taken - given)
    results.close()
    assert most == 1 + (threads if ahead is None else ahead)
    assert together <= threads


def test_in_order_raises_errors_in_order() -> None:
    def items() -> Iterator[int]:
        yield from range(4)
        raise OSError("the folder is gone")

    before = threading.active_count()
    results = in_order(str, items(), 2, 8)
    assert [next(results) for _ in range(4)] == list("0123")
    with pytest.raises(OSError, match="the folder is gone"):
        next(results)
    results = in_order(lambda item: 1 // (item - 2), range(9), 3)
    assert [next(results) for _ in range(2)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert threading.active_count() == before
