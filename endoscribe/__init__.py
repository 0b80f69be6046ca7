"""EndoScribe: dictate an endoscopy, read the report."""

from endoscribe.telemetry import switch_off_telemetry

__version__ = "0.1.0"

switch_off_telemetry()  # before any library is imported, whatever the program
