"""The part of requirements.txt that an image needs: `python select_requirements.py [--unhashed] cuda|cpu|none FILE`.

Standard library only: it runs before anything is installed. The lock is complete, so what is printed is installed
without looking for dependencies, and what is left out stays out.
"""

import re
import sys
from pathlib import Path

#: Compilers of GPU programs (540 MB) and a second audio decoder, which nothing here imports.
NEVER = re.compile(r"triton|torchcodec")
CUDA = re.compile(r"nvidia-.*")
#: Another build of these comes from PyTorch's index for CPUs, which the lock cannot hold the digests of.
TORCH = re.compile(r"torch|torchaudio|torchvision")
SPEECH = re.compile(
    r"torch.*|pytorch-.*|pyannote.*|lightning.*|whisperx|transformers|ctranslate2|faster-whisper|onnxruntime|nltk|asteroid-.*"
)


def selected(lock: str, variant: str) -> str:
    """The hashed lines of a lock that a variant installs."""
    dropped = {"cuda": (NEVER,), "cpu": (NEVER, CUDA, TORCH), "none": (NEVER, CUDA, SPEECH)}[variant]
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)[1:]
    return "".join(block for block in blocks if not any(pattern.fullmatch(_name(block)) for pattern in dropped))


def unhashed(lock: str, variant: str) -> str:
    """What comes by version from PyTorch's index for CPUs."""
    if variant != "cpu":
        return ""
    pins = re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^ ;\\]+)", lock)
    return "".join(f"{name}=={version}+cpu\n" for name, version in pins if TORCH.fullmatch(name))


def _name(block: str) -> str:
    return re.split(r"[=\[ ;]", block, maxsplit=1)[0]


if __name__ == "__main__":
    *flags, chosen, path = sys.argv[1:]
    text = Path(path).read_text(encoding="utf-8")
    sys.stdout.write(unhashed(text, chosen) if "--unhashed" in flags else selected(text, chosen))
