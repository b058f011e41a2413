"""What a coordinator gets from several masked sums by adding and subtracting them: nothing about fewer than min_sites.

Three to six sites' own steps (site/masked.py) on numbers that are given here; the coordinator's part is played by hand,
so that it can ask for what the real one never would.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import doorway as d
import numpy as np
import pytest
import yaml

from kommunbench.core.answer import Answer, Code, Cost
from kommunbench.core.masking import Masking
from kommunbench.core.spec import Request
from kommunbench.privacy.secagg import (
    CARD_BYTES,
    SEALED_EXTRA_BYTES,
    SECRET_BYTES,
    SIGNATURE_BYTES,
    Masked,
)
from kommunbench.release import Identity, Ledger
from kommunbench.release.company import note_bytes
from kommunbench.release.masked import Layout, Sum, WithheldError, read_sum
from kommunbench.site.masked import MaskedAnswer
from kommunbench.site.settings import SiteSettings

METRICS = ("exact_match", "token_f1")


def asked(run="pilot-1", metrics=METRICS[:1]) -> Request:
    tasks = (d.task_ref(d.QA, metrics=metrics), d.task_ref(d.SHORT))
    spec = d.make_spec(run=run, privacy="secagg", min_sites=2, train=None, trained_model="", tasks=tasks)
    return Request(spec=spec, cells=(d.cell(),))


class Federation:
    """Sites' folders, and what each has to give."""

    def __init__(self, folder, names="abc"):
        self.sites = {name: SiteSettings(name=name, home=folder / name) for name in names}
        for name in names:
            (folder / name).mkdir(mode=0o700)
        keys = {name: Identity.of(folder / name).public for name in names}
        for name in names:
            (folder / name / "peers.yaml").write_text(yaml.safe_dump(keys))
        self.policy = d.make_policy(min_sites=2)
        self.sizes = {name: 40 + 15 * place for place, name in enumerate(names)}
        self.holds_back: dict[str, set[str]] = {name: set() for name in names}
        self.refused: list[tuple[str, str, Code]] = []

    def step(self, request: Request, name: str, step: str, session: str, **said) -> np.ndarray:
        asked = request.model_copy(update={"masking": Masking(step=step, session=session, **said)})
        home = self.sites[name].home
        ledger = Ledger(home / "ledger.jsonl", Identity.of(home))
        own = self.answer(request, name)
        return (
            MaskedAnswer(self.sites[name], self.policy, asked, ledger).release(None, lambda: (self.policy, own)).values
        )

    def answer(self, request: Request, name: str) -> Answer:
        n, slots = self.sizes[name], [s for s in request.slots() if s.key[1] not in self.holds_back[name]]
        cost = Cost(examples=n, prompt_tokens=100 * n, evaluate_ms=1000) if slots else Cost()
        return Answer(values={slot.key: d.row(slot, n) for slot in slots}, cost=cost)

    def asked_of(self, request: Request, names: Iterable[str], step: str, session: str, **said) -> dict[str, bytes]:
        """What those answer who do; who refuses is noted. `said` may differ by site."""
        found = {}
        for name in names:
            own = {key: value[name] if key == "sealed" else value for key, value in said.items()}
            try:
                found[name] = self.step(request, name, step, session, **own).tobytes()
            except WithheldError as error:
                self.refused.append((name, step, error.code))
        return found

    def begin(self, request: Request, members: str) -> tuple[str, dict[str, bytes]]:
        session = uuid.uuid4().hex
        cards = self.asked_of(request, members, "open", session)
        return session, {name: data[:CARD_BYTES] for name, data in cards.items()}

    def mask(self, request: Request, begun, lost="", threshold=2):
        """`lost` give no numbers."""
        session, cards = begun
        layout = Layout.of(request, None)
        keys = {name: card.hex() for name, card in cards.items()}
        one = SEALED_EXTRA_BYTES + 2 * SECRET_BYTES + note_bytes(len(layout.widths))
        dealt = self.asked_of(request, cards, "share", session, keys=keys, threshold=threshold)
        sealed: dict[str, dict[str, str]] = {name: {} for name in dealt}
        for writer, data in dealt.items():
            for place, reader in enumerate(name for name in sorted(dealt) if name != writer):
                sealed[reader][writer] = data[one * place :][:one].hex()
        masked = self.asked_of(request, [n for n in dealt if n not in lost], "mask", session, sealed=sealed)
        vectors = {name: np.frombuffer(data, "<u8").astype(np.uint64) for name, data in masked.items()}
        return Masked(session, request.work.digest, cards, sorted(dealt), vectors, threshold, layout.length)

    def unmask(self, request: Request, held: Masked, mute="") -> Sum | None:
        """`mute` sign nothing; None where the masks stay on."""
        session, there = held.id, tuple(sorted(held.vectors))
        signed = self.asked_of(request, [n for n in there if n not in mute], "confirm", session, survivors=there)
        confirmed = {name: data[:SIGNATURE_BYTES].hex() for name, data in signed.items()}
        revealed = self.asked_of(request, signed, "unmask", session, survivors=there, confirmed=confirmed)
        if len(revealed) < held.threshold:
            return None
        cut = {name: data[: SECRET_BYTES * len(held.members)] for name, data in revealed.items()}
        return read_sum(request, None, held.sum_of(held.recover(cut)), len(there))

    def sum(self, request: Request, members: str, mute="", **said) -> Sum | None:
        return self.unmask(request, self.mask(request, self.begin(request, members), **said), mute)


@pytest.fixture
def three(tmp_path) -> Federation:
    return Federation(tmp_path)


def given(found: Sum | None) -> list[int]:
    return [sites for _, sites, _ in found.slots]


