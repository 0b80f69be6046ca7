"""The sample dictations that are shipped, for visitors without a microphone."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from endoscribe.procedures.yaml_source import YamlSource

SAMPLES_DIR = Path(__file__).resolve().parent.parent / "samples"


class Sample(BaseModel):
    """One dictation; `file` is its recording's name beside `samples.yaml`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str
    procedure: str
    file: str


_SAMPLES = TypeAdapter(tuple[Sample, ...])


def load_samples(folder: Path = SAMPLES_DIR) -> tuple[Sample, ...]:
    """The samples in the order of `samples.yaml`; none where it is missing. Raises SchemaError when it is not YAML."""
    index = folder / "samples.yaml"
    if not index.is_file():
        return ()
    return _SAMPLES.validate_python(YamlSource(index).data.get("samples", []))
