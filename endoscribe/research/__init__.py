"""Many dictations at once: one table over all of them, and how well they are read."""
