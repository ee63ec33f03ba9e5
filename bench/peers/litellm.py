"""LiteLLM's proxy, one worker, nothing switched on."""

from __future__ import annotations

from bench.peers.install import python_folder
from bench.script import MODEL
from bench.subjects import Subject

_PACKAGES = ["litellm[proxy]>=1.60,<2"]
_CONFIG = f"""\
model_list:
  - model_name: {MODEL}
    litellm_params:
      model: openai/{MODEL}
      api_base: "{{upstream}}"
      api_key: sk-bench
"""


def subject() -> Subject:
    folder = python_folder("litellm", _PACKAGES)
    words = "--config litellm.yaml --host 127.0.0.1 --port {port} --num_workers 1 --telemetry False"
    return Subject(
        name="LiteLLM proxy",
        command=(str(folder / "litellm"), *words.split()),
        environment={
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            # It asks nobody who they are, as the other peers do not: on loopback, for the length of the run.
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        },
        files={"litellm.yaml": _CONFIG},
        path="/v1/chat/completions",
        ready_seconds=120,
    )
