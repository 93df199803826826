"""`CustomModel`: any chat model by its name, fine-tuned or not, at any provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from gpt4o_tune._display import html_text
from gpt4o_tune._drive import iterate, run
from gpt4o_tune._gateway import CALL_ERRORS
from gpt4o_tune.errors import ModelNotReadyError
from gpt4o_tune.evaluation import Comparison, comparable, compare
from gpt4o_tune.inference import recording as asked
from gpt4o_tune.inference.asking import answer_all
from gpt4o_tune.inference.fallback import Route
from gpt4o_tune.inference.kept import KeptModel
from gpt4o_tune.inference.mapping import AT_ONCE, MAX_ATTEMPTS, TIMEOUT, MapOptions, map_requests
from gpt4o_tune.inference.readiness import READY_TIMEOUT, await_ready, not_ready
from gpt4o_tune.inference.trained_form import TrainedForm
from gpt4o_tune.inference.usage import Meter, Usage, tariff
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.data import Dataset
    from gpt4o_tune.evaluation import Answer, Grader, Recording, SeenRows
    from gpt4o_tune.inference.results import MapResult

__all__ = ["CustomModel"]

Format = TypeVar("Format")

REPEATABLE: Mapping[str, object] = {"temperature": 0, "seed": 0}
"""Parameters of a comparison, so that it gives the same answers again as far as the service can."""


class CustomModel(KeptModel):
    """A model that answers. `FineTuneJob.wait` returns one; its name alone makes one as well.

    Every network verb has an asynchronous face whose name ends in `_async`. Parameters of the chat
    endpoint, such as `temperature` or `max_tokens`, are passed on as they are.

    Example:
        >>> model = CustomModel("ft:gpt-4o-2024-08-06:acme:tickets:abc123")
        >>> print(model.ask("Where is my parcel?"))
    """

    def __init__(
        self,
        name: str,
        *,
        provider: Provider | None = None,
        system: str | None = None,
        trained_on: Dataset | None = None,
        trained_tools: Sequence[str] = (),
        fallback: str | None = None,
    ) -> None:
        """Name a model; nothing is sent.

        Args:
            name: The model id: a fine-tuned model, one of its checkpoints, a base model, or an Azure
                deployment.
            provider: Where it answers; read from the environment where none is given.
            system: The system prompt of `ask`; the one it was trained with, so that it meets again
                what it knows. Conversations that begin with another one are logged once.
            trained_on: The rows it was trained on, so that a comparison refuses to measure on them.
            trained_tools: Names of the tools that every training row offered; calls without tools are
                logged once.
            fallback: Another model at the same provider that answers while this one is not found, or
                while its service fails and goes on failing. The log says so when it first does;
                `fell_back`, and the `model` of each completion, say so afterwards. Comparisons never
                use it.

        Raises:
            ProviderError: No provider was given and the environment names none.
        """
        super().__init__(
            name,
            provider=provider or Provider.from_environment(),
            form=TrainedForm(system=system, tools=tuple(trained_tools)),
        )
        self._trained_on = trained_on
        self._route = Route(name, fallback)
        self._meter = Meter()

    @property
    def fallback(self) -> str | None:
        """The model that answers while this one does not."""
        return self._route.fallback

    @property
    def fell_back(self) -> bool:
        """Whether the fallback was ever used."""
        return self._route.fell_back

    @property
    def usage(self) -> Usage:
        """What all answers through this value used and cost so far, in every thread."""
        return self._meter.total

    def wait_until_ready(self, *, timeout: float = READY_TIMEOUT) -> None:
        """Wait until the service finds the model: a fresh one can be unknown for minutes.

        Each probe asks for one token; one that is refused costs nothing.

        Args:
            timeout: Seconds to wait.

        Raises:
            ModelNotReadyError: It was not found in time.
        """
        run(self._wait_until_ready(self.provider.blocking(), timeout))

    async def wait_until_ready_async(self, *, timeout: float = READY_TIMEOUT) -> None:
        """As `wait_until_ready`, without blocking."""
        await self._wait_until_ready(self.provider.asynchronous(), timeout)

    async def _wait_until_ready(self, gateway: Gateway, timeout: float) -> None:
        if not await await_ready(gateway, self.name, timeout=timeout):
            raise ModelNotReadyError(not_ready(self.name, timeout=timeout), model=self.name)

    @property
    def trained_on(self) -> Dataset | None:
        """The rows it was trained on, where they are known; an evaluation refuses to measure on them."""
        return self._trained_on

    def ask(self, text: str, *, system: str | None = None, **parameters: object) -> str:
        """Send one user message and return the answer's text.

        Args:
            text: What to ask.
            system: The system prompt; the model's own where none is given, `""` for none at all.
            parameters: Further fields of the chat request.

        Returns:
            The text; empty where the model answered with a tool call alone.
        """
        return run(self._ask(self.provider.blocking(), text, system, parameters))

    async def ask_async(self, text: str, *, system: str | None = None, **parameters: object) -> str:
        """As `ask`, without blocking."""
        return await self._ask(self.provider.asynchronous(), text, system, parameters)

    async def _ask(
        self, gateway: Gateway, text: str, system: str | None, parameters: Mapping[str, object]
    ) -> str:
        completion = await self._chat(gateway, self._messages(text, system), parameters)
        return completion.choices[0].message.content or ""

    def chat(
        self, messages: Sequence[Mapping[str, object]], **parameters: object
    ) -> ChatCompletion:
        """Send a conversation as it is and return the whole completion.

        Args:
            messages: As the chat endpoint takes them; the model's own system prompt is not added.
            parameters: Further fields of the chat request, such as `tools`.
        """
        return run(self._chat(self.provider.blocking(), messages, parameters))

    async def chat_async(
        self, messages: Sequence[Mapping[str, object]], **parameters: object
    ) -> ChatCompletion:
        """As `chat`, without blocking."""
        return await self._chat(self.provider.asynchronous(), messages, parameters)

    async def _chat(
        self,
        gateway: Gateway,
        messages: Sequence[Mapping[str, object]],
        parameters: Mapping[str, object],
    ) -> ChatCompletion:
        self._watch.look(messages, parameters)

        async def call(name: str) -> ChatCompletion:
            completion = await gateway.chat(
                {"model": name, "messages": list(messages), **parameters}
            )
            self._count(name, completion)
            return completion

        return await self._route.ask(gateway, call)

    def parse(
        self,
        prompt: str | Sequence[Mapping[str, object]],
        *,
        response_format: type[Format],
        system: str | None = None,
        **parameters: object,
    ) -> Format:
        """Ask for an answer in a format and return it as an instance.

        The format is sent as a strict JSON schema, which the service makes the answer follow.

        Args:
            prompt: A user message as for `ask`, or a conversation as for `chat`.
            response_format: A pydantic model, or a dataclass made by pydantic.
            system: As for `ask`; only with a user message.
            parameters: Further fields of the chat request.

        Raises:
            openai.LengthFinishReasonError: The answer was cut off at the limit of tokens.
            openai.ContentFilterFinishReasonError: The service held the answer back.
            ValueError: The model refused, or the answer does not follow the format.
            TypeError: The format is neither.

        Example:
            >>> class Ticket(pydantic.BaseModel):
            ...     topic: str
            ...     urgent: bool
            >>> model.parse("My parcel never came!", response_format=Ticket)
            Ticket(topic='delivery', urgent=True)
        """
        return run(
            self._parse(self.provider.blocking(), prompt, response_format, system, parameters)
        )

    async def parse_async(
        self,
        prompt: str | Sequence[Mapping[str, object]],
        *,
        response_format: type[Format],
        system: str | None = None,
        **parameters: object,
    ) -> Format:
        """As `parse`, without blocking."""
        return await self._parse(
            self.provider.asynchronous(), prompt, response_format, system, parameters
        )

    async def _parse(
        self,
        gateway: Gateway,
        prompt: str | Sequence[Mapping[str, object]],
        response_format: type[Format],
        system: str | None,
        parameters: Mapping[str, object],
    ) -> Format:
        messages = self._messages(prompt, system) if isinstance(prompt, str) else list(prompt)
        self._watch.look(messages, parameters)

        async def call(name: str) -> Format:
            request = {"model": name, "messages": messages, **parameters}
            try:
                completion = await gateway.parse_chat(request, response_format=response_format)
            except CALL_ERRORS as error:
                # An answer that was cut off is billed all the same.
                if (cut := getattr(error, "completion", None)) is not None:
                    self._count(name, cut)
                raise
            self._count(name, completion)
            message = completion.choices[0].message
            if message.parsed is None:
                fault = (
                    f"refused: {message.refusal}" if message.refusal else "gave no text to parse"
                )
                raise ValueError(f"{name!r} {fault}")
            return message.parsed

        return await self._route.ask(gateway, call)

    def stream(
        self,
        prompt: str | Sequence[Mapping[str, object]],
        *,
        system: str | None = None,
        **parameters: object,
    ) -> Iterator[str]:
        """Yield the answer's text piece by piece.

        Args:
            prompt: A user message as for `ask`, or a conversation as for `chat`.
            system: As for `ask`; only with a user message.
            parameters: Further fields of the chat request.
        """
        return iterate(self._stream(self.provider.blocking(), prompt, system, parameters))

    def stream_async(
        self,
        prompt: str | Sequence[Mapping[str, object]],
        *,
        system: str | None = None,
        **parameters: object,
    ) -> AsyncIterator[str]:
        """As `stream`, without blocking."""
        return self._stream(self.provider.asynchronous(), prompt, system, parameters)

    async def _stream(
        self,
        gateway: Gateway,
        prompt: str | Sequence[Mapping[str, object]],
        system: str | None,
        parameters: Mapping[str, object],
    ) -> AsyncIterator[str]:
        messages = self._messages(prompt, system) if isinstance(prompt, str) else list(prompt)
        self._watch.look(messages, parameters)
        request: dict[str, object] = {"messages": messages, **parameters}
        if self.provider.kind != "compatible":
            # The last chunk then counts the tokens; a compatible service may not know the field.
            request.setdefault("stream_options", {"include_usage": True})

        async def opened(name: str) -> tuple[str, AsyncIterator[ChatCompletionChunk]]:
            chunks = await gateway.open_stream({**request, "model": name})
            return name, chunks

        name, chunks = await self._route.ask(gateway, opened)
        counts: object = None
        async for chunk in chunks:
            counts = chunk.usage.to_dict() if chunk.usage else counts
            for choice in chunk.choices:
                if choice.delta.content:
                    yield choice.delta.content
        self._meter.add(tariff(name, self.provider.kind).usage(counts))

    def map(
        self,
        inputs: Iterable[str | Sequence[Mapping[str, object]]] | Dataset,
        *,
        system: str | None = None,
        journal: str | os.PathLike[str] | None = None,
        at_once: int = AT_ONCE,
        budget_usd: float | None = None,
        timeout: float = TIMEOUT,
        max_attempts: int = MAX_ATTEMPTS,
        progress: bool | None = None,
        **parameters: object,
    ) -> MapResult:
        """Ask thousands of inputs, at the pace that the service allows, and keep their order.

        The pace follows the service's rate-limit headers; a refusal (429) slows all calls down once. A
        call that fails for good is an error in its place and costs no other one.

        Args:
            inputs: Texts as for `ask`, conversations as for `chat`, or a dataset: its rows are asked
                without their last answer, with their tools.
            system: The system prompt of texts; the model's own where none is given.
            journal: A file that keeps each answer as it comes. The same call with the same file goes
                on after a crash and asks what has no answer yet, errors included.
            at_once: Most calls in flight at the same time.
            budget_usd: Send no call that might exceed it, answers in the journal included. Each call in
                flight is counted as the dearest so far, so the first goes alone. What is left unasked
                is named in `stopped` and `errors`.
            timeout: Seconds for one input, with all its attempts.
            max_attempts: Attempts for one input on failures such as 500; refusals for the rate come on
                top.
            progress: False is silent, True always writes, None writes only to a terminal or notebook.
            parameters: Further fields of the chat requests, the same for all.

        Raises:
            JournalError: The journal is of other inputs or parameters, damaged, or in use.
            ProviderError: There is a budget, but no price for the model is known.
            openai.AuthenticationError: The key is wrong, so nothing was answered at all.

        Example:
            >>> result = model.map(["Where is my parcel?", "Reset my password"], journal="run.jsonl")
            >>> result.texts, result.errors, result.usd
        """
        options = MapOptions(
            at_once=at_once,
            timeout=timeout,
            max_attempts=max_attempts,
            budget_usd=budget_usd,
            journal=journal,
            progress=progress,
        )
        return run(self._map(self.provider.blocking(), inputs, system, options, parameters))

    async def map_async(
        self,
        inputs: Iterable[str | Sequence[Mapping[str, object]]] | Dataset,
        *,
        system: str | None = None,
        journal: str | os.PathLike[str] | None = None,
        at_once: int = AT_ONCE,
        budget_usd: float | None = None,
        timeout: float = TIMEOUT,
        max_attempts: int = MAX_ATTEMPTS,
        progress: bool | None = None,
        **parameters: object,
    ) -> MapResult:
        """As `map`, without blocking."""
        options = MapOptions(
            at_once=at_once,
            timeout=timeout,
            max_attempts=max_attempts,
            budget_usd=budget_usd,
            journal=journal,
            progress=progress,
        )
        return await self._map(self.provider.asynchronous(), inputs, system, options, parameters)

    async def _map(
        self,
        gateway: Gateway,
        inputs: Iterable[str | Sequence[Mapping[str, object]]] | Dataset,
        system: str | None,
        options: MapOptions,
        parameters: Mapping[str, object],
    ) -> MapResult:
        return await map_requests(
            gateway,
            self._requests(inputs, system, parameters),
            route=self._route,
            kind=self.provider.kind,
            meter=self._meter,
            options=options,
        )

    def compare(
        self,
        dataset: Dataset,
        *,
        against: str | CustomModel | Sequence[str | CustomModel],
        grader: Grader | None = None,
        allow_seen: bool = False,
        at_once: int = 8,
        progress: bool | None = None,
        **parameters: object,
    ) -> Comparison:
        """Ask this model and others the same held-out rows, and say which is better and how surely.

        The last assistant message of every row is the reference answer; the messages before it are
        sent as they are. A call that fails counts as wrong and is listed, never left out.

        Args:
            dataset: Rows that no candidate was trained on.
            against: One or more models by name or as values; the first is the baseline.
            grader: What counts as right; exact match where none is given.
            allow_seen: Accept rows that this model was trained on; the result says so.
            at_once: Calls in flight at the same time.
            progress: False is silent, True always writes, None writes only to a terminal or notebook.
            parameters: Fields of the chat request, over `temperature=0` and `seed=0`.

        Raises:
            DatasetError: A row has no reference answer, or was seen in training.
        """
        return run(
            self._compare(
                dataset, against, grader, allow_seen, at_once, progress, parameters, blocking=True
            )
        )

    async def compare_async(
        self,
        dataset: Dataset,
        *,
        against: str | CustomModel | Sequence[str | CustomModel],
        grader: Grader | None = None,
        allow_seen: bool = False,
        at_once: int = 8,
        progress: bool | None = None,
        **parameters: object,
    ) -> Comparison:
        """As `compare`, without blocking."""
        return await self._compare(
            dataset, against, grader, allow_seen, at_once, progress, parameters, blocking=False
        )

    async def _compare(
        self,
        dataset: Dataset,
        against: str | CustomModel | Sequence[str | CustomModel],
        grader: Grader | None,
        allow_seen: bool,
        at_once: int,
        progress: bool | None,
        parameters: Mapping[str, object],
        *,
        blocking: bool,
    ) -> Comparison:
        if at_once < 1:
            raise ValueError(f"at_once must be at least 1, not {at_once!r}")
        candidates = self._candidates(against)
        rows = list(dataset.records())
        seen = self._seen(dataset)
        split = comparable(rows, grader=grader, overlap=seen, allow_seen=allow_seen)
        prompts = [pair.prompt for pair in split]
        answers: dict[str, list[Answer]] = {}
        for candidate in candidates:
            place = candidate.provider
            answers[candidate.name] = await answer_all(
                place.blocking() if blocking else place.asynchronous(),
                prompts,
                # No fallback: a comparison is of the models that it names.
                route=Route(candidate.name, None),
                kind=place.kind,
                meter=candidate._meter,
                parameters={**REPEATABLE, **parameters},
                at_once=at_once,
                progress=progress,
            )
        return compare(
            rows,
            answers,
            baseline=candidates[0].name,
            grader=grader,
            overlap=seen,
            allow_seen=allow_seen,
        )

    def record(
        self,
        prompts: Dataset | Recording | Iterable[str | Sequence[Mapping[str, object]]],
        *,
        path: str | os.PathLike[str] | None = None,
        samples: int | None = None,
        logprobs: bool = True,
        at_once: int = 8,
        progress: bool | None = None,
        **parameters: object,
    ) -> Recording:
        """Keep what this model answers, while it still answers.

        A call that fails is part of the recording, as an answer with an error. Where the path holds the
        same recording already, only what is missing or failed is asked.

        Args:
            prompts: Texts, to which the model's own system prompt is added; conversations as they are; a
                dataset, of whose rows the last answer is kept as the reference; or another recording, whose
                prompts are asked with the same parameters.
            path: A file to which every answer goes as it comes, so that a crash loses none.
            samples: How often each prompt is asked; once where none is given, and as often as that recording
                where prompts is one. From two on, the recording shows how far the model agrees with itself,
                without which agreement with another one cannot be judged fairly. Each has a seed of its own.
            logprobs: Keep the log-probability of every token; a service that refuses is asked without.
            at_once: Calls in flight at the same time.
            progress: False is silent, True always writes, None writes only to a terminal or notebook.
            parameters: Fields of the chat request, over `temperature=0` and `seed=0`; None leaves one out.

        Raises:
            DatasetError: There is nothing to ask, or the file is another recording.
            ValueError: A number or a parameter makes no sense.
        """
        begun = self._begin_recording(prompts, path, samples, at_once, parameters)
        gateway = self.provider.blocking()
        return run(
            asked.finish(gateway, begun, logprobs=logprobs, at_once=at_once, progress=progress)
        )

    async def record_async(
        self,
        prompts: Dataset | Recording | Iterable[str | Sequence[Mapping[str, object]]],
        *,
        path: str | os.PathLike[str] | None = None,
        samples: int | None = None,
        logprobs: bool = True,
        at_once: int = 8,
        progress: bool | None = None,
        **parameters: object,
    ) -> Recording:
        """As `record`, without blocking on the network."""
        begun = self._begin_recording(prompts, path, samples, at_once, parameters)
        gateway = self.provider.asynchronous()
        return await asked.finish(
            gateway, begun, logprobs=logprobs, at_once=at_once, progress=progress
        )

    def _begin_recording(
        self,
        prompts: Dataset | Recording | Iterable[str | Sequence[Mapping[str, object]]],
        path: str | os.PathLike[str] | None,
        samples: int | None,
        at_once: int,
        parameters: Mapping[str, object],
    ) -> asked.OpenRecording:
        return asked.begin(
            self.name,
            self.provider,
            prompts,
            system=self.system,
            path=path,
            samples=samples,
            at_once=at_once,
            parameters=parameters,
        )

    def _candidates(
        self, against: str | CustomModel | Sequence[str | CustomModel]
    ) -> list[CustomModel]:
        """Return the baseline, the other candidates, and this model."""
        named = [against] if isinstance(against, str | CustomModel) else list(against)
        others = [
            CustomModel(other, provider=self.provider) if isinstance(other, str) else other
            for other in named
        ]
        every = [*others, self]
        names = [candidate.name for candidate in every]
        twice = sorted({name for name in names if names.count(name) > 1})
        if not others or twice:
            fault = f"{twice[0]!r} is named twice" if twice else "there is nothing to compare with"
            raise ValueError(f"{fault}; pass against= one or more other models")
        return every

    def _renamed(self, name: str) -> Self:
        return type(self)(
            name,
            provider=self.provider,
            system=self.system,
            trained_on=self._trained_on,
            trained_tools=self._form.tools,
            fallback=self.fallback,
        )

    def _seen(self, dataset: Dataset) -> SeenRows | None:
        return None if self._trained_on is None else dataset.overlap(self._trained_on)

    def _count(self, name: str, completion: ChatCompletion) -> None:
        counts = completion.usage.to_dict() if completion.usage else None
        self._meter.add(tariff(name, self.provider.kind).usage(counts))

    def _messages(self, text: str, system: str | None) -> list[dict[str, object]]:
        prompt = self.system if system is None else system
        opening: list[dict[str, object]] = [{"role": "system", "content": prompt}] if prompt else []
        return [*opening, {"role": "user", "content": text}]

    def __repr__(self) -> str:
        return f"CustomModel({self.name!r}, provider={self.provider.kind!r})"

    def _repr_html_(self) -> str:
        return html_text(repr(self))
