"""A straightforward Flower and PEFT script on Flower's simulation engine. `flower_peft.py LOAD`.

FedAvg of Flower's own strategies; an actor keeps the model between messages, which examples do not, since opening it
anew would be most of the time. Prints one line of JSON: seconds of each round but the first.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from lora_loop import Learner, Load, opened

FOLDER = sys.argv[1]
client, server = ClientApp(), ServerApp()


@client.train()
def train(message: Message, context: Context) -> Message:
    load, own, rows = opened(FOLDER)
    site = load.sites[int(context.node_config["partition-id"])]
    if site not in rows:
        rows[site] = own.encode(load.pairs(site))
    own.load(message.content["arrays"].to_torch_state_dict())
    loss = own.train(rows[site], int(message.content["config"]["server-round"]))
    metrics = MetricRecord({"num-examples": len(rows[site]), "loss": loss})
    return Message(RecordDict({"arrays": ArrayRecord(own.weights()), "metrics": metrics}), reply_to=message)


class Timed(FedAvg):
    """FedAvg that notes when a round's messages go out and when its average is made."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.begun, self.seconds = 0.0, []

    def configure_train(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.begun = time.perf_counter()
        return super().configure_train(*args, **kwargs)

    def aggregate_train(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        result = super().aggregate_train(*args, **kwargs)
        self.seconds.append(time.perf_counter() - self.begun)
        return result


@server.main()
def main(grid: Grid, _: Context) -> None:
    load = Load(FOLDER)
    count = len(load.sites)
    strategy = Timed(fraction_evaluate=0.0, min_available_nodes=count, min_train_nodes=count)
    result = strategy.start(grid=grid, initial_arrays=ArrayRecord(Learner(load).weights()), num_rounds=load.rounds)
    torch.save(result.arrays.to_torch_state_dict(), load.folder / "flower.pt")
    print(json.dumps({"round_s": strategy.seconds[1:]}), flush=True)


if __name__ == "__main__":
    load = Load(FOLDER)
    resources = {
        "init_args": {"num_cpus": load.settings["cores"], "log_to_driver": False, "logging_level": "error"},
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
    }
    run_simulation(server, client, len(load.sites), backend_config=resources)
