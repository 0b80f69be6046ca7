"""All that leans on Gradio's internals."""
