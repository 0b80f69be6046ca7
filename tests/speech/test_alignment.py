"""What alignment needs is imported only where there is a model for it."""

import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

SCRIPT = """
import sys
from endoscribe.settings import Settings
from endoscribe.speech.alignment import load_aligner

settings = Settings.from_environment({"ENDOSCRIBE_DATA_DIR": sys.argv[1], "ENDOSCRIBE_LANGUAGE": "xx"}, None)
assert load_aligner(settings, "cpu") is None
print("whisperx.alignment" in sys.modules, "nltk" in sys.modules, "torch" in sys.modules)
"""


def test_without_a_model_for_the_language_nothing_of_it_is_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["False", "False", "False"]
