"""What is on the page, and what happens there."""
