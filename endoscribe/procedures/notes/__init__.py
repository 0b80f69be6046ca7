"""What a schema says of its notes: the frame, the wording of sentences, and how words are spelled."""
