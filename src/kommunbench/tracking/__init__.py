"""A run's folder into MLflow, so that runs can be listed, filtered, compared and read by people.

    experiment kommunbench/<federation>
    └── <run>                         level=run     gains with intervals, cost by round, report, figures, specification
        └── <model> <prompt> <stage>  level=system  <task>/<measure> by round
            └── <site>                level=site    the same names, where the site lets its own values out

    nodes.py    report -> the runs to be, with no MLflow in it; the names of metrics, parameters and tags are there
    store.py    those runs into a store, once each, however often they are logged
    artifacts.py  which files go with a run
    machine.py  what the machine did meanwhile
    adapter.py  the trained adapter as a registered model that can be loaded again

Only what the coordinator was given is read: spec.json, report.json, the figures, the receipts, the evidence bundle, the
machine's load, replies' costs and the adapter. What else lies in the folder is never opened. Nothing is sent to anyone
but the store.
"""

from kommunbench.tracking.settings import TrackingSettings
from kommunbench.tracking.store import RunStatus, find_experiment, log_evidence, log_run

__all__ = ["RunStatus", "TrackingSettings", "find_experiment", "log_evidence", "log_run"]
