"""Speech replicas alone, on a Ray cluster: `serve run --name endoscribe-speech --route-prefix / deploy.serve_app:app`.

Pages join them with `python -m endoscribe serve --ray --address auto`. One replica takes one GPU.
"""

from endoscribe.settings import Settings
from endoscribe.speech.replicas import Fleet, application, load_from_environment

hung_after_s = Settings.from_environment().hung_after_s
app = application(load_from_environment, Fleet(at_most=8, at_least=0, gpus_each=1.0, hung_after_s=hung_after_s))
