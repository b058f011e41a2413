"""The one way out of a site: review, approval where the policy asks for it, a ledger line on disk, then the Release.

admit                       before any work: is there anything that the policy could let out?
let_out                     after it, with the ledger locked:
    reviewed                    what was approved, or else
        review  (review.py)         every rule on every number
        hold    (approval.py)       what a person must see first waits, and what leaves is without it
    enter   (ledger.py)         the line on disk, and the receipt; then the Release may leave
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kommunbench.core.answer import Answer, Code
from kommunbench.core.model import Adapter
from kommunbench.core.spec import Request
from kommunbench.release.approval import Approvals
from kommunbench.release.budget import noised_tallies
from kommunbench.release.ledger import Ledger
from kommunbench.release.past import MINUTE_MS, Past
from kommunbench.release.policy import ReleasePolicy
from kommunbench.release.review import log_place, private_code, readmit, refuse, review
from kommunbench.release.sealed import Release


def let_out(
    policy: ReleasePolicy, request: Request, answer: Answer, received_adapter: Adapter | None, ledger: Ledger
) -> Release:
    """What leaves as the reply to `request`, with its line in the ledger already on disk.

    Where the policy wants a person's yes, the bytes are kept (`Approvals`) and PENDING is answered at once: for the
    whole reply with `results: approve`, for the weights alone with `adapters: approve`. The same request again, once
    they are approved, lets out those very bytes. Where the ledger or what waits cannot be read or written, or the
    ledger is not whole, nothing leaves: the reply is `refuse(Code.INTERNAL)`.
    """
    if type(policy) is not ReleasePolicy:
        return refuse(Code.POLICY_MISSING, request, ledger)
    try:
        with ledger.alone():  # two replies at once must not spend the same budget
            release, approved_by, known, past = reviewed(policy, request, answer, received_adapter, ledger)
            dp = _spent(request, release, known, past)
            return ledger.enter(release, request, policy, approved_by, known, dp)
    except Exception as error:
        log_place("no ledger line, so nothing leaves", error)
        return refuse(Code.INTERNAL, request)


def reviewed(
    policy: ReleasePolicy, request: Request, answer: Answer, received_adapter: Adapter | None, ledger: Ledger
) -> tuple[Release, str, Answer, Past]:
    """What may leave, and who approved it where someone did. It has no line in the ledger yet, so it must not leave.

    With it what the ledger needs to describe it: the answer that it was made of, and what had left before. What waits
    or was approved is known by the request's work: in a masked sum it is the same in every step and try.

    Raises:
        OSError: the ledger or what waits cannot be read or written.
        PolicyError: the ledger is not whole, or the bytes that were approved are not there.
    """
    past = Past.of(ledger.remembered(), request.spec.digest)
    approvals = Approvals(ledger)
    decided = approvals.decided(request.work, policy)
    if decided is not None and decided.decision == "approved":
        release = readmit(policy, request, (approvals.bytes_of(decided), decided.sets), received_adapter, past)
        if (code := _budget_code(policy, request, release, answer, past)) is not Code.OK:
            release = refuse(code, request)
        return release, decided.by, replace(answer, registrations=decided.data), past
    release = review(policy, request, answer, received_adapter, past)
    if _awaits(policy, release):
        if decided is None:
            approvals.hold(release, request.work, policy, answer.registrations)
        release = _without(policy, request, answer, past, denied=decided is not None)
    return release, "", answer, past


def _budget_code(policy: ReleasePolicy, request: Request, release: Release, answer: Answer, past: Past) -> Code:
    """OK where the budget has room for a release that was approved earlier."""
    more = noised_tallies(request, release.codes)
    with_tallies = replace(past, spent=past.spent.with_tallies(more))
    if release.adapter:
        return private_code(policy, request, answer, with_tallies)
    return with_tallies.spent.code(policy, request.spec.dp) if more else Code.OK


def _spent(request: Request, release: Release, answer: Answer, past: Past) -> dict[str, Any]:
    """What the ledger says of the epsilon of the run, with what `release` adds to it."""
    steps = answer.private_steps if release.adapter else None
    more = noised_tallies(request, release.codes)
    total = past.spent.with_tallies(more)
    return (total.with_training(steps) if steps else total).line(request.spec.dp, steps, more)


def _awaits(policy: ReleasePolicy, release: Release) -> bool:
    """Whether a person must see what is in `release` first."""
    numbers = policy.results == "approve" and len(release.values) and bool((release.codes == Code.OK).any())
    weights = "approve" in (policy.results, policy.adapters) and bool(release.adapter)
    return bool(numbers or weights)


def _without(policy: ReleasePolicy, request: Request, answer: Answer, past: Past, denied: bool) -> Release:
    """What leaves while something waits, or when a person has said no: everything that needs no approval."""
    if policy.results == "approve":
        return refuse(Code.METRIC_NOT_ALLOWED if denied else Code.PENDING, request)
    code = Code.ADAPTER_DENIED if denied else Code.PENDING
    return review(policy, request, replace(answer, adapter=None, adapter_code=code), None, past)


def admit(policy: ReleasePolicy, request: Request, ledger: Ledger) -> Code:
    """What a site asks before it works: OK unless the policy already says no to everything.

    That is so outside its hours, where its runs of a year or the run's minutes are spent, and where a reply would show
    this site's own sums and only sums over several sites may be seen. `let_out` asks again for all but the minutes; a
    closing message asks for no work. Raises OSError where the ledger cannot be read, PolicyError where it is not whole.
    """
    past = Past.of(ledger.remembered(), request.spec.digest)
    verdicts = [policy.sum_code(request), past.run_code(policy)]
    verdicts += [past.work_code(policy)] if request.action == "work" else []
    return next((code for code in verdicts if code is not Code.OK), Code.OK)


def left_ms(policy: ReleasePolicy, request: Request, ledger: Ledger) -> int | None:
    """How much of the policy's minutes the run has left, in milliseconds; None where there is no limit."""
    if not policy.max_minutes:
        return None
    return policy.max_minutes * MINUTE_MS - Past.of(ledger.remembered(), request.spec.digest).ms
