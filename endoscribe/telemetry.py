"""What libraries would tell their makers, and how it is switched off."""

import os

#: Nothing that a library wants to tell its makers leaves this machine. onnxruntime looks once, when it is loaded, and
#: takes the switch for the whole process; what it offers in Python would come after it has made an id of this machine.
QUIET_LIBRARIES = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}


def switch_off_telemetry() -> None:
    """For this process and those that it starts; libraries read it when they are imported."""
    os.environ.update(QUIET_LIBRARIES)
