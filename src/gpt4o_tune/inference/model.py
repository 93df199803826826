"""`CustomModel`: any chat model by its name, fine-tuned or not, at any provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune._display import html_text
from gpt4o_tune._drive import iterate, run
from gpt4o_tune.evaluation import Comparison, comparable, compare
from gpt4o_tune.inference import recording as asked
from gpt4o_tune.inference.asking import answer_all
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from openai.types.chat import ChatCompletion

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.data import Dataset
    from gpt4o_tune.evaluation import Answer, Grader, Recording, SeenRows

__all__ = ["CustomModel"]

REPEATABLE: Mapping[str, object] = {"temperature": 0, "seed": 0}
"""Parameters of a comparison, so that it gives the same answers again as far as the service can."""


class CustomModel:
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
    ) -> None:
        """Name a model; nothing is sent.

        Args:
            name: The model id: a fine-tuned model, one of its checkpoints, a base model, or an Azure
                deployment.
            provider: Where it answers; read from the environment where none is given.
            system: The system prompt of `ask`; the one it was trained with, so that it meets again
                what it knows.
            trained_on: The rows it was trained on, so that a comparison refuses to measure on them.

        Raises:
            ProviderError: No provider was given and the environment names none.
        """
        self.name = name
        self.provider = provider or Provider.from_environment()
        self.system = system
        self._trained_on = trained_on

    @property
    def trained_on(self) -> Dataset | None:
        """The rows it was trained on, where they are known."""
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
        messages = self._messages(text, system)
        completion = await gateway.chat({"model": self.name, "messages": messages, **parameters})
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
        return await gateway.chat({"model": self.name, "messages": list(messages), **parameters})

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
        request = {"model": self.name, "messages": messages, **parameters}
        async for chunk in gateway.stream_chat(request):
            for choice in chunk.choices:
                if choice.delta.content:
                    yield choice.delta.content

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
                candidate.name,
                prompts,
                kind=place.kind,
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

    def _seen(self, dataset: Dataset) -> SeenRows | None:
        return None if self._trained_on is None else dataset.overlap(self._trained_on)

    def _messages(self, text: str, system: str | None) -> list[dict[str, object]]:
        prompt = self.system if system is None else system
        opening: list[dict[str, object]] = [{"role": "system", "content": prompt}] if prompt else []
        return [*opening, {"role": "user", "content": text}]

    def __repr__(self) -> str:
        return f"CustomModel({self.name!r}, provider={self.provider.kind!r})"

    def _repr_html_(self) -> str:
        return html_text(repr(self))
