"""English as it is dictated, for the offline reader and for verification: tokens, clauses, assertion, time, cues."""
