"""The parts of ``transformers serve``, put together for one model. Imports torch.

What is ours: the model goes by the deployment's name, answers are greedy unless a request states
a temperature above 0 (as in our chats), and the token ids of the probe are written down where
they enter the model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from jinja2 import TemplateError
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.cli.serving.chat_completion import ChatCompletionHandler
from transformers.cli.serving.completion import CompletionHandler
from transformers.cli.serving.model_manager import ModelManager
from transformers.cli.serving.response import ResponseHandler
from transformers.cli.serving.server import build_server
from transformers.cli.serving.systemone import SystemOneHandler
from transformers.cli.serving.utils import GenerateManager, GenerationState
from typing_extensions import override

from ftproviders.worker.deploydir import DeploymentDirectory
from ftproviders.worker.loading import default_template, quiet
from ftproviders.worker.orders import error_body
from ftproviders.worker.reading import GONE, Reader

__all__ = ["build", "writes_tools"]

_PROBE = "ftproviders_probe"
"""Marks the inputs of the probe on their way to the model."""


def build(directory: DeploymentDirectory, model: dict[str, Any], *, name: str) -> Any:
    """Load a model and return the ASGI application that answers for it.

    Args:
        directory: The deployment's folder.
        model: What the preparation found: ``folder``, ``attention``, ``nonce``.
        name: The model's name for clients.
    """
    quiet()
    manager = _Models(
        name=name,
        device="auto" if torch.cuda.is_available() else "cpu",
        attn_implementation=model["attention"],
        force_model=model["folder"],
    )
    loaded, processor = manager.load_model_and_processor(
        manager.process_model_name(model["folder"])
    )
    if not processor.chat_template:
        processor.chat_template = default_template()
    _answer_as_asked(loaded, Witness(directory, model["nonce"], processor))
    state = _State(model["nonce"])
    parts = {"model_manager": manager, "generation_state": state}
    build: Any = build_server  # it is annotated as if every part had to be there
    app = build(
        manager,
        _Chat(**parts),
        completion_handler=_Completion(**parts),
        response_handler=_Response(**parts),
        transcription_handler=None,
        systemone_handler=SystemOneHandler(**parts),
        generation_state=state,
    )
    _list_only(app, name)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(TemplateError, _told)
    return Reader(app, model=name, tools=writes_tools(processor))


def writes_tools(tokenizer: Any) -> bool:
    """Say whether a chat template writes the tools that a request declares, by trying it."""
    tool = {"name": "probing_tool", "description": "d", "parameters": {"type": "object"}}
    try:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": "hello"}],
            tools=[{"type": "function", "function": tool}],
            tokenize=False,
        )
    # Templates are programs of the model's maker: jinja raises whatever they raise.
    except Exception:  # noqa: BLE001
        return False
    return tool["name"] in text


class Witness:
    """Writes down the token ids of the probe as the model gets them.

    Args:
        directory: The deployment's folder; the ids go to ``probed.json``.
        nonce: What only the supervisor knows; it is written beside the ids.
        tokenizer: To show the ids as text.
    """

    def __init__(self, directory: DeploymentDirectory, nonce: str, tokenizer: Any) -> None:
        self.directory = directory
        self.nonce = nonce
        self.tokenizer = tokenizer

    def see(self, input_ids: Any) -> None:
        """Write down one prompt: a tensor of shape (1, tokens)."""
        ids = [int(number) for number in input_ids[0].tolist()]
        text = self.tokenizer.decode(ids)
        self.directory.write("probed", {"nonce": self.nonce, "ids": ids, "text": text})


def _answer_as_asked(model: Any, witness: Witness) -> None:
    """Make answers greedy unless asked otherwise, and let the witness see the probe."""
    settings = model.generation_config
    # What the model's maker preset for sampling must not leak into answers.
    settings.do_sample, settings.temperature = False, None
    settings.top_p = settings.top_k = settings.min_p = None
    generate: Callable[..., Any] = model.generate

    def asked(**arguments: Any) -> Any:
        if arguments.pop(_PROBE, False):
            witness.see(arguments["input_ids"])
        chosen = arguments["generation_config"]
        if chosen.temperature == 0:
            chosen.temperature = None
        # The server leaves this to the model's presets, whatever a request says.
        chosen.do_sample = chosen.temperature is not None
        return generate(**arguments)

    model.generate = asked


def _list_only(app: Any, name: str) -> None:
    """Let the list of models hold the one that is here, not what a cache on this machine has."""
    listed = {"id": name, "object": "model", "created": 0, "owned_by": "ftproviders"}
    routes = app.router.routes
    routes[:] = [r for r in routes if getattr(r, "path", "") != "/v1/models"]

    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [listed]}

    routes.append(APIRoute("/v1/models", models, methods=["GET"]))


async def _told(_request: Request, error: Exception) -> JSONResponse:
    """Answer in OpenAI's shape. A template that refuses a conversation is the client's affair."""
    if isinstance(error, HTTPException):
        status, message, headers = error.status_code, str(error.detail), error.headers
    else:
        status, headers = 400, None
        message = f"The model's chat template refuses this conversation: {error}"
    return JSONResponse(error_body(message, status=status), status_code=status, headers=headers)


class _Models(ModelManager):  # type: ignore[misc]  # transformers ships no types
    """The server's models: one, under a name of its own."""

    def __init__(self, *, name: str, **arguments: Any) -> None:
        self.public_name = name
        super().__init__(**arguments)


