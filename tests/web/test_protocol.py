"""The microphone's protocol from the browser's side: whatever goes wrong on the way, each sample is stored once."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from endoscribe.errors import EngineError, StorageError
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.transcript import LiveTranscript, Transcript
from endoscribe.web.job import report, transcribe
from endoscribe.web.microphone.protocol import Frame, FrameError, decode_frames
from endoscribe.web.page.actions import Actions
from tests.support.patience import wait_until
from tests.support.protocol import PCM, RATE, SAMPLES, Message, Socket, connect, even_frames, odd_frames, record
from tests.support.scripted import ScriptedScheduler, ScriptedSession, Server, transcript_of


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, ScriptedScheduler()) as server:
        yield server


def shuffled(frames: list[Frame], seed: int) -> list[Frame]:
    """Frames as a bad network delivers them: blocks out of order, many twice, some late."""
    random = Random(seed)
    blocks = [frames[start : start + 6] for start in range(0, len(frames), 6)]
    delivered: list[Frame] = []
    for block in blocks:
        doubled = block + random.sample(block, len(block) // 2)
        random.shuffle(doubled)
        delivered += doubled
    return delivered + random.sample(frames, len(frames) // 3)


@pytest.mark.parametrize(
    "frames",
    [
        even_frames(),
        odd_frames(1),
        odd_frames(2),
        shuffled(even_frames(), 3),
        shuffled(odd_frames(4), 4),
        even_frames() * 2,
    ],
    ids=["in order", "odd sizes", "other odd sizes", "shuffled", "odd and shuffled", "all twice"],
)
def test_every_sample_is_stored_and_heard_once_in_order(server: Server, frames: list[Frame]) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*frames)
        ack = socket.until_safe(SAMPLES)
        assert ack["sequence"] == max(frame.sequence for frame in frames)
        assert server.stored(session) == PCM
        heard = server.scheduler.sessions[0].samples  # type: ignore[union-attr]
        assert np.round(heard * 32768).astype("<i2").tobytes() == PCM


def test_nothing_is_acknowledged_before_a_gap_is_filled(server: Server) -> None:
    frames = even_frames()
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*frames[:3], *frames[4:10])
        assert socket.until("ack", lambda ack: ack["samples"] > 0)["samples"] == 3 * 3200
        assert server.stored(session) == PCM[: 3 * 6400]
        socket.send(frames[3])
        assert socket.until_safe(10 * 3200)["sequence"] == 9


def test_text_comes_while_speaking_and_committed_words_never_change(server: Server) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        socket.hello()
        words: list[str] = []
        for frame in even_frames():
            socket.send(frame)
        socket.until_safe(SAMPLES)
        socket.say(type="stop", samples=SAMPLES)
        socket.until("final")
        for live in (message for message in socket.told if message["type"] == "live"):
            assert live["from_word"] == len(words)
            words += live["committed"]
        script = [word.text for segment in transcript_of(SAMPLES).segments for word in segment.words]
        assert words == script[:-2]
        assert len([kind for kind in socket.kinds() if kind == "live"]) > 3


def test_the_table_fills_while_speaking(server: Server) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        socket.hello()
        socket.send(*even_frames())
        preview = socket.until("preview", lambda message: "data-field" in message["record"])
        assert preview["checklist"]


def test_stop_stores_the_transcript(server: Server) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        final = record(socket, even_frames())
    assert final == {"type": "final", "session": session, "problem": None}
    assert socket.kinds().index("stopped") < socket.kinds().index("final")
    assert server.services.sessions.transcript(session) == transcript_of(SAMPLES)
    assert server.services.sessions.get(session).state == "transcribed"
    assert server.stored(session) == PCM


def test_the_last_partial_frame_is_part_of_the_recording(server: Server) -> None:
    pcm = PCM[: 2 * 3457]
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        record(socket, even_frames(pcm), 3457)
    assert server.stored(session) == pcm


def test_stop_waits_for_a_missing_tail(server: Server) -> None:
    frames = even_frames()
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*frames[:-1])
        socket.say(type="stop", samples=SAMPLES)
        socket.until_safe(SAMPLES - 3200)
        assert "stopped" not in socket.kinds()
    with connect(server) as connection:
        socket = Socket(connection)
        assert socket.hello(session)["samples"] == SAMPLES - 3200
        socket.send(frames[-1])
        assert socket.until("final")["problem"] is None
    assert server.stored(session) == PCM


def test_a_dropped_connection_goes_on_where_the_disk_ends(server: Server) -> None:
    frames = even_frames()
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*frames[:8])
        socket.until_safe(8 * 3200)
        socket.send(*frames[8:10])  # perhaps stored, perhaps not: the browser cannot know
    with connect(server) as connection:
        socket = Socket(connection)
        assert socket.hello(session)["samples"] >= 8 * 3200
        final = record(socket, frames[8:])
    assert final["problem"] is None
    assert server.stored(session) == PCM
    assert len(server.scheduler.sessions) == 1  # type: ignore[union-attr]


def test_a_hello_whose_answer_was_lost_begins_no_second_session(server: Server) -> None:
    hello = {"type": "hello", "protocol": 1, "session": None, "procedure": "col", "sample_rate": RATE, "key": "a"}
    with connect(server) as connection:
        Socket(connection).say(**hello)  # and nobody is there to hear the answer
    with connect(server) as connection:
        Socket(connection).say(**hello)
        session = Socket(connection).until("welcome")["session"]
        record(Socket(connection), even_frames())
    by_post = server.client.post("/microphone/hello", json=hello).json()[0]["session"]
    assert by_post == session
    assert [each.id for each in server.services.sessions.sessions()] == [session]
    assert server.stored(session) == PCM
    others = {server.client.post("/microphone/hello", json={**hello, "key": key}).json()[0]["session"] for key in "bc"}
    assert len({*others, session}) == 3


def test_a_new_connection_is_told_the_whole_text(server: Server) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*even_frames()[:15])
        socket.until_safe(15 * 3200)
    with connect(server) as connection:
        socket = Socket(connection)
        socket.hello(session)
        live = socket.until("live")
        assert live["from_word"] == 0
        assert " ".join(live["committed"]).startswith("This is a screening colonoscopy.")


def test_a_restarted_server_goes_on_with_the_recording(tmp_path: Path) -> None:
    frames = even_frames()
    with Server(tmp_path, ScriptedScheduler()) as first, connect(first) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*frames[:12])
        socket.until_safe(12 * 3200)
    with Server(tmp_path, ScriptedScheduler()) as second:
        assert second.services.sessions.get(session).state == "interrupted"
        assert second.stored(session) == PCM[: 12 * 6400]
        with connect(second) as connection:
            socket = Socket(connection)
            assert socket.hello(session)["samples"] == 12 * 3200
            assert second.services.sessions.get(session).state == "recording"
            assert record(socket, frames[10:])["problem"] is None
        assert second.stored(session) == PCM
        assert second.services.sessions.transcript(session) == transcript_of(SAMPLES)


def test_a_stop_that_was_answered_is_answered_again(server: Server) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        record(socket, even_frames())
    for _ in range(2):
        with connect(server) as connection:
            socket = Socket(connection)
            assert socket.hello(session)["samples"] == SAMPLES
            assert record(socket, even_frames()[-2:])["session"] == session
    assert server.stored(session) == PCM


def test_a_finished_session_is_known_after_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler()) as first, connect(first) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        record(socket, even_frames())
    with Server(tmp_path, ScriptedScheduler()) as second, connect(second) as connection:
        socket = Socket(connection)
        socket.hello(session)
        assert socket.until("final")["problem"] is None
        assert second.services.sessions.get(session).state == "transcribed"


def test_a_recording_used_by_somebody_before_its_stop_takes_the_rest_all_the_same(tmp_path: Path) -> None:
    frames = even_frames()
    with Server(tmp_path, ScriptedScheduler()) as first, connect(first) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*frames[:12])
        socket.until_safe(12 * 3200)
    with Server(tmp_path, ScriptedScheduler()) as second:
        assert transcribe(second.services, session) == transcript_of(12 * 3200)
        report(second.services, second.reviews, session, "col")
        assert second.services.sessions.get(session).state == "done"
        with connect(second) as connection:
            socket = Socket(connection)
            assert socket.hello(session)["samples"] == 12 * 3200
            assert record(socket, frames[12:])["problem"] is None
            assert next(message for message in socket.told if message["type"] == "stopped")["samples"] == SAMPLES
        assert second.stored(session) == PCM
        assert second.services.sessions.transcript(session) == transcript_of(SAMPLES)
        assert second.services.sessions.record(session) is None  # it was of the shorter text


def test_a_recording_that_is_over_says_how_much_of_it_is_safe(server: Server) -> None:
    frames = even_frames()
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        record(socket, frames[:12], 12 * 3200)
    with connect(server) as connection:
        socket = Socket(connection)
        socket.hello(session)
        socket.send(*frames[12:])
        assert socket.until("stopped") == {"type": "stopped", "samples": 12 * 3200}
    assert server.stored(session) == PCM[: 12 * 6400]


def test_a_transcript_of_audio_that_has_grown_meanwhile_is_not_kept(tmp_path: Path) -> None:
    class Growing(ScriptedScheduler):
        """While it transcribes, the microphone comes back with more."""

        def transcribe(self, *arguments: Any, **options: Any) -> Transcript:
            audio = server.services.sessions.open_audio(session)
            audio.append(PCM)
            audio.close()
            return super().transcribe(*arguments, **options)

    with Server(tmp_path, Growing()) as server:
        session = server.services.sessions.create("col", RATE).id
        audio = server.services.sessions.open_audio(session)
        audio.append(PCM)
        audio.close()
        with pytest.raises(StorageError, match="still coming in"):
            transcribe(server.services, session)
        assert server.services.sessions.transcript(session) is None


def test_samples_of_another_rate_are_stored_as_they_come_and_heard_at_16_khz(server: Server) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello(sample_rate=48_000)["session"]
        record(socket, even_frames(length=9600))
    assert server.stored(session) == PCM
    assert server.services.sessions.get(session).sample_rate == 48_000
    heard = server.scheduler.sessions[0].samples  # type: ignore[union-attr]
    assert abs(len(heard) - SAMPLES / 3) <= 2


def test_pause_is_remembered_with_its_place_in_the_recording(server: Server) -> None:
    frames = even_frames()
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*frames[:5])
        socket.say(type="pause", sample=5 * 3200)
        record(socket, frames[5:])
    assert server.services.sessions.get(session).pauses == (5 * 3200,)


def test_another_procedure_can_be_chosen_while_speaking(server: Server) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*even_frames()[:5])
        socket.say(type="procedure", procedure="egd")
        record(socket, even_frames()[5:])
    assert server.services.sessions.get(session).procedure == "egd"
    assert server.scheduler.sessions[0].schema.id == "egd"  # type: ignore[union-attr]


def test_stop_without_a_word_says_so(server: Server) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        socket.hello()
        socket.say(type="stop", samples=0)
        assert socket.until("final")["problem"] == "Nothing was recorded."


def test_beyond_capacity_the_audio_is_kept_and_transcribed_after_stop(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler(seats=0)) as server, connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*even_frames())
        assert "being saved" in socket.until("notice")["text"]
        socket.say(type="stop", samples=SAMPLES)
        assert socket.until("final")["problem"] is None
        assert server.stored(session) == PCM
        assert server.services.sessions.transcript(session) == transcript_of(SAMPLES)


def test_while_the_model_loads_the_audio_is_kept(tmp_path: Path) -> None:
    with Server(tmp_path) as server, connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        final = record(socket, even_frames())
        assert "loading" in final["problem"]
        assert server.stored(session) == PCM
        assert server.services.sessions.get(session).state == "stopped"


def test_an_engine_that_fails_loses_nothing(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler(seats=0, failure="The engine broke.")) as server:
        with connect(server) as connection:
            socket = Socket(connection)
            session = socket.hello()["session"]
            assert record(socket, even_frames())["problem"] == "The engine broke."
        assert server.stored(session) == PCM
        with pytest.raises(EngineError):
            server.services.scheduler.transcribe(np.zeros(10, np.float32))


class Broken(ScriptedSession):
    def finish(self, timeout_s: float = 120) -> Transcript:
        raise RuntimeError("what the patient said")


class Patchy(ScriptedSession):
    def finish(self, timeout_s: float = 120) -> Transcript:
        self.problem = "The words from 1 to 2 s could not be recognised; the recording is kept."
        return super().finish(timeout_s)


class Hears(ScriptedScheduler):
    """Its speakers are of one kind."""

    def __init__(self, kind: type[ScriptedSession]) -> None:
        super().__init__()
        self._kind = kind

    def open_session(self, schema: ProcedureSchema | None, on_live: Callable[[LiveTranscript], None]) -> Any:
        return self._kind(schema, on_live)


def test_an_error_that_nobody_foresaw_still_ends_the_wait(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Server(tmp_path, Hears(Broken)) as server, connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        assert "Something went wrong" in record(socket, even_frames())["problem"]
        assert server.stored(session) == PCM
    assert "RuntimeError" in caplog.text
    assert "patient" not in caplog.text


def test_what_the_final_text_lacks_is_kept_with_it_and_shown(tmp_path: Path) -> None:
    with Server(tmp_path, Hears(Patchy)) as server, connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        assert record(socket, even_frames())["problem"] is None
        assert server.services.sessions.transcript(session) == transcript_of(SAMPLES)
        screen = asyncio.run(Actions(server.services, server.reviews, server.access).recorded(session, None))
        assert "The words from 1 to 2 s could not be recognised" in str(screen.status)
        assert screen.can_submit
        transcribe(server.services, session)
        assert server.services.sessions.get(session).notice is None


def test_the_longest_recording_ends_by_itself(tmp_path: Path) -> None:
    with (
        Server(tmp_path, ScriptedScheduler(), ENDOSCRIBE_MAX_AUDIO_MINUTES=str(2.5 / 60)) as server,
        connect(server) as connection,
    ):
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*even_frames())
        assert socket.until("final")["problem"] is None
        assert server.stored(session) == PCM[: int(2.5 * RATE) * 2]


def test_two_speakers_do_not_mix(server: Server) -> None:
    other = PCM[::-1]
    with connect(server) as one, connect(server) as two:
        first, second = Socket(one), Socket(two)
        sessions = [first.hello()["session"], second.hello()["session"]]
        for mine, theirs in zip(even_frames(), even_frames(other), strict=True):
            first.send(mine)
            second.send(theirs)
        first.until_safe(SAMPLES)
        second.until_safe(SAMPLES)
    assert [server.stored(session) for session in sessions] == [PCM, other]


class Poster:
    """The browser where WebSockets are refused: the same frames by POST."""

    def __init__(self, server: Server) -> None:
        self.client = server.client
        self.told: list[Message] = []
        self.session = ""

    def hello(self, session: str | None = None) -> Message:
        hello = {"type": "hello", "protocol": 1, "session": session, "procedure": "col", "sample_rate": RATE}
        welcome = self._post("/microphone/hello", json.dumps(hello).encode())[0]
        self.session = welcome["session"]
        return welcome

    def send(self, *frames: Frame, words: int = 0) -> list[Message]:
        body = b"".join(frame.encode() for frame in frames)
        return self._post(f"/microphone/{self.session}/frames?words={words}&preview=0", body)

    def say(self, **message: object) -> list[Message]:
        return self._post(f"/microphone/{self.session}/messages", json.dumps(message).encode())

    def _post(self, path: str, body: bytes) -> list[Message]:
        response = self.client.post(path, content=body)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        messages: list[Message] = response.json()
        self.told += messages
        return messages


def told(messages: list[Message], kind: str) -> list[Message]:
    return [message for message in messages if message["type"] == kind]


def test_the_same_frames_by_post(server: Server) -> None:
    frames = shuffled(even_frames(), 5)
    poster = Poster(server)
    poster.hello()
    for start in range(0, len(frames), 7):
        poster.send(*frames[start : start + 7])
    ack = told(poster.send(), "ack")[-1]
    assert ack == {"type": "ack", "sequence": 19, "samples": SAMPLES}
    poster.say(type="stop", samples=SAMPLES)
    wait_until(lambda: told(poster.send(), "final"), "the last word")
    assert server.stored(poster.session) == PCM
    assert server.services.sessions.transcript(poster.session) == transcript_of(SAMPLES)


def test_a_post_is_told_only_the_words_that_it_does_not_know(server: Server) -> None:
    poster = Poster(server)
    poster.hello()
    poster.send(*even_frames())
    live = told(poster.send(), "live")[-1]
    assert live["from_word"] == 0
    again = told(poster.send(words=len(live["committed"]) - 1), "live")[-1]
    assert again["committed"] == live["committed"][-1:]


def test_a_recording_can_move_from_socket_to_post(server: Server) -> None:
    frames = even_frames()
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*frames[:9])
        socket.until_safe(9 * 3200)
    poster = Poster(server)
    assert poster.hello(session)["samples"] == 9 * 3200
    poster.send(*frames[7:])
    poster.say(type="stop", samples=SAMPLES)
    wait_until(lambda: told(poster.send(), "final"), "the last word")
    assert server.stored(session) == PCM


def test_frames_for_a_recording_that_is_not_open_ask_for_a_hello(server: Server) -> None:
    response = server.client.post(f"/microphone/{'0' * 32}/frames", content=even_frames()[0].encode())
    assert response.status_code == 409


def test_frames_from_another_site_are_refused(server: Server) -> None:
    foreign = {"Origin": "https://elsewhere.example"}
    with (
        pytest.raises(WebSocketDenialResponse),
        server.client.websocket_connect("/ws/microphone", headers=foreign),
    ):
        pass
    assert server.client.post("/microphone/hello", headers=foreign).status_code == 403
    assert server.services.sessions.sessions() == []


def test_frames_from_our_own_page_are_taken(server: Server) -> None:
    own = {"Origin": "http://testserver"}
    with server.client.websocket_connect("/ws/microphone", headers=own) as connection:
        assert Socket(connection).hello()["samples"] == 0


def hello_text(**changes: object) -> str:
    hello = {"type": "hello", "protocol": 1, "session": None, "procedure": "col", "sample_rate": RATE}
    return json.dumps({**hello, **changes})


@pytest.mark.parametrize(
    ("hello", "sentence"),
    [
        (hello_text(session="0" * 32), "no such session"),
        (hello_text(session="../../etc"), "no such session"),
        (hello_text(procedure="cool"), "There is no procedure"),
        (hello_text(protocol=2), "reload the page"),
        (hello_text(sample_rate=1), "reload the page"),
        (hello_text(extra=1), "reload the page"),
        ('{"type": "stop", "samples": 1}', "reload the page"),
        ("not json", "reload the page"),
    ],
)
def test_a_hello_that_cannot_be_answered_ends_with_a_sentence(server: Server, hello: str, sentence: str) -> None:
    with connect(server) as connection:
        connection.send_text(hello)
        problem = Socket(connection).until("problem")
        assert sentence in problem["text"]
        assert problem["again"] is False
        with pytest.raises(WebSocketDisconnect):
            connection.receive_text()


@pytest.mark.parametrize(
    "data", [b"short", b"\x02" + bytes(20), even_frames()[0].encode()[:-1], Frame(0, 0, b"").encode(), bytes(16)]
)
def test_bytes_that_are_no_frame_end_the_connection_and_spoil_nothing(server: Server, data: bytes) -> None:
    with connect(server) as connection:
        socket = Socket(connection)
        session = socket.hello()["session"]
        socket.send(*even_frames()[:5])
        socket.until_safe(5 * 3200)
        socket.raw(data)
        assert socket.until("problem")["again"] is False
    assert server.stored(session) == PCM[: 5 * 6400]


def test_frames_are_decoded_as_they_were_encoded() -> None:
    frames = odd_frames(9)
    assert list(decode_frames(b"".join(frame.encode() for frame in frames))) == frames
    far = Frame(2**32 - 1, 2**40, b"\x01\x02")
    assert list(decode_frames(far.encode())) == [far]
    with pytest.raises(FrameError):
        list(decode_frames(far.encode() + b"\x01"))
