"""Whose session may be seen: the one place that decides. Somebody else's session is answered as one that never was."""

from fastapi import Request
from starlette.requests import HTTPConnection

from endoscribe.auth.modes import AuthMode, Demo, NoAuth
from endoscribe.errors import UnknownSessionError
from endoscribe.storage.sessions import Session, SessionStore


class Access:
    """Checks each requested session against the user of the request."""

    def __init__(self, sessions: SessionStore, mode: AuthMode) -> None:
        self._sessions = sessions
        self._mode = mode

    def owner(self, request: HTTPConnection) -> str | None:
        """The authenticated user; None where nobody signs in, and then no sessions are hidden."""
        return self.checked(request.scope["state"]["user"])

    def name(self, request: HTTPConnection) -> str | None:
        """The user's name on the page; a demo visitor has none."""
        return None if isinstance(self._mode, Demo) else self.owner(request)

    def checked(self, owner: str | None) -> str | None:
        """The same owner; None is refused where people have to sign in."""
        if owner is None and not isinstance(self._mode, NoAuth):
            raise UnknownSessionError("There is no such session; it may have been deleted.")
        return owner

    def session(self, owner: str | None, session_id: str) -> Session:
        """Somebody's session; raises UnknownSessionError for what is not theirs, just as for what is not there."""
        session = self._sessions.get(session_id)
        if not self.is_own(owner, session):
            raise UnknownSessionError("There is no such session; it may have been deleted.")
        return session

    def is_own(self, owner: str | None, session: Session) -> bool:
        return self.checked(owner) is None or session.owner == owner

    @property
    def takes_context(self) -> bool:
        """Whether a report may be headed by a patient's name: not where anybody may try the page."""
        return not isinstance(self._mode, Demo)

    def signer(self, session_id: str) -> str | None:
        """Who signs a session's report, where that is known: its owner, who alone can see it."""
        owner = self._sessions.get(session_id).owner
        return None if isinstance(self._mode, NoAuth | Demo) else owner

    def own_session(self, request: Request) -> None:
        """As a dependency of routes with a `session_id`: the others never see one that is not the user's."""
        self.session(self.owner(request), request.path_params["session_id"])
