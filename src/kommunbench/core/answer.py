"""What a site says back: numbers by slot, a code where there is none, what it cost, and trained weights.

An `Answer` is what was worked out, before the door has seen it; codes and costs cross the wire as numbers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, unique

from kommunbench.core.dp import PrivateSteps
from kommunbench.core.metric import Tally
from kommunbench.core.model import Adapter


@unique
class Code(IntEnum):
    """What a site says of a slot or of a whole reply, instead of words. Stable: new codes are only added."""

    OK = 0
    PENDING = 1
    """Awaits approval at the site."""
    TOO_FEW_EXAMPLES = 10
    """Fewer scored examples than the site's `min_examples`."""
    SMALL_CELL = 11
    """A count of some kind of example is between 1 and `min_cell` - 1."""
    NO_DATA = 12
    """The site has no file for the task."""
    NOT_AVAILABLE = 13
    """What the slot asks about was not evaluated here, or is no longer kept."""
    TOO_FEW_SITES = 14
    """Fewer sites stand behind the sum than `min_sites` asks for, or one site's own numbers were asked for."""
    NO_READING = 15
    """No model here gives what the metric needs: the answering model no likelihood, the site no tagger or encoder."""
    TASK_NOT_APPROVED = 20
    MODEL_NOT_APPROVED = 21
    METRIC_NOT_ALLOWED = 22
    TRAINING_DENIED = 23
    ADAPTER_DENIED = 24
    OVER_LIMIT = 25
    """More examples, minutes or tokens than the site's policy allows."""
    POLICY_MISSING = 30
    POLICY_BROKEN = 31
    VERSION_MISMATCH = 32
    BAD_REQUEST = 33
    UNKNOWN_KEY = 34
    """A key or a signature is not that of a site which this one knows, or this one knows none."""
    SUM_CLOSED = 35
    """A masked sum of this is closed, or over other sites: another one less it would show single sites."""
    FOREIGN_BUNDLE = 36
    """The Flower app bundle that came with the message is not kommunbench's own; nothing of it was unpacked."""
    BAD_UPDATE = 40
    """The site's own adapter update is not finite, or not of the shape that was sent."""
    UPDATE_TOO_LARGE = 41
    """An adapter update is longer than its steps could make it, than a policy allows, or than the others' by far."""
    UPDATE_AGAINST = 42
    """An adapter update points away from those of the other sites."""
    MEMORISED = 43
    """Trained weights tell too much of single examples, or nobody could measure how much; they stay."""
    DATA_FAULT = 50
    """The site's data cannot be read as examples; the site's log says where."""
    MODEL_FAULT = 51
    READING_FAULT = 52
    """What a metric needs was to be read of the answers, and that failed; the site's log says where."""
    BAD_RECEIPT = 60
    """The coordinator's word: the reply's receipt is absent, not the site's, or about something else."""
    BUDGET_SPENT = 61
    """The site's epsilon or delta for a run or a year would be exceeded."""
    NOISE_REQUIRED = 62
    """The site's policy lets this out under differential privacy only."""
    NO_BOUNDS = 63
    """The run wants noise, and what the slot asks about has no bounds to make noise for."""
    INTERNAL = 99
    """Something else failed; the site's log says what."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a reply took: whole milliseconds, examples, tokens read and written, train steps."""

    evaluate_ms: int = 0
    train_ms: int = 0
    examples: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0
    train_examples: int = 0
    train_steps: int = 0
    train_tokens: int = 0
    reused: int = 0
    """Examples whose tallies were kept from before: not evaluated again, and in none of the figures above."""
    energy_j: int = 0
    """Joules of the machine while it evaluated and trained; 0 where the machine does not tell."""
    epsilon_hundredths: int = 0
    """Epsilon of all the run's private training at the site so far, in hundredths, rounded up; 0: none was private."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What trained weights give away of single examples, as measured at the site before they leave (privacy/).

    Args:
        exposure_bits: mean over planted canaries of Carlini et al. 2019's exposure; by chance it is about 1.4.
        auc: of the better of two membership attacks; by chance 0.5.
        tpr: of that attack, the share of trained-on examples that it finds at 1 % false alarms.
        members, non_members: how many examples of each it was measured on.
    """

    exposure_bits: float
    auc: float
    tpr: float
    members: int
    non_members: int


@dataclass(slots=True)
class Answer:
    """What a site worked out, before its door has seen it. Never encoded: only a `Release` can be.

    Args:
        values: integers by slot key; a slot left out is released as zeros with the code in `codes`.
        codes: why a slot has no value.
        adapter: the trained weights, where training was asked for and done.
        registrations: by task, which data set it was made of, as a digest that is keyed by the site.
        private_steps: what training them spent, where it was differentially private.
        memory: what the weights remember, where the site's policy wants it measured.
    """

    values: Mapping[tuple[object, ...], Tally] = field(default_factory=dict)
    codes: Mapping[tuple[object, ...], Code] = field(default_factory=dict)
    adapter: Adapter | None = None
    adapter_code: Code = Code.OK
    cost: Cost = field(default_factory=Cost)
    registrations: Mapping[str, str] = field(default_factory=dict)
    private_steps: PrivateSteps | None = None
    memory: Memory | None = None

    def __repr__(self) -> str:
        return f"Answer({len(self.values)} values)"
