"""Speech replicas alone, on a Ray cluster: `serve run deploy/serve.yaml`, from the project's folder.

Pages join them with `python -m endoscribe serve --ray --address auto`. One replica takes one GPU, or a core where
ENDOSCRIBE_DEVICE is `cpu`.
"""

from endoscribe.settings import Settings
from endoscribe.speech.replicas import Fleet, application, load_from_environment

settings = Settings.from_environment()
gpus_each = 0.0 if settings.device == "cpu" else 1.0
app = application(
    load_from_environment, Fleet(at_most=8, at_least=0, gpus_each=gpus_each, hung_after_s=settings.hung_after_s)
)
