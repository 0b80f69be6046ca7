"""What is asked over HTTP besides the page itself."""
