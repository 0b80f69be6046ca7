"""Audio in, live text out: the microphone's protocol, its two routes, and the recordings that are open."""