def test_sums_over_each_two_of_three_sites_are_no_equations_to_solve(three):
    sums = [three.sum(asked(), members) for members in ("ab", "ac", "bc")]
    assert [given(found) for found in sums] == [[2], [0], [0]]
    assert sums[0].slots[0][2][0] == three.sizes["a"] + three.sizes["b"]
    assert given(three.sum(asked(run="again"), "ab")) == [2], "the same sites again tell nothing new"


def test_a_site_more_or_less_or_wholly_other_sites_get_no_second_sum(tmp_path):
    six = Federation(tmp_path, "abcdef")
    assert given(six.sum(asked(), "abc")) == [3]
    assert [given(six.sum(asked(), members, threshold=threshold)) for members, threshold in
            (("abcd", 3), ("ab", 2), ("abcdef", 4), ("ade", 2))] == [[0], [0], [0], [2]]  # fmt: skip


def test_the_company_is_who_gives_a_number_and_not_who_is_in_the_sum(three):
    """With the same three in both sums, a number that c gives to the second alone would be c's own."""
    three.holds_back["c"] = {METRICS[0]}
    assert given(three.sum(asked(), "abc")) == [2]
    three.holds_back["c"] = set()
    assert given(three.sum(asked(run="later"), "abc")) == [0]


def test_a_number_that_a_site_begins_to_hold_back_is_left_out_by_all(three):
    assert given(three.sum(asked(metrics=METRICS), "abc")) == [3, 3]
    three.holds_back["c"] = {METRICS[1]}
    assert given(three.sum(asked(run="later", metrics=METRICS), "abc")) == [3, 0]


def test_another_metric_counts_the_same_examples_so_it_has_the_same_company(three):
    assert given(three.sum(asked(metrics=METRICS[:1]), "ab")) == [2]
    assert given(three.sum(asked(metrics=METRICS[1:]), "abc")) == [0]
    assert given(three.sum(asked(metrics=METRICS[1:], run="other"), "ab")) == [2]


def test_metrics_of_one_sum_may_have_unlike_sites_behind_them_and_keep_them(three):
    three.holds_back["c"] = {METRICS[1]}
    for run in ("one", "two"):
        assert given(three.sum(asked(run=run, metrics=METRICS), "abc")) == [3, 2]
    three.holds_back["c"] = set()
    third = asked(run="three", metrics=("token_f1", "chrf"))
    assert given(three.sum(third, "abc")) == [0, 0], "token_f1 has lost its company, chrf is bound to two"


def test_who_signs_has_noted_its_company_and_a_sum_is_opened_with_enough_of_those(three):
    """Had a alone of the two noted it, b would be free to give the same number elsewhere."""
    three.holds_back["c"] = {METRICS[0]}
    assert three.sum(asked(), "abc", mute="b") is None
    assert {("a", "unmask", Code.TOO_FEW_SITES), ("c", "unmask", Code.TOO_FEW_SITES)} == set(three.refused)


def test_two_sums_at_once_are_not_both_the_only_one(three):
    """All have given numbers to both before they sign either."""
    one, two = asked(run="one"), asked(run="two")
    held = [three.mask(request, three.begin(request, members)) for request, members in ((one, "ab"), (two, "abc"))]
    assert given(three.unmask(one, held[0])) == [2]
    assert three.unmask(two, held[1]) is None
    assert {("a", "confirm", Code.SUM_CLOSED), ("b", "confirm", Code.SUM_CLOSED)} <= set(three.refused)


def test_a_site_that_is_lost_before_its_numbers_are_in_leaves_the_others_their_company(three):
    assert given(three.sum(asked(), "abc", lost="c")) == [2]
    assert given(three.sum(asked(run="again"), "ab")) == [2]
    assert given(three.sum(asked(run="back"), "abc")) == [0]


def test_what_it_took_has_a_company_too(three):
    """It was in the sum whoever gave it: with a site more, that site's own examples and tokens were the difference."""
    two = three.sum(asked(), "ab")
    assert (two.costed, two.cost.examples) == (2, 100)
    more = three.sum(asked(run="more"), "abc")
    assert (more.costed, more.cost) == (0, Cost())
    parts = asked(run="parts").model_copy(update={"cells": (d.cell(), d.cell(model="lead"))})
    assert three.sum(parts, "abc").costed == 0, "what one cell cost is known of two, so it is not told of three"
    again = three.sum(asked(run="again"), "ab")
    assert (again.costed, again.cost) == (2, two.cost)


def test_what_it_took_one_site_alone_is_not_told(three):
    three.holds_back |= {"a": {METRICS[0]}, "b": {METRICS[0]}}
    found = three.sum(asked(), "abc")
    assert (found.costed, found.cost) == (0, Cost())


def test_what_was_opened_before_another_sum_left_is_held_against_it_when_it_leaves(three):
    """Two runs are opened, an example comes in between, and then both are masked."""
    one, two = asked(run="one"), asked(run="two")
    first = three.begin(one, "abc")
    three.sizes["c"] += 1
    second = three.begin(two, "abc")
    assert given(three.unmask(one, three.mask(one, first))) == [3]
    held = three.mask(two, second)
    assert ("c", "mask", Code.SMALL_CELL) in three.refused
    assert set(held.vectors) == {"a", "b"}
    assert three.unmask(two, held) is None, "a and b gave theirs with c"


def test_the_same_examples_leave_in_another_sum_and_so_do_many_more(three):
    requests = [asked(run="one"), asked(run="two"), asked(run="three", metrics=METRICS[1:])]
    begun = [three.begin(request, "abc") for request in requests[:2]]
    three.sizes["c"] += three.policy.min_difference
    begun.append(three.begin(requests[2], "abc"))
    for request, started in zip(requests, begun, strict=True):
        assert given(three.unmask(request, three.mask(request, started))) == [3]
    assert not three.refused
