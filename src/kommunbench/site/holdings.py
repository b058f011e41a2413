"""What of a run the site holds: a code for each task, model and data set, and no number.

It is what the run itself would hear, before anybody works for it: whether the digests are the same, whether there is
text, and which rule of the policy says no.
"""

from __future__ import annotations

from collections.abc import Mapping

from kommunbench.core.answer import Answer, Code
from kommunbench.core.spec import Request, TaskRef
from kommunbench.core.task import Task
from kommunbench.release import ReleasePolicy
from kommunbench.site.data import SiteData
from kommunbench.site.log import log_failure


def tell_holdings(request: Request, policy: ReleasePolicy, tasks: Mapping[str, Task], data: SiteData) -> Answer:
    """A code for each of the request's slots. `tasks`: those installed here, by name."""
    codes: dict[tuple[object, ...], Code] = {}
    for slot in request.slots():
        code = policy.holding_code(request, slot)
        if code is Code.OK and slot.key[0] == "data":
            code = _data_code(policy, request.spec.task(str(slot.key[1])), tasks, data)
        codes[slot.key] = code
    return Answer(codes=codes)


def _data_code(policy: ReleasePolicy, ref: TaskRef, tasks: Mapping[str, Task], data: SiteData) -> Code:
    """Whether there are test examples of an approved task, and enough for any number to leave."""
    try:
        count = len(data.split(tasks[ref.name], "test"))
    except Exception as error:
        log_failure(f"data for {ref.name}", error)
        return Code.DATA_FAULT
    if not count:
        return Code.NO_DATA
    most = policy.examples(ref)
    few = (min(count, most) if most else count) < policy.min_examples
    return Code.TOO_FEW_EXAMPLES if few else Code.OK
