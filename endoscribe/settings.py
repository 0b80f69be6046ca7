"""The environment and `.env`, read once at the start into one frozen object."""

import logging
import os
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from endoscribe.errors import SettingsError

PREFIX = "ENDOSCRIBE_"
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
LOCAL_DATA_DIR = Path("web_app")
#: Where Fly.io mounts the volume (`fly.toml`).
PRODUCTION_DATA_DIR = Path("/data")
_PACKAGE_DIR = Path(__file__).resolve().parent
_INSTALLED_SCHEMA_DIR = _PACKAGE_DIR / "procedure_schemas"
#: Inside the package where it was installed, beside it in the repository.
SHIPPED_SCHEMA_DIR = (
    _INSTALLED_SCHEMA_DIR if _INSTALLED_SCHEMA_DIR.is_dir() else _PACKAGE_DIR.parent / _INSTALLED_SCHEMA_DIR.name
)

#: With PYDANTIC_SETTINGS_DEBUG it would log every value, keys too.
logging.getLogger("pydantic_settings").setLevel(logging.INFO)

EmptyAsNone = BeforeValidator(lambda text: text or None)


class Settings(BaseSettings):
    """What can be set from outside; each name's meaning stands in `.env.example`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        case_sensitive=True,
        dotenv_filtering="only_existing",  # others may keep names of theirs in the file
        enable_decoding=False,  # nothing is taken for JSON, whose errors would show it
    )

    anthropic_api_key: Annotated[SecretStr | None, EmptyAsNone] = Field(None, alias="ANTHROPIC_API_KEY")
    anthropic_base_url: Annotated[str | None, EmptyAsNone] = Field(None, alias="ANTHROPIC_BASE_URL")
    hf_token: Annotated[SecretStr | None, EmptyAsNone] = Field(None, alias="HF_TOKEN")
    openai_api_key: Annotated[SecretStr | None, EmptyAsNone] = Field(None, alias="OPENAI_API_KEY")
    port: int = Field(7860, alias="PORT", ge=1, le=65535)
    fly_app_name: Annotated[str | None, EmptyAsNone] = Field(None, alias="FLY_APP_NAME")
    host: str = Field("127.0.0.1", alias="ENDOSCRIBE_HOST")
    configured_host_names: Annotated[str | None, EmptyAsNone] = Field(None, alias="ENDOSCRIBE_HOST_NAMES")
    auth: Annotated[str | None, EmptyAsNone] = Field(None, alias="ENDOSCRIBE_AUTH")
    oauth_client_id: Annotated[str | None, EmptyAsNone] = Field(None, alias="OAUTH_CLIENT_ID")
    oauth_client_secret: Annotated[SecretStr | None, EmptyAsNone] = Field(None, alias="OAUTH_CLIENT_SECRET")
    openid_provider_url: str = Field("https://huggingface.co", alias="OPENID_PROVIDER_URL")
    space_host: Annotated[str | None, EmptyAsNone] = Field(None, alias="SPACE_HOST")
    signed_in_hours: int = Field(12, alias="ENDOSCRIBE_SIGNED_IN_HOURS", ge=1, le=24 * 30)
    proxies: str = Field("127.0.0.1,::1", alias="ENDOSCRIBE_PROXIES")
    metrics_token: Annotated[Annotated[SecretStr, Field(min_length=16)] | None, EmptyAsNone] = Field(
        None, alias="ENDOSCRIBE_METRICS_TOKEN"
    )
    whisper_model: Annotated[str | None, EmptyAsNone] = Field(None, alias="ENDOSCRIBE_WHISPER_MODEL")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", alias="ENDOSCRIBE_DEVICE")
    compute_type: Annotated[str | None, EmptyAsNone] = Field(None, alias="ENDOSCRIBE_COMPUTE_TYPE")
    language: str = Field("en", alias="ENDOSCRIBE_LANGUAGE")
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, alias="ENDOSCRIBE_THREADS", ge=1)
    hung_after_s: float = Field(120, alias="ENDOSCRIBE_HUNG_AFTER_S", gt=0)
    extractor: Literal["auto", "claude", "openai", "offline"] = Field("auto", alias="ENDOSCRIBE_EXTRACTOR")
    claude_platform: Literal["api", "bedrock", "vertex"] = Field("api", alias="ENDOSCRIBE_CLAUDE_PLATFORM")
    openai_base_url: Annotated[str | None, EmptyAsNone] = Field(None, alias="OPENAI_BASE_URL")
    openai_model: Annotated[str | None, EmptyAsNone] = Field(None, alias="ENDOSCRIBE_OPENAI_MODEL")
    mask_identifiers: bool = Field(True, alias="ENDOSCRIBE_MASK_IDENTIFIERS")
    claude_model: str = Field("claude-sonnet-5-5", alias="ENDOSCRIBE_CLAUDE_MODEL")
    jurisdiction: Literal["us", "uk", "eu"] = Field("us", alias="ENDOSCRIBE_JURISDICTION")
    schema_dir: Annotated[Path | None, EmptyAsNone] = Field(None, alias="ENDOSCRIBE_SCHEMA_DIR")
    configured_data_dir: Annotated[Path | None, EmptyAsNone] = Field(None, alias="ENDOSCRIBE_DATA_DIR")
    database_url: Annotated[SecretStr | None, EmptyAsNone] = Field(None, alias="ENDOSCRIBE_DATABASE_URL")
    audio_url: Annotated[SecretStr | None, EmptyAsNone] = Field(None, alias="ENDOSCRIBE_AUDIO_URL")
    demo: bool = Field(False, alias="ENDOSCRIBE_DEMO")
    demo_minutes: int = Field(30, alias="ENDOSCRIBE_DEMO_MINUTES", ge=1)
    demo_dictations: int = Field(20, alias="ENDOSCRIBE_DEMO_DICTATIONS", ge=1)
    demo_dictation_minutes: float = Field(10, alias="ENDOSCRIBE_DEMO_DICTATION_MINUTES", gt=0)
    mcp: bool = Field(False, alias="ENDOSCRIBE_MCP")
    retention_days: int | None = Field(None, alias="ENDOSCRIBE_RETENTION_DAYS", ge=1)
    max_audio_minutes: float = Field(120, alias="ENDOSCRIBE_MAX_AUDIO_MINUTES", gt=0)
    max_upload_mb: int = Field(500, alias="ENDOSCRIBE_MAX_UPLOAD_MB", ge=1)
    uploads_per_hour: int = Field(300, alias="ENDOSCRIBE_UPLOADS_PER_HOUR", ge=1)
    extractions_per_hour: int = Field(1000, alias="ENDOSCRIBE_EXTRACTIONS_PER_HOUR", ge=1)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env")) -> Self:
        """Read `env_file`, then the environment over it.

        Raises SettingsError for an unknown ENDOSCRIBE_ name or an unusable value; the message names the setting and
        never shows its value, which may be a key.
        """
        environment, file = EnvSettingsSource(cls), DotEnvSettingsSource(cls, env_file)
        if environ is not None:
            environment.env_vars = environ
        known = {field.alias for field in cls.model_fields.values() if field.alias}
        for name in (*file.env_vars, *environment.env_vars):
            if name.startswith(PREFIX) and name not in known:
                raise SettingsError(_unknown_name(name, known))
        try:
            return cls(_build_sources=((environment, file), {}))
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise SettingsError(f"{first['loc'][0]} cannot be used: {first['msg']}.") from None

    @property
    def data_dir(self) -> Path:
        if self.configured_data_dir:
            return self.configured_data_dir
        return PRODUCTION_DATA_DIR if self.fly_app_name else LOCAL_DATA_DIR

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def host_names(self) -> frozenset[str] | None:
        """The names under which the page may be asked for; None is any.

        A page that listens on this machine alone answers to this machine's own names, or another site could give
        itself this address (DNS rebinding) and read along. A demonstration's link has a name that nobody knows before.
        """
        if self.configured_host_names:
            return frozenset(name.strip().casefold() for name in self.configured_host_names.split(","))
        return None if self.demo or not self.is_loopback else LOOPBACK_NAMES

    @property
    def longest_audio_minutes(self) -> float:
        """The longest recording that the page and the steps for programs take."""
        return min(self.max_audio_minutes, self.demo_dictation_minutes) if self.demo else self.max_audio_minutes

    @property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"

    @property
    def results_dir(self) -> Path:
        return self.data_dir / "results"

    @property
    def entry_dir(self) -> Path:
        """What signing in needs: the key of cookies."""
        return self.data_dir / "entry"

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"

    @property
    def extractor_name(self) -> Literal["claude", "openai", "offline"]:
        """The extractor that Submit uses: `auto` is Claude where a key or a cloud platform is set for it.

        Another vendor's key in the environment sends nobody's dictation there: `openai` must be chosen.
        """
        if self.extractor == "auto":
            return "claude" if self.anthropic_api_key or self.claude_platform != "api" else "offline"
        return self.extractor


def _unknown_name(name: str, known: set[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else " The known names are in .env.example."
    return f"There is no setting {name}.{hint}"
