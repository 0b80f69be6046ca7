"""`serve`: the page with the engine in its own process, or with engines behind Ray Serve."""

import argparse
import os
from typing import Any

from endoscribe.errors import EngineError
from endoscribe.settings import Settings


def add_serve_command(commands: Any) -> None:
    """`serve`, beside the other commands."""
    serve = commands.add_parser("serve", help="the page, as app.py serves it")
    serve.add_argument("--ray", action="store_true", help="recognise speech in replicas behind Ray Serve")
    serve.add_argument("--address", help="a running Ray cluster; without it one is started on this machine")
    serve.add_argument("--replicas", type=int, default=1, metavar="N", help="at most so many")
    serve.add_argument("--min-replicas", type=int, default=0, metavar="N", help="so many stay without work")
    serve.add_argument(
        "--gpus-each", type=float, default=0.0, metavar="N", help="GPUs, or a share of one, of a replica"
    )
    serve.set_defaults(run=run_serve)


def run_serve(options: argparse.Namespace, settings: Settings) -> None:
    """Serve until told to stop."""
    from endoscribe.telemetry import QUIET_LIBRARIES
    from endoscribe.web.server import open_page

    os.environ.update(QUIET_LIBRARIES)
    if not options.ray:
        open_page(settings)
        return
    if not 0 <= options.min_replicas <= options.replicas or options.replicas < 1:
        raise EngineError("--replicas is at least 1, and --min-replicas lies between 0 and --replicas.")
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise EngineError('Ray is not installed: pip install "ray[serve]".') from error
    _serve_with_replicas(options, settings)


def _serve_with_replicas(options: argparse.Namespace, settings: Settings) -> None:
    from endoscribe.speech.guard import GuardedEngine
    from endoscribe.speech.replicas import WAKE_S, Fleet, cluster, deploy, load_from_environment
    from endoscribe.speech.scheduler import Scheduler
    from endoscribe.web.server import open_page

    fleet = Fleet(options.replicas, options.min_replicas, options.gpus_each, hung_after_s=settings.hung_after_s)
    name = settings.whisper_model or "WhisperX replicas"
    with cluster(max(1, round(fleet.at_most * fleet.cpus_each)), options.address):
        replicas = deploy(load_from_environment, fleet, name)
        # A replica looks after its own calls; here a call may also wait until there is a replica.
        guarded = GuardedEngine(replicas, settings.hung_after_s + WAKE_S, options.replicas)
        open_page(settings, load=lambda _: Scheduler(guarded, parallel=options.replicas))
