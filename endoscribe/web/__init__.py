"""The page, its microphone and its routes."""
