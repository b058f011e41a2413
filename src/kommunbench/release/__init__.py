"""The door: everything that leaves a site goes through here.

What a data-protection officer can check in this folder, in the order of reading:

1. `policy.py`      what this site allows. Every default is the careful one; no run can loosen it.
2. `site_yaml.py`   reading it from site.yaml. Absent or broken means that nothing leaves.
3. `cells.py`       the rules on numbers: how many examples must stand behind one, and which small counts stay.
4. `past.py`        what has left before, so that it cannot be subtracted from what leaves now.
5. `rounding.py`    coarser numbers, where the policy wants them; `noise.py`, numbers with noise, where the run does;
                    `budget.py`, what differential privacy has cost so far and may still cost.
6. `adapter.py`     the rules on trained weights, where the policy lets them leave at all.
7. `review.py`      goes through the reply slot by slot and makes the `Release`; the coordinator's side is there too.
8. `sealed.py`      what a Release is, and the exact bytes that leave.
9. `approval.py`    what waits for a person's yes, where the policy asks for it; `preview.py`, the page to look at.
10. `ledger.py`     the line that is written before those bytes leave, and how to see that nobody changed it.
11. `receipt.py`    what the site signs about them with its own key (`identity.py`): 504 bytes without a word, with what
                    is installed as digests (`installation.py`); `proof.py`, whether one fits an answer.
12. `door.py`       `let_out` puts them together: the one way out of a run.
13. `masked.py`     the same rules where only a sum over sites may be read (privacy/secagg.py masks it);
                    `company.py`, with whom a number was summed before; `peers.py`, whose keys this site knows.
14. `statistics.py` the same rules on what a stand-in data set may be made of (`kommunbench site synth`).

How it works. The coordinator sends names, digests and numbers. From them the site and the coordinator work out, each
for itself, the same list of places ("slots"), one for each metric of each model on each task, with so many integers
each. The reply is those integers, one code a slot and nothing else: there is nowhere to put a word. Each slot starts as
zeros with a code that says why, and is filled only when the task and the model are the very ones installed and approved
here, the metric is allowed, at least `min_examples` examples were scored, no count of a kind of example is small, and
every number is a whole number within the bounds that its metric states. Trained weights stay unless `adapters: allow`.

When anything goes wrong in here, the reply is all zeros and the code INTERNAL. No message, name or trace of an
exception leaves; the site's own log gets the place in the code and not the message, which could quote an example.

Differential privacy. A run may ask for noise on every sum, or for training that shows no single example, and a policy
may demand it (`noise: required`, `training: private`). The unit is one example. Epsilon covers the numbers, or the
weights; not the codes (that a number is held back, and why), or time. Exact counts in costs stay where there is noise.

What is not promised. Sums over at least `min_examples` examples do leave, exact. Sets of the same size that differ in
single examples are not told apart, so what an exchanged example did to a sum can be seen; the time that a reply takes
can be measured; how many rows could not be scored leaves as it is. That the installed code is ours is for municipal IT
to see to: Python cannot hold against code that already runs inside. Trained weights can remember text.
"""

from kommunbench.release.adapter import reach, steps_of, update_code, update_norm
from kommunbench.release.approval import Approvals, Waiting
from kommunbench.release.door import admit, left_ms, let_out
from kommunbench.release.identity import Identity
from kommunbench.release.ledger import Finding, Ledger, verify
from kommunbench.release.policy import ReleasePolicy
from kommunbench.release.preview import preview_page
from kommunbench.release.proof import check_receipt
from kommunbench.release.receipt import Receipt
from kommunbench.release.review import COST_UNIT, refuse, review, unpack, unpack_cost, unpack_status
from kommunbench.release.sealed import Release, payload
from kommunbench.release.site_yaml import NoPolicyError, read_policy, read_weights
from kommunbench.release.statistics import Statistics, let_out_statistics

__all__ = [
    "COST_UNIT",
    "Approvals",
    "Finding",
    "Identity",
    "Ledger",
    "NoPolicyError",
    "Receipt",
    "Release",
    "ReleasePolicy",
    "Statistics",
    "Waiting",
    "admit",
    "check_receipt",
    "left_ms",
    "let_out",
    "let_out_statistics",
    "payload",
    "preview_page",
    "reach",
    "read_policy",
    "read_weights",
    "refuse",
    "review",
    "steps_of",
    "unpack",
    "unpack_cost",
    "unpack_status",
    "update_code",
    "update_norm",
    "verify",
]
