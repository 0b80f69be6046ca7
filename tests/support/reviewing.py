"""A finished dictation of the scripted text, and what the page asks of its report."""

from typing import Any

import numpy as np

from endoscribe.web.job import report
from tests.support.scripted import Server, transcript_of

AUDIO_S = 6


def finished(server: Server) -> str:
    sessions = server.services.sessions
    made = sessions.create("col", 16_000)
    audio = sessions.open_audio(made.id)
    audio.append(np.zeros(AUDIO_S * 16_000, "<i2").tobytes())
    audio.sync()
    audio.close()
    sessions.save_transcript(made.id, transcript_of(AUDIO_S * 16_000))
    report(server.services, server.reviews, made.id, "col")
    return made.id


def change(server: Server, session: str, path: str, **body: object) -> Any:
    revision = server.reviews.review(session).revision
    return server.client.post(f"/sessions/{session}/{path}", json={"revision": revision, **body})


def closeups(server: Server, session: str) -> Any:
    return server.client.get(f"/sessions/{session}/closeups").json()
