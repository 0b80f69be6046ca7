"""What a procedure's words sound like, and how they are written."""
