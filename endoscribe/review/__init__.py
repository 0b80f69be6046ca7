"""Record to signed report: versions, edits, signature, differences and flags."""
