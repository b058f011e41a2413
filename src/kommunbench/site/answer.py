"""A site's whole answer to one request: what its policy lets it do, done, and led out through its door."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from hashlib import sha256
from typing import cast

from kommunbench import __version__
from kommunbench.core.answer import Answer, Code, Cost
from kommunbench.core.errors import DataError, KommunbenchError, ModelError, TaskError
from kommunbench.core.example import Example, Split
from kommunbench.core.folders import overlay
from kommunbench.core.metric import Tally
from kommunbench.core.model import (
    Adapter,
    Decoding,
    Model,
    ModelCard,
    PrivatelyTrainable,
    Trainable,
    Training,
    TrainSettings,
)
from kommunbench.core.spec import COST, Cell, PromptRef, Request
from kommunbench.core.task import Task, load_task
from kommunbench.models.open import card_digest, load_card
from kommunbench.privacy.memorisation import measure
from kommunbench.privacy.training import round_steps
from kommunbench.release import (
    Identity,
    Ledger,
    NoPolicyError,
    Release,
    ReleasePolicy,
    admit,
    left_ms,
    let_out,
    read_policy,
    refuse,
)
from kommunbench.release.budget import Spent
from kommunbench.release.masked import WithheldError
from kommunbench.site.answers import KeptAnswers
from kommunbench.site.carried import Carried
from kommunbench.site.close import close
from kommunbench.site.data import SiteData
from kommunbench.site.energy import EnergyMeter
from kommunbench.site.evaluate import Evaluated, Way, choose_shots, evaluate, render
from kommunbench.site.evaluations import KeptEvaluations
from kommunbench.site.holdings import tell_holdings
from kommunbench.site.keep import KeptTallies
from kommunbench.site.kept import Place, keep_no_longer
from kommunbench.site.log import log_failure
from kommunbench.site.machine import opened_model
from kommunbench.site.masked import MaskedAnswer
from kommunbench.site.memory import canaries_for, log_memory
from kommunbench.site.ratings import answer_ratings
from kommunbench.site.readings import Readers
from kommunbench.site.registrations import Registrations, noted_for
from kommunbench.site.reuse import adapter_digest, evaluation_digest
from kommunbench.site.settings import SiteSettings
from kommunbench.site.sources import open_source
from kommunbench.site.trainings import Lesson, trained

log = logging.getLogger("kommunbench.site")
FEDERATION = ""
"""The name of the adapter that all train together, among those that come along."""


def answer_request(settings: SiteSettings, request: Request, adapters: Mapping[str, Adapter]) -> Release:
    """Everything that a site says to `request`, reviewed and in the ledger. `adapters` by where they were trained."""
    ledger = Ledger(settings.ledger_path, Identity.of(settings.home))
    if request.spec.kommunbench != __version__:
        return refuse(Code.VERSION_MISMATCH, request, ledger)
    try:
        policy = read_policy(settings.policy_path)
    except NoPolicyError as error:
        log.error("%s", error)
        return refuse(error.code, request, ledger)
    keep_no_longer(Place(settings.home, settings.ledger_path), policy.retention_days)
    code = admit(policy, request, ledger)
    if code is not Code.OK:
        return refuse(code, request, ledger)
    sent = adapters.get(FEDERATION)

    def work() -> tuple[ReleasePolicy, Request, Answer]:
        found = Work(settings, policy, request, adapters)
        found.left_ms = left_ms(policy, request, ledger)
        found.noted = noted_for(ledger.entries(), request.spec.digest)
        return found.done()

    if request.masking is None:
        return let_out(*work(), sent, ledger)
    try:
        return MaskedAnswer(settings, policy, request, ledger).release(sent, lambda: work()[::2])
    except WithheldError as error:
        log.error("%s", error)
        return refuse(error.code, request, ledger)


class Work:
    """One request at one site.

    What cannot be done is answered by a code in place of a value; what is wrong is logged here, at the site.
    """

    def __init__(
        self, settings: SiteSettings, policy: ReleasePolicy, request: Request, adapters: Mapping[str, Adapter]
    ) -> None:
        self.settings, self.request, self.spec, self.adapters = settings, request, request.spec, adapters
        self.tasks = {ref.name: task for ref in self.spec.tasks if (task := self._task(ref.name))}
        named = [*(ref.name for ref in self.spec.models), *([request.judge.name] if request.judge else [])]
        self.cards = {name: card for name in named if (card := self._card(name))}
        digests = {name: digest for name, card in self.cards.items() if (digest := _digest_or_none(card))}
        self.policy = policy.with_installed(self.tasks.values(), digests)
        self.kept = KeptTallies(settings.home / "tallies" / self.spec.run, self.spec.digest)
        self.evaluations = KeptEvaluations(settings.evaluations_path, policy.retention_days)
        self.cost = Cost()
        self.answer = Answer(values={}, codes={})
        self.left_ms: int | None = None
        """Milliseconds that the policy leaves the run; None: no limit."""
        self.noted: Mapping[str, str] = {}
        """The data sets that the run's tallies were made of, as the ledger has them."""

    def done(self) -> tuple[ReleasePolicy, Request, Answer]:
        """Do it, and give what the door reviews."""
        self.evaluations.forget_old()
        meter = EnergyMeter()
        if self.request.action == "close":
            answer = close(self.request, self.kept, self.evaluations)
            answer.registrations = self.noted
            return self.policy, self.request, answer
        if self.request.action == "ratings":
            return self.policy, self.request, answer_ratings(self.request, self.tasks, self.kept, self.settings.home)
        if self.request.action == "holdings":
            answer = tell_holdings(self.request, self.policy, self.tasks, self.data)
            answer.registrations = self.registrations()
            return self.policy, self.request, answer
        values: dict[tuple[object, ...], Tally] = {}
        codes: dict[tuple[object, ...], Code] = {}
        for cell in self.request.cells:
            outcome = self.evaluate(cell)
            for metric in self.spec.task(cell.task).metrics:
                total = outcome if isinstance(outcome, Code) else outcome.total(metric)
                if isinstance(total, Code):
                    codes[cell, metric] = total
                else:
                    values[cell, metric] = total
        self.answer.values, self.answer.codes = values, codes
        if self.request.train and (self.request.masking is None or self.request.masking.train):
            self.train()
        self.cost = replace(self.cost, energy_j=meter.joules())
        self.answer.cost, self.answer.registrations = self.cost, self.registrations()
        return self.policy, self.request, self.answer

    def registrations(self) -> dict[str, str]:
        """The registration of each approved task's data, noted at the site where it is new. Raises OSError."""
        known = Registrations(self.settings.home, Identity.of(self.settings.home))
        found = {}
        for name, task in self.tasks.items():
            if self.policy.task_code(self.spec.task(name)) is Code.OK:
                data = self.data.read(task)
                if data is not None and len(data):
                    found[name] = self.data.once(task, known.note)
        return found

    def evaluate(self, cell: Cell) -> Evaluated | Code:
        """Evaluate one cell and keep its tallies, or take over those of the very same; or say why not."""
        code = self.policy.cell_code(self.spec, cell)
        if code is Code.OK and self.spent:
            code = Code.OVER_LIMIT
        if code is not Code.OK:
            return code
        task, ref = self.tasks[cell.task], self.spec.task(cell.task)
        prompt = next(prompt for prompt in self.spec.prompts if prompt.name == cell.prompt)
        try:
            examples = self.examples(task, self.policy.examples(ref))
            if not examples:
                return Code.NO_DATA
            train = [one for one in self.data.split(task, "train") if one.references] if prompt.shots else []
            if prompt.shots and len(train) < self.policy.min_examples:
                return Code.TOO_FEW_EXAMPLES  # every answer would be about the same few
            shots = choose_shots(train, prompt, self.spec.seed)
            decoding = Decoding(max_new_tokens=ref.max_new_tokens, stop=task.stop, batch_size=self.spec.batch_size)
            key, readers = self.key(cell, prompt, decoding), self.readers(task)
            wanted = examples if self.policy.answers == "keep" else ()
            result = self.evaluations.find(key, (*task.metrics, COST), wanted) if self.spec.reuse else None
            if result is None:
                result = evaluate(task, Way(prompt, shots), examples, self.model(cell), decoding, readers)
                self.evaluations.save(key, result)
                self.add_cost(result)
            else:
                self.cost = replace(self.cost, reused=self.cost.reused + len(examples))
            self.evaluations.note(self.spec, cell, key, self.data.digest(task))
        except Exception as error:  # one model that fails on one task leaves the others their numbers
            log_failure(f"{cell.model} on {cell.task}", error)
            return _code_of(error)
        self.kept.save(cell, result)
        if self.policy.answers == "keep":
            kept = KeptAnswers(self.settings.home).save(self.spec.run, cell, examples, result.answers, key)
            self.evaluations.note_answers(key, kept)
        return result

    def key(self, cell: Cell, prompt: PromptRef, decoding: Decoding) -> str:
        """What the cell's evaluation is kept under."""
        task = self.tasks[cell.task]
        model = next(model for model in self.spec.models if model.name == cell.model)
        return evaluation_digest(
            (self.data.digest(task), self.policy.examples(self.spec.task(cell.task))),
            task,
            model.digest,
            (prompt, self.spec.seed),
            decoding,
            adapter_digest(self.adapter(cell), self.spec.train) + self.readers(task).digest,
        )

    def readers(self, task: Task) -> Readers:
        """The site's own models that the task's metrics have answers read by."""
        return Readers.of(task, (*self.settings.conf, *overlay("conf")), self.spec.readers)

    def add_cost(self, result: Evaluated) -> None:
        """Add what an evaluation took."""
        self.cost = replace(
            self.cost,
            evaluate_ms=self.cost.evaluate_ms + result.milliseconds,
            examples=self.cost.examples + len(result.ids),
            prompt_tokens=self.cost.prompt_tokens + result.prompt_tokens,
            new_tokens=self.cost.new_tokens + result.new_tokens,
        )

    def train(self) -> None:
        """Train from the adapter that came along, on the train split of every task of the run."""
        code = self.policy.training_code(self.request)
        if code is Code.OK and self.spent:
            code = Code.OVER_LIMIT
        if code is Code.OK:
            try:
                training = self._train()
            except Exception as error:  # the evaluation that was done is still worth having
                log_failure("training", error)
                code = _code_of(error)
            else:
                code = training if isinstance(training, Code) else Code.OK
        self.answer.adapter_code = code

    def _train(self) -> Training | Code:
        adapter, settings = self.adapters.get(FEDERATION), self.spec.train
        if adapter is None or settings is None:
            raise ModelError("the request asks for training and brings no adapter to train")
        if sum(array.nbytes for array in adapter.values()) > self.policy.max_adapter_mib * 2**20:
            return Code.OVER_LIMIT
        if self.request.epochs:  # alone: all rounds' passes at once
            settings = settings.model_copy(update={"epochs": self.request.epochs})
        else:
            settings = settings.in_round(self.request.round, self.spec.rounds)
        prompt = self.spec.prompts[0]
        pairs = self.pairs(prompt, "train")
        if not pairs:
            return Code.NO_DATA
        started = time.perf_counter()
        canaries = canaries_for(self.policy, self.spec.run, self.settings.name)
        planted = canaries.planted if canaries and not self.spec.dp.trains else ()  # budgets count real examples
        carried = Carried(self.settings.home, self.request)
        training = self._learn([*pairs, *planted], adapter, settings, carried)
        if isinstance(training, Code):
            return training
        training = carried.rounded(training, adapter, settings)
        self.answer.adapter = training.adapter
        if canaries:
            model = cast(Trainable, self.opened(self.spec.trained_model))
            others = self.pairs(prompt, "validation", "test")  # like those that are trained on, and never trained on
            self.answer.memory = measure(model, training.adapter, settings, (pairs, others), canaries)
            log_memory(self.answer.memory)
        self.cost = replace(
            self.cost,
            train_ms=round(max(time.perf_counter() - started, training.seconds) * 1000),  # one kept: what it cost then
            train_examples=len(pairs),
            train_steps=training.steps,
            train_tokens=training.tokens,
        )
        return training

    def pairs(self, prompt: PromptRef, *splits: Split) -> list[tuple[str, str]]:
        """What a model is asked, and the best answer to it, of every task's examples in `splits`."""
        return [
            (render(task, prompt, example, ()), example.references[0])
            for task in self.tasks.values()
            for split in splits
            for example in self.data.split(task, split)
            if example.references
        ]

    def _learn(
        self, pairs: list[tuple[str, str]], adapter: Adapter, settings: TrainSettings, carried: Carried
    ) -> Training | Code:
        """Train as the run asks; privately where it asks for that and the site's budget has room."""
        name = self.spec.trained_model
        opened = partial(self.opened, name)
        if not self.spec.dp.trains:
            place = f"{self.request.seed}:{self.request.round}:{self.settings.name}"
            seed = int.from_bytes(sha256(place.encode()).digest()[:4])
            lesson = Lesson(pairs, adapter, settings, seed, carried.moments)
            folder = self.settings.trainings if self.spec.reuse else None
            return trained(folder, self.settings.threads, card_digest(self.cards[name]), opened, lesson)
        model = opened()
        if not isinstance(model, PrivatelyTrainable):
            raise ModelError(f"{self.spec.trained_model} cannot be trained privately")
        spent = Spent.of(Ledger(self.settings.ledger_path).entries(), self.spec.digest)
        steps = round_steps(self.spec, settings, len(pairs), spent.steps)
        code = spent.with_training(steps).code(self.policy, self.spec.dp)
        if code is not Code.OK:
            return code  # the door would say so too, after all the work
        self.answer.private_steps = steps
        return model.train_privately(pairs, adapter, settings, steps.noise_multiplier)

    @property
    def spent(self) -> bool:
        """Whether the run has had its minutes at this site: nothing new is begun then."""
        return self.left_ms is not None and self.cost.evaluate_ms + self.cost.train_ms >= self.left_ms

    @property
    def data(self) -> SiteData:
        """The site's examples."""
        return _data(self.settings, _files_of(self.settings))

    def examples(self, task: Task, most: int) -> Sequence[Example]:
        """The test split, or `most` examples of it chosen by digest."""
        examples = self.data.split(task, "test")
        if not most or len(examples) <= most:
            return examples
        return sorted(examples, key=lambda example: sha256(example.id.encode()).digest())[:most]

    def model(self, cell: Cell) -> Model:
        """The cell's model: as its base, or with the adapter that came along for it."""
        model, adapter = self.opened(cell.model), self.adapter(cell)
        if isinstance(model, Trainable) and self.spec.train is not None:
            model.load_adapter(adapter, self.spec.train)
        return model

    def opened(self, name: str) -> Model:
        """The site's own model of that name."""
        return opened_model(self.cards[name], self.settings, self.policy)

    def adapter(self, cell: Cell) -> Adapter | None:
        """The adapter that came along for the cell; None for a base. Raises ModelError where one is lacking."""
        if cell.stage == "base":
            return None
        adapter = self.adapters.get(cell.origin)
        if adapter is None:
            raise ModelError(f"no adapter came along for {cell.model}, stage {cell.stage}")
        return adapter

    def _task(self, name: str) -> Task | None:
        try:
            return load_task(name, (*self.settings.tasks, *overlay("tasks")))
        except TaskError as error:
            log.error("%s", error)
            return None

    def _card(self, name: str) -> ModelCard | None:
        try:
            return load_card(name, (*self.settings.conf, *overlay("conf")))
        except ModelError as error:
            log.error("%s", error)
            return None


def _code_of(error: Exception) -> Code:
    """What the coordinator hears of an error that the site's log tells more about."""
    if isinstance(error, DataError):
        return Code.DATA_FAULT
    return Code.MODEL_FAULT if isinstance(error, ModelError) else Code.INTERNAL


def _digest_or_none(card: ModelCard) -> str | None:
    try:
        return card_digest(card)
    except KommunbenchError as error:
        log.error("%s", error)
        return None


@lru_cache(maxsize=32)
def _data(settings: SiteSettings, files: tuple[tuple[str, int, int], ...]) -> SiteData:  # noqa: ARG001
    """Read once a process, and again when a file has changed: an example that was withdrawn is not used any more."""
    return SiteData(open_source(settings))


def _files_of(settings: SiteSettings) -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every file in the site's data folder."""
    folder = settings.data
    found = folder.iterdir() if folder is not None and folder.is_dir() else ()
    states = ((path.name, path.stat()) for path in sorted(found))
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)
