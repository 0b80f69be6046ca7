"""How often somebody may ask for what costs: generous, told before it bites, and with a time to come back."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client

from endoscribe.auth.quota import Quota, QuotaShare
from endoscribe.auth.users import UsersFile
from endoscribe.errors import LimitError
from endoscribe.metrics import Metrics
from endoscribe.settings import Settings
from endoscribe.web.limits import RequestQuota
from endoscribe.web.page.actions import FEW_LEFT, NEXT_IS_SUBMIT, next_step
from endoscribe.web.page.research import Research
from tests.support.paths import TESTS
from tests.support.scripted import SCRIPT, ScriptedScheduler, Server
from tests.support.sign_in import HELLO, PASSWORD, QUICK, served

SAMPLE = TESTS.parent / "endoscribe" / "samples" / "col-two-polyps.flac"
BODY = {"text": SCRIPT, "procedure": "col"}


# -- the arithmetic ----------------------------------------------------------------------------------------------------


def test_a_share_is_used_up_and_comes_back_evenly() -> None:
    now = [0.0]
    quota, ada, ben = Quota(lambda: now[0]), [QuotaShare("ada", 4)], [QuotaShare("ben", 4)]
    assert [quota.take(ada) for _ in range(5)] == [0, 0, 0, 0, 900]
    assert (quota.left(ada), quota.left(ben)) == (0, 4)
    assert quota.take(ben) == 0
    now[0] += 600
    assert quota.take(ada) == pytest.approx(300)
    now[0] += 300
    assert quota.left(ada) == 1
    assert quota.take(ada) == 0
    now[0] += 3600
    assert quota.left(ada) == 4


def test_of_several_shares_all_are_taken_or_none() -> None:
    now = [0.0]
    quota = Quota(lambda: now[0])
    first, second, place = QuotaShare("first", 3), QuotaShare("second", 3), QuotaShare("place", 4)
    assert [quota.take([first, place]) for _ in range(4)] == [0, 0, 0, 1200]
    assert quota.left([place]) == 1
    assert quota.take([second, place]) == 0
    assert quota.take([second, place]) == 900
    assert quota.left([second]) == 2


def test_without_a_share_there_is_no_limit() -> None:
    quota = Quota(lambda: 0.0)
    assert (quota.take([]), quota.left([])) == (0, None)


# -- through real HTTP -------------------------------------------------------------------------------------------------


def refusal(answer: httpx.Response) -> str:
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 60
    return str(answer.json()["detail"])


@pytest.mark.slow
def test_a_user_who_asks_too_often_is_told_when_to_come_back_and_nobody_else_is(tmp_path: Path) -> None:
    limits = {"ENDOSCRIBE_UPLOADS_PER_HOUR": "2", "ENDOSCRIBE_EXTRACTIONS_PER_HOUR": "3"}
    with served(tmp_path, **limits) as (url, tokens), httpx.Client(base_url=url, timeout=60) as http:
        ada, ben = tokens["ada"], tokens["ben"]
        for _ in range(2):
            assert _sent(http, "process", ada, procedure="col").status_code == 200
        assert "A user can send at most 2 recordings an hour" in refusal(_sent(http, "transcribe", ada))
        assert http.post("/api/extract", json=BODY, headers=ada).status_code == 200
        assert "have at most 3 dictations read" in refusal(http.post("/api/extract", json=BODY, headers=ada))
        assert http.post("/api/extract", json={**BODY, "procedure": "x"}, headers=ada).status_code == 422
        assert http.post("/api/extract", json=BODY, headers=ben).status_code == 200
        assert _sent(http, "transcribe", ben).status_code == 200
        # the page's own upload, and the steps for gradio_client
        page = http.post("/gradio_api/upload", files={"files": ("a.flac", b"x")}, headers=ada)
        assert (page.status_code, page.text.startswith("A user can send at most 2 recordings")) == (429, True)
        client = Client(url, headers=ada, verbose=False)
        with pytest.raises(Exception, match="have at most 3 dictations read"):
            client.predict(text=SCRIPT, procedure="col", api_name="/extract")
        client.close()
        # nobody is kept from dictating
        for _ in range(4):
            assert http.post("/microphone/hello", json=HELLO, headers=ada).json()[0]["type"] == "welcome"


def _sent(http: httpx.Client, step: str, headers: dict[str, str], **data: str) -> httpx.Response:
    with SAMPLE.open("rb") as file:
        return http.post(f"/api/{step}", files={"file": ("a.flac", file)}, data=data, headers=headers)


@pytest.mark.slow
def test_a_visitor_has_so_many_dictations_spoken_or_sent_and_an_address_ten_times_as_many(tmp_path: Path) -> None:
    with served(tmp_path, ENDOSCRIBE_DEMO="true", ENDOSCRIBE_DEMO_DICTATIONS="2") as (url, _):
        here, elsewhere = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}

        def hello(http: httpx.Client, headers: dict[str, str]) -> httpx.Response:
            return http.post("/microphone/hello", json=HELLO, headers=headers)

        with httpx.Client(base_url=url, timeout=60) as visitor:
            assert hello(visitor, here).status_code == 200
            assert _sent(visitor, "transcribe", here).status_code == 200
            refused = hello(visitor, here)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 60
            (problem,) = refused.json()
            assert "A visitor can make at most 2 dictations an hour" in problem["text"]
            assert problem["again"] is False
            assert "A visitor can" in refusal(_sent(visitor, "transcribe", here))
        answers = [httpx.post(f"{url}/microphone/hello", json=HELLO, headers=here) for _ in range(19)]
        assert [answer.status_code for answer in answers] == [200] * 18 + [429]  # each of them without a cookie
        assert httpx.post(f"{url}/microphone/hello", json=HELLO, headers=elsewhere).status_code == 200


def test_where_nobody_signs_in_nothing_is_limited(tmp_path: Path) -> None:
    with Server(
        tmp_path, ScriptedScheduler(), ENDOSCRIBE_UPLOADS_PER_HOUR="1", ENDOSCRIBE_EXTRACTIONS_PER_HOUR="1"
    ) as server:
        for _ in range(3):
            assert server.client.post("/api/extract", json=BODY).status_code == 200
            with SAMPLE.open("rb") as file:
                assert server.client.post("/api/transcribe", files={"file": ("a.flac", file)}).status_code == 200


def test_a_microphones_socket_says_why_a_visitor_has_to_wait(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler(), ENDOSCRIBE_DEMO="true", ENDOSCRIBE_DEMO_DICTATIONS="1") as server:

        def told() -> dict[str, Any]:
            with server.client.websocket_connect("/ws/microphone") as socket:
                socket.send_json(HELLO)
                return dict(socket.receive_json())

        assert server.client.get("/who").status_code == 200  # a cookie, by which it is the same visitor
        assert told()["type"] == "welcome"
        refused = told()
        assert (refused["type"], refused["again"]) == ("problem", False)
        assert "the next one in 60 minutes" in refused["text"]
        limited = b'endoscribe_limited_total{work="dictation"} 1.0'
        assert limited in server.services.metrics.exposition()


def test_a_hello_said_again_because_its_answer_was_lost_takes_no_second_dictation(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler(), ENDOSCRIBE_DEMO="true", ENDOSCRIBE_DEMO_DICTATIONS="1") as server:
        assert server.client.get("/who").status_code == 200
        answers = [server.client.post("/microphone/hello", json={**HELLO, "key": key}) for key in ("a", "a", "b")]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[0].json()[0]["session"] == answers[1].json()[0]["session"]


# -- on the page -------------------------------------------------------------------------------------------------------


def test_few_dictations_are_told_before_there_are_none() -> None:
    assert next_step(None) == next_step(FEW_LEFT + 1) == NEXT_IS_SUBMIT
    assert next_step(3).endswith("you can make 3 more dictations at present.")
    assert next_step(1).endswith("you can make 1 more dictation at present.")
    assert next_step(0).endswith("you can make no more dictations at present.")


@pytest.mark.filterwarnings("ignore:.*HTTP_422_UNPROCESSABLE_ENTITY.*")  # Gradio's own, at every click
def test_submit_says_when_the_text_is_read_and_keeps_it(tmp_path: Path) -> None:
    users = UsersFile(tmp_path / "users.txt", QUICK)
    users.add("ada", PASSWORD)
    headers = {"Authorization": f"Bearer {users.issue_token('ada')}"}
    auth = f"users:{tmp_path / 'users.txt'}"
    with Server(
        tmp_path, ScriptedScheduler(), has_page=True, ENDOSCRIBE_AUTH=auth, ENDOSCRIBE_EXTRACTIONS_PER_HOUR="1"
    ) as server:
        session = server.services.sessions.create("col", 16_000, owner="ada")
        audio = server.services.sessions.open_audio(session.id)
        audio.append(bytes(6 * 32_000))
        audio.sync()
        audio.close()
        server.services.sessions.set_complete(session.id)
        config = server.client.get("/config", headers=headers).json()
        names = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
        (submit,) = (
            each["id"]
            for each in config["dependencies"]
            if [names.get(part) for part in each["inputs"]] == ["session", "procedure"]
        )

        def shown(page: str) -> str:
            body = {"data": [session.id, "col"], "fn_index": submit, "session_hash": page}
            assert server.client.post("/gradio_api/queue/join", json=body, headers=headers).status_code == 200
            return server.client.get(f"/gradio_api/queue/data?session_hash={page}", headers=headers).text

        assert "Draft report ready" in shown("first")
        again = shown("second")
        assert "A user can have at most 1 dictation read an hour; the next one in" in again
        assert "Your text is kept" in again
        assert server.services.sessions.transcript(session.id) is not None


def test_a_study_waits_until_there_may_be_more_and_says_so(tmp_path: Path) -> None:
    """Nothing of it fails; whoever does not want to wait takes what was done."""
    now = [0.0]
    quota = RequestQuota({"extraction": (QuotaShare("ada", 2),)}, Quota(lambda: now[0]), Metrics())
    files = [tmp_path / f"{number}.txt" for number in range(3)]
    for file in files:
        file.write_text(SCRIPT)

    async def study(research: Research) -> list[str]:
        seen = []
        async for html in research.run("page", [str(file) for file in files], "col", quota):
            seen.append(html)
            if "Waiting: A user can have at most 2 dictations read" in html:
                research.cancel("page")
        return seen

    with Server(tmp_path / "data", ScriptedScheduler()) as server:
        seen = asyncio.run(study(Research(server.services)))
    assert "Cancelled: 2 of 3 dictations done" in seen[-1]


def test_a_demonstration_takes_shorter_dictations() -> None:
    assert Settings.from_environment({"ENDOSCRIBE_DEMO": "1"}, None).longest_audio_minutes == 10
    shorter = {"ENDOSCRIBE_DEMO": "1", "ENDOSCRIBE_MAX_AUDIO_MINUTES": "5"}
    assert Settings.from_environment(shorter, None).longest_audio_minutes == 5
    assert Settings.from_environment({}, None).longest_audio_minutes == 120


def test_an_asker_counts_who_is_told_to_wait() -> None:
    metrics = Metrics()
    quota = RequestQuota({"upload": (QuotaShare("ada", 1),)}, Quota(lambda: 0.0), metrics)
    quota.take("upload")
    with pytest.raises(LimitError, match="the next one in 60 minutes") as refused:
        quota.take("upload")
    assert refused.value.wait_s == 3600
    assert b'endoscribe_limited_total{work="upload"} 1.0' in metrics.exposition()
    quota.take("extraction")
    assert quota.left("extraction") is None
