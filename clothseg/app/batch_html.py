"""HTML of the Batch tab: steps, progress, matches and problems. Pure functions that return strings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from clothseg.app.html import search_notes
from clothseg.app.i18n import tr
from clothseg.app.messages import localized
from clothseg.batch.to_zip import Progress


_MOST_LISTED = 20
"""Largest number of skipped photos, and of photos with a match, that the page lists; the table lists all."""


def batch_start(message: str = "") -> str:
    """Return the steps of a batch, shown before it starts; `message` is about the previous batch."""
    status = f'<p role="status">{escape(message)}</p>' if message else ""
    return f"""<h2>{tr("How it works")}</h2>{status}<ol class="steps"><li>{tr("Add photos or ZIPs of photos.")}</li>
<li>{tr("Start. If you cancel, you can still download the photos done so far.")}</li>
<li>{tr("Download the ZIP: a folder for each kind of file, and <code>results.csv</code>.")}</li></ol>"""


def time_left(progress: Progress, seconds: float) -> str:
    """Return the time left as text, such as "about 2 min left"; empty before the first photo and at the end.

    Args:
        progress: of the batch.
        seconds: since the batch started.
    """
    if not 0 < progress.done < progress.total:
        return ""
    left = seconds * (progress.total - progress.done) / progress.done
    if left < 10:
        return tr("a few seconds left")
    if left < 90:
        return tr("about {seconds} s left", seconds=f"{round(left, -1):.0f}")
    minutes = round(left / 60)
    if minutes < 60:
        return tr("about {minutes} min left", minutes=minutes)
    return tr("about {hours} h {minutes} min left", hours=minutes // 60, minutes=minutes % 60)


@dataclass
class BatchSearch:
    """The search of a batch.

    Attributes:
        notes: sentences about words that were not understood (`Query.notes`).
        matches: photos in which it found something, with the number of items and the parts of the search that it did
            not find.
    """

    notes: Sequence[str]
    matches: list[tuple[str, int, Sequence[str]]] = field(default_factory=list)


def batch_progress(progress: Progress, left: str, problems: Sequence[str], search: BatchSearch | None = None) -> str:
    """Return the progress of a running batch: photos done, time left, and problems and matches so far."""
    if not progress.total:
        return f'<h2>{tr("Waiting in the queue")}</h2><p role="status">{tr("Reading the files…")}</p>'
    title = tr("{done} of {total} photos", done=progress.done, total=progress.total)
    return (
        f'<h2>{title}</h2><progress max="{progress.total}" value="{progress.done}" aria-label="{title}"></progress>'
        f'<p role="status">{escape(left) or "&nbsp;"}</p>{_matches(search, progress.done)}{_problems(problems)}'
    )


def batch_end(progress: Progress, problems: Sequence[str], seconds: float, search: BatchSearch | None = None) -> str:
    """Return the summary of a batch that ended or was cancelled."""
    done, total = progress.done - len(problems), progress.total
    if done < total:
        title = tr("{done} of {total} photos done", done=done, total=total)
    else:
        title = tr("1 photo done") if total == 1 else tr("{total} photos done", total=total)
    took = tr("Time: {seconds} s", seconds=max(1, round(seconds)))
    if progress.done < total:
        took = tr("Cancelled. The ZIP holds the photos done so far.")
    return f'<h2>{title}</h2><p role="status">{took}</p>{_matches(search, progress.done)}{_problems(problems)}'


def batch_problem(message: str) -> str:
    """Return the message shown when a batch cannot run."""
    return f'<h2>{tr("This does not work")}</h2><p role="alert">{escape(message)}</p>'


def _problems(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    return f'<div class="problems"><h3>{tr("Skipped photos")}</h3>{_listed(list(map(localized, problems)))}</div>'


def _matches(search: BatchSearch | None, done: int) -> str:
    """Return the photos in which a search found something, among those done."""
    if search is None:
        return ""
    notes = search_notes([localized(note) for note in search.notes]) if search.notes else ""
    title = tr("Found in {count} of {done} photos", count=len(search.matches), done=done)
    listed = [_match(*match) for match in search.matches]
    return f'{notes}<div class="matches"><h3>{title}</h3>{_listed(listed)}</div>'


def _match(photo: str, count: int, missing: Sequence[str]) -> str:
    if not missing:
        return (
            tr("{photo}: 1 item", photo=photo)
            if count == 1
            else tr("{photo}: {count} items", photo=photo, count=count)
        )
    words = ", ".join(tr("“{word}”", word=word) for word in missing)
    if count == 1:
        return tr("{photo}: 1 item; not found: {words}", photo=photo, words=words)
    return tr("{photo}: {count} items; not found: {words}", photo=photo, count=count, words=words)


def _listed(texts: Sequence[str]) -> str:
    """Return a list of the first of these texts."""
    lines = "".join(f"<li>{escape(text)}</li>" for text in texts[:_MOST_LISTED])
    more = len(texts) - _MOST_LISTED
    rest = f"<li>{tr('… and {number} more, in results.csv', number=more)}</li>" if more > 0 else ""
    return f"<ul>{lines}{rest}</ul>" if texts else ""
