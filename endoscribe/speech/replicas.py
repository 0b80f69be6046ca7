"""Engines in processes of their own behind Ray Serve, on this machine or many.

A speaker's live state stays with the page; a replica hears windows and remembers nothing, so that any of them decodes
the next. A window whose replica dies is decoded by another one.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from endoscribe.audio import Samples
from endoscribe.errors import EngineError
from endoscribe.settings import Settings
from endoscribe.speech.engine import Decoding, Engine, Window
from endoscribe.speech.guard import GuardedEngine
from endoscribe.speech.loading import load_engine
from endoscribe.transcript import Word

log = logging.getLogger(__name__)

APPLICATION = "endoscribe-speech"
#: The longest that a machine and a replica on it take to come, from a cluster that has scaled down to nothing.
WAKE_S = 600.0
#: So often Ray is started before that is given up.
MOST_STARTS = 4
#: So many replicas may die under one window before it is given up: more than that, and the window kills them.
MOST_DEATHS = 3


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many replicas there are, and what each of them takes."""

    at_most: int = 1
    #: Zero lets the last replica go after `idle_s`; the next window waits until one has loaded its model.
    at_least: int = 0
    gpus_each: float = 0.0
    cpus_each: float = 1.0
    idle_s: float = 300.0
    #: A replica that needs longer for one call counts as hung.
    hung_after_s: float = 120.0


class Replica:
    """One engine in a process of its own; one that hangs is replaced."""

    def __init__(self, load: Callable[[], Engine], hung_after_s: float) -> None:
        self._engine = GuardedEngine(load(), hung_after_s)

    def check_health(self) -> None:
        """Ray asks this; a replica that raises is replaced. Raises EngineError."""
        if problem := self._engine.problem:
            raise EngineError(problem)

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        return self._engine.decode(window, decoding)

    def decode_all(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        return self._engine.decode_all(windows, decoding)

    def split(self, samples: Samples) -> list[tuple[float, float]]:
        return self._engine.split(samples)


class RemoteEngine:
    """An `Engine` that has the replicas work."""

    def __init__(self, handle: Any, name: str) -> None:
        self._handle = handle
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def problem(self) -> str | None:
        """None: a replica that has one is replaced."""
        return None

    def close(self) -> None:
        """The replicas stay for other pages."""

    def decode(self, window: Window, decoding: Decoding) -> tuple[Word, ...]:
        """See `Engine.decode`."""
        words: tuple[Word, ...] = self._ask(self._handle.decode, window, decoding)
        return words

    def decode_all(self, windows: Sequence[Window], decoding: Decoding) -> list[tuple[Word, ...]]:
        """See `Engine.decode_all`."""
        heard: list[tuple[Word, ...]] = self._ask(self._handle.decode_all, windows, decoding)
        return heard

    def split(self, samples: Samples) -> list[tuple[float, float]]:
        """See `Engine.split`."""
        parts: list[tuple[float, float]] = self._ask(self._handle.split, samples)
        return parts

    def _ask(self, method: Any, *arguments: object) -> Any:
        from ray.exceptions import RayActorError, RayError, RayTaskError

        for _ in range(MOST_DEATHS):
            try:
                return method.remote(*arguments).result()
            except RayTaskError as error:
                cause = error.cause
                raise cause if isinstance(cause, EngineError) else _failed(cause) from None
            except RayActorError:
                log.warning("A speech replica was lost; another one takes its window.")
            except RayError as error:
                raise _failed(error) from None
        raise EngineError("Speech recognition was lost again and again on a stretch of audio; the recording is kept.")


def application(load: Callable[[], Engine], fleet: Fleet) -> Any:
    """What Ray Serve runs."""
    from ray import serve

    deployment = serve.deployment(
        name="Replica",
        ray_actor_options={"num_cpus": fleet.cpus_each, "num_gpus": fleet.gpus_each},
        max_ongoing_requests=2,  # a replica decodes so many at a time, as the engine in a page's process does
        health_check_period_s=2,
        autoscaling_config={
            "min_replicas": fleet.at_least,
            "initial_replicas": fleet.at_least,
            "max_replicas": fleet.at_most,
            "target_ongoing_requests": 1,
            "upscale_delay_s": 1,
            "downscale_delay_s": fleet.idle_s,
        },
    )(Replica)
    return deployment.bind(load, fleet.hung_after_s)


@contextmanager
def cluster(cpus: int, address: str | None = None) -> Iterator[None]:
    """The Ray cluster at `address`; without one, Ray on this machine for as long as it lasts. Raises EngineError."""
    import ray
    from ray import serve

    if address:
        ray.init(address, log_to_driver=False)
    else:
        _start_ray(cpus)
    try:
        serve.start(proxy_location="Disabled")
        yield
    finally:
        if not address:
            serve.shutdown()  # type: ignore[no-untyped-call]
        ray.shutdown()


def _start_ray(cpus: int) -> None:
    """A cluster of its own, whatever runs here already.

    Ray gives itself half a minute, which cannot be set and which a busy machine does not keep.
    """
    import ray

    for left in reversed(range(MOST_STARTS)):
        try:
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False)
        except Exception as error:  # a kind of its own it does not have for that
            ray.shutdown()
            if not left:
                raise EngineError("Ray does not start on this machine, which may be too busy: try again.") from error
            log.warning("Ray has not started in time; it is tried again.")
        else:
            return


def deploy(load: Callable[[], Engine], fleet: Fleet, name: str) -> RemoteEngine:
    """An engine on the cluster's replicas, which are started where there are none yet."""
    from ray import serve
    from ray.serve.exceptions import RayServeException

    try:
        handle = serve.get_app_handle(APPLICATION)
    except RayServeException:
        handle = serve.run(application(load, fleet), name=APPLICATION, route_prefix=None)
    return RemoteEngine(handle, name)


def load_from_environment() -> Engine:
    """What each replica loads: the same engine as a page that has none but its own."""
    return load_engine(Settings.from_environment())


def _failed(error: BaseException) -> EngineError:
    return EngineError(f"Speech recognition failed on a stretch of audio ({type(error).__name__}).")
