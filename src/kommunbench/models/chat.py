"""A prompt as a chat model reads it: the model's own template, with the prompt as the user's message.

An instruction-tuned model that is asked without its template answers worse, and a base model has none. So a card says
`chat: auto` (with a template where there is one), `on` or `off`, and the card's digest has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kommunbench.core.errors import Fault, ModelError


class ChatTokenizer:
    """A tokenizer whose prompts are chat messages; everything else is the tokenizer's own.

    Args:
        tokenizer: the model's.
        system: a system message. A template that knows no such role gets it before the user's words.
    """

    joint = ""
    """What stands between prompt and answer in training: the template ends where the answer begins."""

    def __init__(self, tokenizer: Any, system: str = "") -> None:
        self.tokenizer, self.system = tokenizer, system

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tokenizer, name)

    def __call__(self, text: str | Sequence[str], **options: Any) -> Any:
        """As the tokenizer's: a prompt, or several, within the template; text without special tokens as it is."""
        if not options.get("add_special_tokens", True):
            return self.tokenizer(text, **options)
        prompts = self.render(text) if isinstance(text, str) else [self.render(each) for each in text]
        return self.tokenizer(prompts, **options, add_special_tokens=False)  # the template has them

    def render(self, prompt: str) -> str:
        """The template's text up to where the answer begins."""
        from jinja2 import TemplateError

        user = {"role": "user", "content": prompt}
        if self.system:
            try:
                return self._apply([{"role": "system", "content": self.system}, user])
            except TemplateError:
                user["content"] = f"{self.system}\n\n{prompt}"
        return self._apply([user])

    def fit(self, prompt: str, room: int) -> str:
        """`prompt` without so much of its start that its rendering has at most `room` tokens, the template whole."""
        over = len(self(prompt)["input_ids"]) - room
        while over > 0 and prompt:
            ids = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
            prompt = self.tokenizer.decode(ids[over:])
            over = len(self(prompt)["input_ids"]) - room
        return prompt

    def _apply(self, messages: list[dict[str, str]]) -> str:
        # A model that would think aloud first answers at once: its thoughts would fill the answer's room.
        return str(
            self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        )


def as_chat(tokenizer: Any, chat: str, system: str, where: str) -> Any:
    """`tokenizer`, or a ChatTokenizer of it as the card's `chat` says.

    Raises:
        ModelError: `chat` is on, or there is a `system`, and the model has no template.
    """
    if chat == "off" or (chat == "auto" and not tokenizer.chat_template and not system):
        return tokenizer
    if not tokenizer.chat_template:
        raise ModelError(Fault("the model has no chat template", f"{where}.chat", "chat: off, and no system text"))
    return ChatTokenizer(tokenizer, system)
