"""A model behind an OpenAI-compatible server on the site's own network: vLLM, Ollama, llama.cpp's server.

For evaluation alone. The digest covers what decides an answer as far as it can be known from outside: the API, the
model's name, seed, system text, and `identity`, a digest of what the server itself says of the model. A server can say
what it likes, so the digest does not bind weights as a file's does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kommunbench.core.digests import digest
from kommunbench.core.endpoints import server_of
from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.open import card_digest
from kommunbench.models.options import choice_faults, option_faults

OPTIONS = {
    "url": str, "model": str, "identity": str, "api": str, "seed": int, "system": str,
    "key_env": str, "key_file": str, "ca_file": str,
    "concurrency": int, "requests_per_minute": float, "attempts": int, "timeout_s": float,
}  # fmt: skip
APIS = ("chat", "completions")
PATHS = {"chat": "chat/completions", "completions": "completions"}
BOUNDS = {"concurrency": (1, 256), "attempts": (1, 20), "timeout_s": (0.1, 3600), "requests_per_minute": (0, 1e6)}
TOLD = ("id", "root", "parent", "owned_by", "max_model_len", "meta")
"""What servers say of a model that is the same after a restart; when it was started is not."""
STOPS = 4
"""Stop strings that every server takes; we cut at all of them ourselves."""
CUTS = 24
"""How often a prompt that the server finds too long loses an eighth of itself before we give up."""


class Endpoint:
    """Asks a server, several questions at a time, each at temperature 0 with the card's seed.

    Options of the card:
        url: where the server is, such as http://10.20.0.5:8000/v1; the site's policy has to allow it.
        model: its name there. identity: what the server says of it, as a digest; opening without it tells it.
        api: `chat` (default; the server applies the model's chat template) or `completions`. seed: default 1.
        system: a system message for `chat`.
        key_env, key_file: where the credential is: a variable of the environment, or a file for its owner alone.
        ca_file: certificates that an https server's own is held against, in place of the system's.
        concurrency: questions at a time (4). requests_per_minute: 0, no limit. attempts: 5. timeout_s: 120.
    """

    machine_options: ClassVar[frozenset[str]] = frozenset(OPTIONS) - {"model", "identity", "api", "seed", "system"}
    prompted: ClassVar[bool] = True

    def __init__(
        self, card: ModelCard, endpoints: Mapping[str, str] | None = None, connector: Path | None = None, **_: Any
    ) -> None:
        """Check the card and ask the server who it is.

        Args:
            card: the site's own card.
            endpoints: the servers that the site's policy allows, and the network of each.
            connector: the socket of the site's connector, where this process has no network of its own.
        """
        from kommunbench.models.endpoint_client import EndpointClient, Patience, connected_client, direct_client

        ModelError.raise_if(card_faults(card))
        self.card = card
        options = card.options
        client = connected_client(card, connector) if connector else direct_client(card, endpoints or {})
        patience = Patience(
            int(options.get("attempts", 5)),
            float(options.get("timeout_s", 120)),
            float(options.get("requests_per_minute", 0)),
        )
        self._client = EndpointClient(client, patience, f"models.{card.name}")
        self._api = str(options.get("api", APIS[0]))
        self._check_identity()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options that decide an answer, and version."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:
        """One completion for each query, in order; identical prompts are asked once.

        Raises:
            ModelError: the server is another than the card says, does not answer, or answers something else.
        """
        prompts = list(dict.fromkeys(query.prompt for query in queries))
        if not prompts:
            return []
        self._check_identity()
        with ThreadPoolExecutor(min(len(prompts), int(self.card.options.get("concurrency", 4)))) as workers:
            asked = [workers.submit(self._answer, prompt, decoding) for prompt in prompts]
            try:
                answers = {prompt: each.result() for prompt, each in zip(prompts, asked, strict=True)}
            except BaseException:
                workers.shutdown(cancel_futures=True)
                raise
        return [answers[query.prompt] for query in queries]

    def _answer(self, prompt: str, decoding: Decoding) -> Completion:
        """One answer; a prompt that is too long for the server loses its start, as with any other model."""
        from kommunbench.models.endpoint_client import StatusError

        for _ in range(CUTS):
            try:
                found = self._client.ask(PATHS[self._api], self._body(prompt, decoding))
            except StatusError as error:
                if not error.too_long or len(prompt) < 2:
                    raise ModelError(self._status_fault(error.status)) from None
                prompt = prompt[max(1, len(prompt) // 8) :]
            else:
                return self._completion(found, decoding.stop)
        raise ModelError(self._status_fault(400))

    def _body(self, prompt: str, decoding: Decoding) -> dict[str, Any]:
        options = self.card.options
        body: dict[str, Any] = {
            "model": options["model"],
            "max_tokens": decoding.max_new_tokens,
            "temperature": 0,
            "seed": options.get("seed", 1),
            "stream": False,
        }
        if decoding.stop:
            body["stop"] = list(decoding.stop[:STOPS])
        if self._api == "completions":
            return body | {"prompt": prompt or " "}
        system = [{"role": "system", "content": options["system"]}] if options.get("system") else []
        return body | {"messages": [*system, {"role": "user", "content": prompt or " "}]}

    def _completion(self, found: Any, stop: tuple[str, ...]) -> Completion:
        try:
            reply = _Reply.model_validate(found)
        except ValidationError:
            do = "is it an OpenAI-compatible server?"
            raise ModelError(Fault("the reply has no answer in it", f"models.{self.card.name}", do)) from None
        text = reply.choices[0].answer
        cut = min((at for at in map(text.find, stop) if at >= 0), default=len(text))
        return Completion(text[:cut].strip(), reply.usage.prompt_tokens, reply.usage.completion_tokens)

    def _check_identity(self) -> None:
        """Hold what the server says of the model against the card's `identity`."""
        from kommunbench.models.endpoint_client import StatusError

        where, wanted = f"models.{self.card.name}.options.identity", str(self.card.options.get("identity", ""))
        try:
            listed = _Models.model_validate(self._client.ask("models"))
        except StatusError as error:
            raise ModelError(self._status_fault(error.status)) from None
        except ValidationError:
            raise ModelError(Fault("the server lists no models", where, "does the url end with /v1?")) from None
        name = str(self.card.options["model"])
        told = next((each for each in listed.data if each.get("id") == name), None)
        if told is None:
            raise ModelError(Fault("the server has no model of that name", f"models.{self.card.name}.options.model"))
        found = digest({key: told[key] for key in TOLD if told.get(key) is not None})
        if found != wanted:
            what = "the server says something else of the model" if wanted else "the card does not say who answers"
            raise ModelError(Fault(what, where, f"if it is the right one: identity: {found}"))

    def _status_fault(self, status: int) -> Fault:
        do = {401: "see to key_env or key_file", 403: "see to key_env or key_file", 404: "see to url and model"}
        return Fault(f"the server answers with status {status}", f"models.{self.card.name}", do.get(status, ""))


def card_faults(card: ModelCard) -> list[Fault]:
    """Everything that is wrong with an endpoint's card."""
    where = f"models.{card.name}.options"
    faults = [*option_faults(card, OPTIONS), *choice_faults(card, "api", APIS)]
    faults += [Fault(f"{name} is missing", where) for name in ("url", "model") if not card.options.get(name)]
    try:
        server_of(str(card.options.get("url", "http://given.above")))
    except ValueError as error:
        faults.append(Fault(f"url is {error}", where))
    for name, (least, most) in BOUNDS.items():
        value = card.options.get(name, least)
        if isinstance(value, int | float) and not least <= value <= most:
            faults.append(Fault(f"{name} is {least} to {most:g}", where))
    if card.options.get("key_env") and card.options.get("key_file"):
        faults.append(Fault("key_env and key_file are both given", where, "one is enough"))
    if card.trainable or card.path:
        faults.append(Fault("an endpoint has no path and cannot be trained", f"models.{card.name}"))
    return faults


class _Loose(BaseModel):
    """What servers send, of which we read a part."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class _Message(_Loose):
    content: str | None = None


class _Choice(_Loose):
    text: str | None = None
    message: _Message | None = None

    @property
    def answer(self) -> str:
        return (self.message.content if self.message else self.text) or ""


class _Usage(_Loose):
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)


class _Reply(_Loose):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage = _Usage()


class _Models(_Loose):
    data: list[dict[str, Any]]


FAMILY = Endpoint
