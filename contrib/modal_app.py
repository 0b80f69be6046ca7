"""EndoScribe on Modal, on an L4 that stops when nobody is connected: `modal deploy contrib/modal_app.py`.

Who may come in stands in `users.txt` on the volume: write it with `python -m endoscribe users add users.txt NAME`, then
`modal volume put endoscribe-data users.txt`.
"""

import subprocess

import modal

app = modal.App("endoscribe")
image = modal.Image.from_dockerfile("Dockerfile").entrypoint([]).env({"ENDOSCRIBE_AUTH": "users:/data/users.txt"})
data = modal.Volume.from_name("endoscribe-data", create_if_missing=True)


# One container: a page's queue and a speaker's live text live in one process.
@app.function(
    image=image,
    gpu="L4",
    volumes={"/data": data},
    secrets=[modal.Secret.from_name("endoscribe")],
    max_containers=1,
    scaledown_window=300,
    timeout=3600,
)
@modal.concurrent(max_inputs=80)
@modal.web_server(7860, startup_timeout=600)
def serve() -> None:
    subprocess.Popen(["python", "/app/app.py"], cwd="/app")  # noqa: S607  (the image's own Python)
