# SPDX-License-Identifier: MIT
"""Other gateways, doing the same job: an OpenAI chat request, proxied to the simulator. tests/bench/peers.sh installs them.
"""
import json
import os

from suite.processes import family_of
from suite.proxies import Proxy


class Peer(Proxy):
    """Another gateway: slower, so its windows are longer; its whole family of processes counts."""
    peer = True
    patience = 4
    most = 4
    folder = ""

    def pids(self):
        return family_of(self.process.pid)

    @classmethod
    def missing(cls, build):
        """Why it can't be run here: what the installation wrote down."""
        folder = f"{build}/peers/{cls.folder}"
        if os.path.exists(f"{folder}/version"):
            return None
        try:
            with open(f"{folder}/reason", encoding="utf-8") as file:
                return file.read().strip()
        except FileNotFoundError:
            return "not installed: make bench-peers installs it"

    @classmethod
    def version(cls, build):
        """The version that was installed."""
        with open(f"{build}/peers/{cls.folder}/version", encoding="utf-8") as file:
            return file.read().strip()


class Portkey(Peer):
    """@portkey-ai/gateway of npm, on node; configured by a header of each request."""
    name = folder = "portkey"

    def start(self):
        target = {"provider": "openai", "custom_host": f"http://127.0.0.1:{self.upstream.port}/v1", "api_key": "none"}
        self.header = "x-portkey-config: " + json.dumps(target)
        script = f"{self.build}/peers/portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
        self.run(["node", script, "--headless", f"--port={self.port}"], seconds=30)


class LiteLLM(Peer):
    """litellm[proxy] of PyPI with one worker, without keys, database and telemetry."""
    name = folder = "litellm"
    patience = 6

    def start(self):
        config = self.stage.file("litellm.yaml", f"""
model_list:
  - model_name: demo
    litellm_params:
      model: openai/model-1
      api_base: http://127.0.0.1:{self.upstream.port}/v1
      api_key: none
litellm_settings:
  telemetry: false
""")
        environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "HF_HUB_OFFLINE": "1",
                       "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
        self.run([f"{self.build}/peers/litellm/bin/litellm", "--config", config, "--host", "127.0.0.1", "--port",
                  str(self.port), "--num_workers", "1", "--telemetry", "False"], environment, seconds=90)


class Bifrost(Peer):
    """github.com/maximhq/bifrost of the Go module proxy, which did not serve it where this was written: not seen running."""
    name = folder = "bifrost"

    def start(self):
        config = {"providers": {"openai": {
            "keys": [{"name": "sim", "value": "none", "models": ["llama-3-8b"], "weight": 1.0}],
            "network_config": {"base_url": f"http://127.0.0.1:{self.upstream.port}"}}}}
        self.stage.file("config.json", json.dumps(config))
        self.run([f"{self.build}/peers/bifrost/bin/bifrost-http", "-host", "127.0.0.1", "-port", str(self.port), "-app-dir",
                  self.stage.folder], seconds=30)


PEERS = [Bifrost, Portkey, LiteLLM]
