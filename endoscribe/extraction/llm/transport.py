"""How long a request to a language model may take, and what is sent for a key where none is asked for."""

READ_TIMEOUT_S = 30.0
PROBE_TIMEOUT_S = 10.0
#: For servers on site, which ask for no key; the SDKs want one.
NO_KEY = "none"
