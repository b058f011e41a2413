"""The ServerApp: the same in simulation and deployed. What it does is rounds.py; the report is made from its files."""

from __future__ import annotations

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from kommunbench.federation.holdings import ask_holdings
from kommunbench.federation.plan import Plan
from kommunbench.federation.ratings import ask_ratings
from kommunbench.federation.rounds import Rounds

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the plan that Flower's run config carries under the key `plan`."""
    rounds = Rounds(grid, Plan.model_validate_json(str(context.run_config["plan"])))
    if rounds.plan.ask == "ratings":
        ask_ratings(rounds)
    elif rounds.plan.ask == "holdings":
        ask_holdings(rounds)
    else:
        rounds.run()
