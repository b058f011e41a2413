"""Who was invited, who answered, who is missing and why, and what it all cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from kommunbench.core.answer import Code, Cost
from kommunbench.core.masking import MASKED_SUM
from kommunbench.core.spec import Cell
from kommunbench.core.task import Bilingual
from kommunbench.report.codes import Outcome, outcome, reply_outcome, reply_sentence, sentence
from kommunbench.report.record import ALONE, Received, RosterSite
from kommunbench.report.rows import Absence, CostRow, SiteRow, SiteStatus

NO_REPLY = "NO_REPLY"


About = Literal["reply", "training", "task"]


@dataclass(slots=True)
class _Lack:
    words: Bilingual
    moments: dict[str, None] = field(default_factory=dict)
    metrics: dict[str, None] = field(default_factory=dict)


class _Found(NamedTuple):
    """One thing that a reply does not give."""

    about: About
    task: str | None
    outcome: Outcome
    code: str
    words: Bilingual
    metric: str = ""


def site_rows(roster: Sequence[RosterSite], received: Sequence[Received]) -> tuple[SiteRow, ...]:
    """A row for every invited site, in the roster's order."""
    moments = sorted({reply.moment for reply in received}, key=lambda moment: (moment.endswith("close"), moment))
    replies = {(reply.site, reply.moment): reply for reply in received}
    masked = any(reply.site == MASKED_SUM for reply in received)
    return tuple(
        _site_row(
            site,
            {
                moment: replies.get((site.name, moment))
                for moment in moments
                if site.trains or not moment.endswith(ALONE)
            },
            masked,
        )
        for site in roster
    )


def cost_row(received: Sequence[Received]) -> CostRow:
    """Totals over all replies; what it took an answer over those alone that tell how many answers there were."""

    def total(name: str) -> int:
        return sum(getattr(reply.cost, name) for reply in received)

    examples = total("examples")

    def mean(name: str) -> float | None:
        told = sum(getattr(reply.cost, name) for reply in received if reply.cost.examples)
        return told / examples if examples else None

    evaluate_ms = mean("evaluate_ms")

    return CostRow(
        replies=sum(reply.site != MASKED_SUM for reply in received),
        seconds=sum(reply.seconds for reply in received),
        evaluate_seconds=total("evaluate_ms") / 1000,
        train_seconds=total("train_ms") / 1000,
        bytes_in=sum(reply.bytes_in for reply in received),
        bytes_out=sum(reply.bytes_out for reply in received),
        energy_j=total("energy_j") or None,
        untold=sum(map(_untold, received)),
        seconds_an_example=None if evaluate_ms is None else evaluate_ms / 1000,
        prompt_tokens_an_example=mean("prompt_tokens"),
        new_tokens_an_example=mean("new_tokens"),
        **{
            name: total(name)
            for name in Cost.__dataclass_fields__
            if name in CostRow.model_fields and name != "energy_j"
        },
    )


def _untold(reply: Received) -> bool:
    """Whether it is a sum whose cost was left out. What closes a run, or asks for ratings, costs nothing."""
    free = reply.moment.endswith("close") or reply.moment.startswith("ratings-")
    return reply.site == MASKED_SUM and reply.status == "ok" and not reply.costed and not free


def _site_row(site: RosterSite, replies: dict[str, Received | None], masked: bool) -> SiteRow:
    lacks: dict[tuple[About, str | None, Outcome, str], _Lack] = {}
    for moment, reply in replies.items():
        for found in _lacks(site, reply):
            lack = lacks.setdefault((found.about, found.task, found.outcome, found.code), _Lack(found.words))
            lack.moments[moment] = None
            if found.metric:
                lack.metrics[found.metric] = None
    given = [reply for reply in replies.values() if reply is not None]
    return SiteRow(
        name=site.name,
        title=site.title,
        kind=site.kind,
        trains=site.trains,
        status=_status(replies.values(), any(kind is not Outcome.NOTED for _, _, kind, _ in lacks), masked),
        absences=tuple(
            Absence(
                about=about,
                task=task,
                outcome=str(kind),
                code=code,
                sv=lack.words.sv,
                en=lack.words.en,
                moments=tuple(lack.moments),
                metrics=tuple(lack.metrics),
            )
            for (about, task, kind, code), lack in lacks.items()
        ),
        seconds=sum(reply.seconds for reply in given),
        examples=sum(reply.cost.examples for reply in given),
        bytes_in=sum(reply.bytes_in for reply in given),
        bytes_out=sum(reply.bytes_out for reply in given),
        rounding=max((reply.rounding for reply in given), default=1),
        epsilon=max((reply.cost.epsilon_hundredths for reply in given), default=0) / 100 or None,
    )


def _lacks(site: RosterSite, reply: Received | None) -> Iterable[_Found]:
    whole = reply_outcome(reply)
    if reply is None or whole is not Outcome.RELEASED:
        absence = reply.absence.upper() if reply is not None and reply.absence else NO_REPLY
        name = absence if reply is None or reply.code is Code.OK else reply.code.name
        yield _Found("reply", None, whole, name, reply_sentence(reply))
        return
    code = reply.adapter_code
    if site.trains and code is not Code.OK:
        yield _Found("training", None, outcome(code), code.name, sentence(code))
    for key, code, _ in reply.slots:
        if code is not Code.OK and outcome(code) is not Outcome.UNAVAILABLE:
            yield _Found("task", Cell(*key[0]).task, outcome(code), code.name, sentence(code), _metric(key))


def _metric(key: tuple[object, ...]) -> str:
    return next(str(part) for part in key[1:] if isinstance(part, str))


def _status(replies: Iterable[Received | None], lacks: bool, masked: bool) -> SiteStatus:
    """`partly` where anything was released and something lacks; else the gravest thing that stood in the way."""
    outcomes = [reply_outcome(reply) for reply in replies]
    released = any(
        reply is not None
        and reply_outcome(reply) is Outcome.RELEASED
        and (masked or any(code is Code.OK for _, code, _ in reply.slots))
        for reply in replies
    )
    if released:
        return "partly" if lacks else "ok"
    if Outcome.REFUSED in outcomes:
        return "refused"
    if Outcome.FAILED in outcomes:
        return "failed"
    return "missing" if Outcome.MISSING in outcomes or not lacks else "suppressed"
