"""GGUF models in this process, by llama.cpp (llama-cpp-python, the extra `gguf`): in few bits, for evaluation.

A GGUF file is weights, tokenizer and chat template in one, and none of it is code; the template runs in a sandbox. One
prompt is answered at a time, from an empty cache: so an answer does not depend on what was asked before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.folder import GGUF
from kommunbench.models.open import card_digest
from kommunbench.models.options import choice_faults, option_faults

OPTIONS = {"chat": str, "system": str, "context": int}
CHAT = ("auto", "on", "off")


class Gguf:
    """A model of llama.cpp.

    Options of the card:
        chat: `auto` (default: the file's chat template where it has one), `on` or `off`; `system`: a system message.
        context: tokens of prompt and answer together; 0 (default): what the model was made for.
    """

    def __init__(self, card: ModelCard, threads: int = 0, device: str = "auto", **_: Any) -> None:
        """Load the file; `threads` of the processor (0: all), layers on the graphics card unless `device` is `cpu`."""
        ModelError.raise_if(card_faults(card))
        path = self.files(card)[0]
        if find_spec("llama_cpp") is None:
            do = "pip install kommunbench[gguf]"
            raise ModelError(Fault("GGUF needs llama-cpp-python, which is not installed", f"models.{card.name}", do))
        from llama_cpp import Llama

        from kommunbench.models.chat import as_chat

        self.card = card
        try:
            self.network = Llama(
                str(path),
                n_ctx=int(card.options.get("context", 0)),
                n_threads=threads or None,
                n_threads_batch=threads or None,
                n_gpu_layers=0 if device == "cpu" else -1,
                verbose=False,
            )
        except ValueError:
            what = "cannot be opened: not GGUF, or of an architecture that this llama.cpp does not have"
            raise ModelError(Fault(what, f"models.{card.name}.path")) from None
        self._vocabulary, options = self.network._model.vocab, card.options
        self.tokenizer = as_chat(
            _Tokenizer(self.network), str(options.get("chat", CHAT[0])), str(options.get("system", "")),
            f"models.{card.name}.options",
        )  # fmt: skip

    @staticmethod
    def files(card: ModelCard) -> Sequence[Path]:
        """The one file of the model: `path` itself, or what is in that folder.

        Raises:
            ModelError: there is none, or several, or it is a link.
        """
        path, where = Path(card.path).expanduser(), f"models.{card.name}.path"
        found = sorted(path.glob(GGUF)) if path.is_dir() else [path]
        if len(found) != 1 or not found[0].is_file():
            raise ModelError(Fault(f"has {len(found) if path.is_dir() else 'no'} GGUF files, not one", where))
        if path.is_dir() and not found[0].resolve().is_relative_to(path.resolve()):
            raise ModelError(Fault("the file is a link that leads out of the folder", where, "copy the file itself"))
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and the file."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:
        """One greedy completion for each query, in order; identical prompts are answered once."""
        answers = {prompt: self._answer(prompt, decoding) for prompt in {query.prompt: None for query in queries}}
        return [answers[query.prompt] for query in queries]

    def _answer(self, prompt: str, decoding: Decoding) -> Completion:
        room = max(1, self.network.n_ctx() - decoding.max_new_tokens)
        fit = getattr(self.tokenizer, "fit", None)
        ids = self.tokenizer(fit(prompt, room) if fit else prompt)["input_ids"][-room:] or [self.network.token_eos()]
        new = self._continue(ids, decoding)
        text = self.tokenizer.decode(new)
        cut = min((at for at in map(text.find, decoding.stop) if at >= 0), default=len(text))
        return Completion(text[:cut].strip(), len(ids), len(new))

    def _continue(self, ids: list[int], decoding: Decoding) -> list[int]:
        """The most likely tokens after `ids`, one by one, to an end, a stop string or the limit."""
        from llama_cpp import llama_vocab_is_eog

        self.network.reset()
        tail = max((len(text.encode()) for text in decoding.stop), default=0) + 1  # a token has at least a byte
        new: list[int] = []
        for token in self.network.generate(ids, top_k=1, top_p=1, min_p=0, temp=0, repeat_penalty=1):
            if llama_vocab_is_eog(self._vocabulary, token):
                break
            new.append(token)
            newest = self.tokenizer.decode(new[-tail:]) if decoding.stop else ""
            if len(new) == decoding.max_new_tokens or any(text in newest for text in decoding.stop):
                break
        return new


def card_faults(card: ModelCard) -> list[Fault]:
    """Everything that is wrong with a GGUF model's card."""
    faults = [*option_faults(card, OPTIONS), *choice_faults(card, "chat", CHAT)]
    if isinstance(context := card.options.get("context", 0), int) and context < 0:
        faults.append(Fault("context is a number of tokens, or 0", f"models.{card.name}.options"))
    if card.trainable or not card.path:
        faults.append(Fault("a GGUF model has a path and cannot be trained", f"models.{card.name}"))
    return faults


class _Tokenizer:
    """The file's tokenizer and chat template, as the part of transformers' that chat.py asks."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.chat_template: str = network.metadata.get("tokenizer.chat_template", "")

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        """Token numbers; special tokens that stand in the text count as such within a template alone."""
        ids = self._network.tokenize(text.encode(), add_bos=add_special_tokens, special=not add_special_tokens)
        return {"input_ids": ids}

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token numbers; bytes that are no character are shown as such."""
        return str(self._network.detokenize(list(ids)).decode(errors="replace"))

    def apply_chat_template(self, messages: list[dict[str, str]], enable_thinking: bool, **_: Any) -> str:
        """The template's text up to where the answer begins."""
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        eos, bos = (
            self._network.detokenize([token], special=True).decode(errors="ignore") if token >= 0 else ""
            for token in (self._network.token_eos(), self._network.token_bos())
        )
        formatter = Jinja2ChatFormatter(self.chat_template, eos_token=eos, bos_token=bos, add_generation_prompt=True)
        return str(formatter(messages=messages, enable_thinking=enable_thinking).prompt)


FAMILY = Gguf
