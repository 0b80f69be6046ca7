"""What libraries would tell their makers, and how it is switched off."""

#: Nothing that a library wants to tell its makers leaves this machine; set before they are imported, in every process.
QUIET_LIBRARIES = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}
