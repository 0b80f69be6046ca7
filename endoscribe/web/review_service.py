"""Reports under review: one change at a time, each made on the state that its author saw."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from endoscribe.errors import ReviewError, StorageError
from endoscribe.extraction.claims import Value
from endoscribe.extraction.record import Evidence, Record, UnfiledSentence
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.context import ExamContext, context_pairs, edited_context
from endoscribe.review.edits import Edit, EditKind, FiledCell
from endoscribe.review.versions import (
    Reading,
    Review,
    add_edit,
    context_of,
    current_record,
    is_repeated,
    leave_waiting,
    receive,
    sign,
    take_waiting,
    undo,
    without_broken_signatures,
)
from endoscribe.services import Services
from endoscribe.storage.audit import Action

#: What can be done with a later reading.
CHOICES: dict[str, Callable[[Review], Review]] = {
    "keep_edits": lambda review: take_waiting(review, keep_edits=True),
    "drop_edits": lambda review: take_waiting(review, keep_edits=False),
    "leave": leave_waiting,
}


class RevisionConflictError(ReviewError):
    """The report is not any more what the author of a change has seen."""


class ReviewService:
    """Reads, changes and keeps reviews; a change and its note in the audit trail are one transaction."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sessions = services.sessions

    def review(self, session_id: str) -> Review:
        """Raises StorageError when there is no report yet."""
        found = self.find(session_id)
        if found is None:
            raise StorageError("There is no report for this session yet; press Submit first.")
        return found

    def find(self, session_id: str) -> Review | None:
        """The review, its signatures held against what is stored; None when there is no report.

        A record that was kept before there were reviews gets one.
        """
        sessions = self._services.sessions
        if found := sessions.review(session_id):
            return without_broken_signatures(found)
        record = sessions.record(session_id)
        return receive(None, Reading(record), sessions.context(session_id)) if record else None

    def context(self, session_id: str) -> ExamContext:
        """What is known of the examination, before and after there is a report."""
        review = self.find(session_id)
        return context_of(review.latest) if review else self._sessions.context(session_id)

    def give_context(self, session_id: str, values: Mapping[str, str | None]) -> ExamContext:
        """Take in what a program knows: before there is a report for its first version, afterwards as an edit."""
        pairs = context_pairs(tuple(f"{name}={value or ''}" for name, value in values.items()))
        with self._sessions.exclusive(session_id) as session:
            before = self.context(session_id)
            after = edited_context(before, pairs)
            if after == before:
                return after
            self._sessions.audit.note("edited", session_id, session.owner, kind="context", target="context")
            review = self.find(session_id)
            if review is None:
                self._sessions.save_context(session_id, after)
            else:
                change = edit_now("context", "context", None, list(pairs))
                self._save(session_id, add_edit(review, change, self.schema(review)))
        return after

    def note(self, action: Action, session_id: str, **detail: str | int | None) -> None:
        """Write into the audit trail what somebody did with their session without changing it."""
        session = self._sessions.get(session_id)
        self._sessions.audit.note(action, session_id, session.owner, **detail)

    def schema(self, review: Review) -> ProcedureSchema:
        return self._services.schemas.get(review.latest.reading.record.procedure)

    def record(self, review: Review) -> Record:
        """The record of the latest version, as it is now."""
        return current_record(review.latest, self.schema(review))

    def receive(self, session_id: str, reading: Reading) -> Review:
        """Keep a new reading; it waits where somebody has edited or signed the one before."""
        with self._sessions.exclusive(session_id):
            review = receive(self.find(session_id), reading, self._sessions.context(session_id))
            self._save(session_id, review)
        return review

    def add_edit(self, session_id: str, revision: str, change: Edit) -> Review:
        """Make an edit; one that is sent once more because its answer was lost is made and noted once."""
        try:
            with self._sessions.exclusive(session_id) as session:
                self._sessions.audit.note(
                    "edited", session_id, session.owner, kind=change.kind, target=change.target, row=change.row
                )
                return self._change(session_id, revision, lambda review: add_edit(review, change, self.schema(review)))
        except RevisionConflictError:
            review = self.review(session_id)
            if not is_repeated(review, revision, change, self.schema(review)):
                raise
            return review

    def undo(self, session_id: str, revision: str) -> Review:
        with self._sessions.exclusive(session_id) as session:
            self._sessions.audit.note("undone", session_id, session.owner)
            return self._change(session_id, revision, undo)

    def sign(self, session_id: str, revision: str, name: str) -> Review:
        now = datetime.now(UTC)
        with self._sessions.exclusive(session_id) as session:
            signed = self._change(session_id, revision, lambda review: sign(review, name, now, self.schema(review)))
            signature = signed.latest.signature
            self._sessions.audit.note(
                "signed",
                session_id,
                session.owner,
                version=signed.latest.number,
                digest=signature.sha256 if signature else None,
            )
        return signed

    def decide(self, session_id: str, revision: str, choice: str) -> Review:
        if choice not in CHOICES:
            raise ReviewError("There is no such choice.")
        with self._sessions.exclusive(session_id) as session:
            self._sessions.audit.note("decided", session_id, session.owner, choice=choice)
            return self._change(session_id, revision, CHOICES[choice])

    def _change(self, session_id: str, revision: str, change: Callable[[Review], Review]) -> Review:
        """Raises ReviewError for what cannot be, ChangedMeanwhileError when another tab was first."""
        with self._sessions.exclusive(session_id):
            review = self.review(session_id)
            if review.revision != revision:
                raise RevisionConflictError("This report was changed in another window; here it is as it is now.")
            changed = change(review)
            self._save(session_id, changed)
        return changed

    def _save(self, session_id: str, review: Review) -> None:
        """A session is of the procedure of the report that it shows, not of a reading that waits."""
        self._sessions.set_procedure(session_id, review.latest.reading.record.procedure)
        self._services.sessions.save_review(session_id, review, len(self.record(review).gaps))


Entered = str | bool | list[str] | None


def edit_now(kind: EditKind, target: str, row: int | None, value: Entered) -> Edit:
    """An edit made now."""
    return Edit(kind, target, datetime.now(UTC), row, _value(value))


def filing_now(
    kind: EditKind, target: str, row: int | None, said: UnfiledSentence, filed: Sequence[tuple[str, Entered]]
) -> Edit:
    """A decision on a sentence, made now."""
    evidence = Evidence(said.text, said.start, said.end, said.start_s, said.end_s)
    cells = tuple(FiledCell(name, value) for name, entered in filed if (value := _value(entered)) is not None)
    return Edit(kind, target, datetime.now(UTC), row, None, evidence, cells)


def _value(entered: Entered) -> Value | None:
    return tuple(entered) if isinstance(entered, list) else entered
