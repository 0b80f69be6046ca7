"""Transcript to record: claims with quotes, then verification."""