class _Named:
    """A handler that knows the model by the deployment's name."""

    def _resolve_model(self, body: dict[str, Any]) -> Any:
        manager = self.model_manager  # type: ignore[attr-defined]  # of the class beside this one
        wanted = body.get("model")
        if wanted not in (None, manager.public_name):
            raise HTTPException(
                status_code=404,
                detail=f"There is no model {wanted} here. Ask for {manager.public_name}.",
            )
        body["model"] = manager.force_model
        _, model, processor = super()._resolve_model(body)  # type: ignore[misc]  # as above
        return manager.public_name, model, processor


class _Chat(_Named, ChatCompletionHandler):  # type: ignore[misc]  # transformers ships no types
    pass


class _Completion(_Named, CompletionHandler):  # type: ignore[misc]  # transformers ships no types
    pass


class _Response(_Named, ResponseHandler):  # type: ignore[misc]  # transformers ships no types
    pass


class _State(GenerationState):  # type: ignore[misc]  # transformers ships no types
    """Generation whose requests are marked when they are the probe."""

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self.manager = _Generation(nonce)

    @override
    def get_manager(self, model_id: str, use_cb: bool = False) -> Any:
        return self.manager


class _Generation(GenerateManager):  # type: ignore[misc]  # transformers ships no types
    def __init__(self, nonce: str) -> None:
        super().__init__()
        self.nonce = nonce

    @override
    async def generate_non_streaming(
        self, model: Any, processor: Any, inputs: Any, gen_config: Any, request_id: str
    ) -> Any:
        _fit(model, inputs, gen_config)
        inputs = {**inputs, "stopping_criteria": StoppingCriteriaList([_NobodyWaits(GONE.get())])}
        if request_id == self.nonce:
            inputs[_PROBE] = True
        return await super().generate_non_streaming(
            model, processor, inputs, gen_config, request_id
        )

    @override
    def generate_streaming(
        self,
        model: Any,
        processor: Any,
        inputs: Any,
        gen_config: Any,
        request_id: str,
        response_parser: Any = None,
    ) -> Any:
        _fit(model, inputs, gen_config)
        return super().generate_streaming(
            model, processor, inputs, gen_config, request_id, response_parser
        )


class _NobodyWaits(StoppingCriteria):  # type: ignore[misc]  # transformers ships no types
    """Ends a generation whose client has closed the connection.

    Args:
        gone: Set when it has; None = it cannot be known.
    """

    def __init__(self, gone: threading.Event | None) -> None:
        self.gone = gone

    @override
    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        over = self.gone is not None and self.gone.is_set()
        return torch.full((input_ids.shape[0],), over, dtype=torch.bool, device=input_ids.device)


def _fit(model: Any, inputs: Any, settings: Any) -> None:
    """Bound an answer by what the model's context leaves after the question."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        return
    asked = int(inputs["input_ids"].shape[-1])
    if asked >= context:
        raise HTTPException(
            status_code=400,
            detail=f"The question has {asked} tokens and the model's context {context}: there is "
            "no room for an answer.",
        )
    vocabulary = int(model.config.get_text_config().vocab_size)
    if any(token >= vocabulary for (token,) in settings.sequence_bias or ()):
        raise HTTPException(
            status_code=400, detail=f"logit_bias names a token beyond the last, {vocabulary - 1}."
        )
    settings.sequence_bias = settings.sequence_bias or None
    settings.max_new_tokens = min(settings.max_new_tokens, context - asked)
