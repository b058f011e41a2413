"""What this site said no to, in its own log: what was asked, what is so here, and what its people can do now.

The coordinator is told a code and no more; the sentences here have what only the site knows.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime

from kommunbench import __version__
from kommunbench.core.answer import Code
from kommunbench.core.errors import Fault, KommunbenchError, TaskError
from kommunbench.core.folders import overlay
from kommunbench.core.spec import Cell, Request
from kommunbench.core.task import load_task
from kommunbench.release import Ledger, Release, ReleasePolicy, read_policy
from kommunbench.release.past import MINUTE_MS, Past
from kommunbench.site.settings import SiteSettings

log = logging.getLogger("kommunbench.site")
SHOWN = 12
"""Digits of a digest, or characters of a version, that are enough to tell two apart."""
WHOLE = (Code.VERSION_MISMATCH, Code.FOREIGN_BUNDLE)
"""Refused before the policy was read: nothing else is worth saying."""


def log_refusals(settings: SiteSettings, request: Request, release: Release) -> None:
    """Write a line for each thing that `release` refuses and that people here can do something about."""
    for code, fault in refusals(settings, request, release):
        log.error("refused (%s): %s", code.name, fault)


def refusals(settings: SiteSettings, request: Request, release: Release) -> Iterator[tuple[Code, Fault]]:
    """Each refusal in `release`, the reply to `request`, with its code; one for a task, however many its numbers."""
    found = {Code(code) for code in release.codes.tolist()} | {release.code, release.adapter_code}
    run = f"run {request.spec.run}"
    if Code.VERSION_MISMATCH in found:
        yield Code.VERSION_MISMATCH, _version(request, run)
    if found & set(WHOLE):
        return
    keys = dict.fromkeys(
        (Code(code), name)
        for slot, code in zip(request.slots(), release.codes.tolist(), strict=False)
        for name in _asked(slot.key, Code(code))
    )
    for code, name in keys:
        yield code, _task(settings, request, name, run) if code is Code.TASK_NOT_APPROVED else _model(name, run)
    if found & {Code.OVER_LIMIT, Code.BUDGET_SPENT}:
        yield from _limits(settings, request, found, run)


def _asked(key: tuple[object, ...], code: Code) -> Iterator[str]:
    """The names of the tasks or models in a slot's key that such a code is about."""
    place = {Code.TASK_NOT_APPROVED: "task", Code.MODEL_NOT_APPROVED: "model"}.get(code)
    if place is not None:
        yield from (getattr(part, place) for part in key if isinstance(part, Cell))


def _version(request: Request, run: str) -> Fault:
    asked = _shown(request.spec.kommunbench)
    do = f"runs need the same on both sides: install {asked} here, or ask the coordinator for {__version__}"
    return Fault(f"asked by kommunbench {asked}, and this site has {__version__}", run, do)


def _shown(sent: str) -> str:
    """The beginning of what the coordinator sent, without anything that could look like a line of our own."""
    return re.sub(r"[^0-9A-Za-z.+-]", "?", sent)[:SHOWN]


def _task(settings: SiteSettings, request: Request, name: str, run: str) -> Fault:
    asked = _shown(request.spec.task(name).digest)
    try:
        own = load_task(name, (*settings.tasks, *overlay("tasks"))).digest[:SHOWN]
        here = f"the one here is {own}" if own != asked else "it is the one here, and site.yaml names another, or none"
    except TaskError:
        here = "none of that name is here"
    do = f"`kommunbench site task diff {name}` shows what changed, `site task approve {name}` says yes to what is here"
    return Fault(f"task {name} ({asked}) is not approved: {here}", run, do)


def _model(name: str, run: str) -> Fault:
    do = "`kommunbench site model list` shows what is here, `site model add` adds one, models in site.yaml approves"
    return Fault(f"model {name}, as the run names it, is not here or not approved", run, do)


def _limits(settings: SiteSettings, request: Request, found: set[Code], run: str) -> Iterator[tuple[Code, Fault]]:
    """Which of the policy's limits stand in the way, with how far the run is past them."""
    do = f"the limits are in {settings.policy_path}; change them if you want, or do nothing"
    try:
        policy = read_policy(settings.policy_path)
        past = Past.of(Ledger(settings.ledger_path).remembered(), request.spec.digest)
    except (OSError, KommunbenchError):
        return
    if Code.OVER_LIMIT in found:
        words = "; ".join(_spent(policy, past, request)) or "it asks for more than one of the limits"
        yield Code.OVER_LIMIT, Fault(words, run, do)
    if Code.BUDGET_SPENT in found:
        limits = f"{policy.epsilon_a_run:g} a run and {policy.epsilon_a_year:g} a year"
        yield Code.BUDGET_SPENT, Fault(f"it would cost more epsilon than is left of {limits}", run, do)


def _spent(policy: ReleasePolicy, past: Past, request: Request) -> Iterator[str]:
    now = datetime.now().astimezone()
    if policy.hours != "always" and not policy.open_at(now):
        yield f"hours: {policy.hours}, and it is {now:%H:%M}"
    if policy.runs_a_year and past.runs >= policy.runs_a_year:
        yield f"runs_a_year: {policy.runs_a_year}, and {past.runs} other runs had their numbers in the last 365 days"
    if policy.max_minutes and past.ms >= policy.max_minutes * MINUTE_MS:
        yield f"max_minutes: {policy.max_minutes}, and the run has had {past.ms / MINUTE_MS:.0f}"
    for task in request.spec.tasks:
        if task.max_new_tokens > policy.max_new_tokens:
            yield f"max_new_tokens: {policy.max_new_tokens}, and task {task.name} asks for {task.max_new_tokens}"
