"""A loaded model that answers chats. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ftproviders.worker.encoding import plain_messages
from ftproviders.worker.failures import WorkError
from ftproviders.worker.loading import (
    base_folder,
    choose_dtype,
    load_adapter,
    load_model,
    load_tokenizer,
    quiet,
)

__all__ = ["Answerer"]


class Answerer:
    """One model in memory.

    Args:
        model: Adapter folder, or base model as users write it.
        kind: ``adapter`` or ``base``.
        cache: Our cache folder.
    """

    def __init__(self, model: str, *, kind: str, cache: Path) -> None:
        quiet()
        if kind == "adapter":
            self.model, self.tokenizer = load_adapter(Path(model), cache)
        else:
            folder = base_folder(model, cache, print)
            self.tokenizer = load_tokenizer(folder)
            self.model = load_model(folder, dtype=choose_dtype("auto"), attention="sdpa")
        self.model.eval()
        self.ends = self._end_tokens()

    def answer(
        self,
        *,
        messages: Sequence[Mapping[str, Any]],
        temperature: float,
        max_tokens: int,
    ) -> dict[str, Any]:
        """Continue a conversation.

        Args:
            messages: The conversation so far, in the training data's shape.
            temperature: 0 = greedy.
            max_tokens: Most tokens of the answer.

        Returns:
            ``text``, ``finish_reason`` (``stop`` or ``length``), ``prompt_tokens``,
            ``completion_tokens``.
        """
        try:
            prompt = self.tokenizer.apply_chat_template(
                plain_messages(messages),
                add_generation_prompt=True,
                return_dict=True,
                return_tensors="pt",
            )
        # Templates are programs of the model's maker: jinja raises whatever they raise.
        except Exception as error:
            raise WorkError(
                f"The model's chat template refuses this conversation: {error}. Change the "
                f"messages.",
                code="chat_template",
            ) from error
        ids = prompt["input_ids"].to(self.model.device)
        sampling: dict[str, Any] = {"do_sample": temperature > 0}
        # Named so that what the model's maker preset for sampling does not leak into answers.
        sampling |= {"temperature": temperature or None, "top_p": None, "top_k": None}
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=max_tokens,
                eos_token_id=self.ends,
                pad_token_id=self.tokenizer.pad_token_id,
                **sampling,
            )
        written = output[0, ids.shape[1] :].tolist()
        ended = bool(written) and written[-1] in self.ends
        return {
            "text": self.tokenizer.decode(written, skip_special_tokens=True).strip(),
            "finish_reason": "stop" if ended else "length",
            "prompt_tokens": int(ids.shape[1]),
            "completion_tokens": len(written),
        }

    def _end_tokens(self) -> list[int]:
        """Return the tokens that end an answer: the tokenizer's and those of the model."""
        named = self.model.generation_config.eos_token_id
        several = named if isinstance(named, list) else [named]
        ends = {self.tokenizer.eos_token_id, *several} - {None}
        return sorted(int(token) for token in ends)
