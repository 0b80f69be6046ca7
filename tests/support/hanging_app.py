"""The web app as a program whose speech engine never answers, behind the real scheduler and its guard."""

import threading

import uvicorn

from endoscribe.services import Services
from endoscribe.settings import Settings
from endoscribe.speech.guard import GuardedEngine
from endoscribe.speech.scheduler import Scheduler
from endoscribe.web.app import create_app
from tests.support.speech_script import HearingEngine, LevelDetector, words_at


def load(settings: Settings) -> Scheduler:
    engine = HearingEngine(words_at("nobody will ever read this"), gate=NeverOpen())
    return Scheduler(GuardedEngine(engine, settings.hung_after_s), new_detector=LevelDetector)


class NeverOpen(threading.Event):
    """A gate that holds whoever comes for good."""

    def wait(self, timeout: float | None = None) -> bool:
        return threading.Event().wait()


def main() -> None:
    settings = Settings.from_environment(env_file=None)
    services = Services(settings)
    app = create_app(services, lambda: services.start(load))
    uvicorn.run(app, port=settings.port, log_level="warning", access_log=False, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()
