"""`serve`: the page with the engine in its own process, or with engines behind Ray Serve."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from endoscribe.cli.options import read_settings
from endoscribe.errors import EngineError

if TYPE_CHECKING:
    from endoscribe.settings import Settings
    from endoscribe.speech.replicas import Fleet

app = typer.Typer()


@app.command()
def serve(
    ray: Annotated[bool, typer.Option("--ray", help="recognise speech in replicas behind Ray Serve")] = False,
    address: Annotated[
        str | None,
        typer.Option("--address", help="a running Ray cluster; without it one is started on this machine"),
    ] = None,
    replicas: Annotated[int, typer.Option("--replicas", metavar="N", help="at most so many")] = 1,
    min_replicas: Annotated[int, typer.Option("--min-replicas", metavar="N", help="so many stay without work")] = 0,
    gpus_each: Annotated[
        float, typer.Option("--gpus-each", metavar="N", help="GPUs, or a share of one, of a replica")
    ] = 0.0,
) -> None:
    """the page, as app.py serves it"""
    from endoscribe.web.server import open_page

    settings = read_settings()
    if not ray:
        open_page(settings)
        return
    if not 0 <= min_replicas <= replicas or replicas < 1:
        raise EngineError("--replicas is at least 1, and --min-replicas lies between 0 and --replicas.")
    if not find_spec("ray"):
        raise EngineError('Ray is not installed: pip install "ray[serve]".')
    from endoscribe.speech.replicas import Fleet

    fleet = Fleet(replicas, min_replicas, gpus_each, hung_after_s=settings.hung_after_s)
    _serve_with_replicas(settings, fleet, address)


def _serve_with_replicas(settings: "Settings", fleet: "Fleet", address: str | None) -> None:
    from endoscribe.speech.guard import GuardedEngine
    from endoscribe.speech.replicas import WAKE_S, cluster, deploy, load_from_environment
    from endoscribe.speech.scheduler import Scheduler
    from endoscribe.web.server import open_page

    name = settings.whisper_model or "WhisperX replicas"
    with cluster(max(1, round(fleet.at_most * fleet.cpus_each)), address):
        replicas = deploy(load_from_environment, fleet, name)
        # A replica looks after its own calls; here a call may also wait until there is a replica.
        guarded = GuardedEngine(replicas, settings.hung_after_s + WAKE_S, fleet.at_most)
        open_page(settings, load=lambda _: Scheduler(guarded, parallel=fleet.at_most))
