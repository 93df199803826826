"""What is done with a model apart from asking it: list, deploy, delete, batches, and when it ends."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Self, cast

from gpt4o_tune._drive import run
from gpt4o_tune.inference import keeping
from gpt4o_tune.inference.batch import BatchRun
from gpt4o_tune.inference.batch_submitting import IfBatchExists, submit
from gpt4o_tune.inference.end_dates import EndDate, catalog_end, is_base, warn_of_end
from gpt4o_tune.inference.inputs import requests_of
from gpt4o_tune.inference.inventory import Inventory, take_inventory
from gpt4o_tune.inference.trained_form import FormWatch, TrainedForm
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.data import Dataset
    from gpt4o_tune.inference.inputs import Messages, Request
    from gpt4o_tune.providers import AzureDeployments

__all__ = ["KeptModel"]


class KeptModel(abc.ABC):
    """The part of `CustomModel` that sends no single question."""

    def __init__(self, name: str, *, provider: Provider, form: TrainedForm) -> None:
        """Name a model and log a warning, once in a process, where its end is near."""
        self.name = name
        """What requests name as their model."""
        self.provider = provider
        """Where it answers."""
        self.system = form.system
        """The system prompt of `ask`."""
        self._form = form
        # A base model was not trained here, so its prompt is a choice for `ask` alone.
        self._watch = FormWatch(name, TrainedForm() if is_base(name) else form)
        self._tuned_name = name
        warn_of_end(name, provider, self.end)

    @property
    def end(self) -> EndDate | None:
        """The day on which the model is switched off there, by the catalog; None where none is known.

        `CustomModel.list` asks the service itself, whose word wins.
        """
        return catalog_end(self._tuned_name, self.provider.kind)

    @classmethod
    def list(
        cls,
        provider: Provider | None = None,
        *,
        deployments: AzureDeployments | None = None,
        on: dt.date | None = None,
        probe: bool = False,
    ) -> Inventory:
        """List every fine-tuned model at a provider, the one that ends first first.

        Args:
            provider: Where; read from the environment where none is given.
            deployments: The deployments of an Azure resource, to show which models are served.
            on: The day from which the days left are counted; today where none is given.
            probe: Ask each model for one token, which may be billed, to see whether it answers.

        Raises:
            ProviderError: No provider is known, or it lists neither models nor jobs.
            openai.APIError: The service refused, or stayed out of reach.
        """
        place = provider or Provider.from_environment()
        served = None if deployments is None else deployments.list()
        return run(
            take_inventory(place.blocking(), provider=place, deployments=served, on=on, probe=probe)
        )

    @classmethod
    async def list_async(
        cls,
        provider: Provider | None = None,
        *,
        deployments: AzureDeployments | None = None,
        on: dt.date | None = None,
        probe: bool = False,
    ) -> Inventory:
        """As `list`, without blocking."""
        place = provider or Provider.from_environment()
        served = None if deployments is None else await deployments.list_async()
        return await take_inventory(
            place.asynchronous(), provider=place, deployments=served, on=on, probe=probe
        )

    def deploy(
        self,
        deployments: AzureDeployments,
        *,
        name: str,
        sku: str = "standard",
        capacity: int = 1,
        timeout: float = 1800.0,
    ) -> Self:
        """Deploy the model at Azure, wait until it answers, and return it under its deployment's name.

        A standard deployment is billed by the hour from here until `undeploy`, used or not.

        Args:
            deployments: The deployments of the resource that holds the model.
            name: Name of the deployment; one that serves this model already is changed.
            sku: As for `AzureDeployments.create`.
            capacity: Thousands of tokens per minute.
            timeout: Seconds until the wait for Azure gives up.

        Raises:
            ProviderError: The provider needs no deployment, the name serves another model, or Azure
                refused or is not done in time.
            ValueError: The name or the capacity is not possible.
        """
        run(self._deploy(deployments, name, sku, capacity, timeout, blocking=True))
        return self._deployed(name)

    async def deploy_async(
        self,
        deployments: AzureDeployments,
        *,
        name: str,
        sku: str = "standard",
        capacity: int = 1,
        timeout: float = 1800.0,
    ) -> Self:
        """As `deploy`, without blocking."""
        await self._deploy(deployments, name, sku, capacity, timeout, blocking=False)
        return self._deployed(name)

    async def _deploy(
        self,
        deployments: AzureDeployments,
        name: str,
        sku: str,
        capacity: int,
        timeout: float,  # on the clock of the deployments
        *,
        blocking: bool,
    ) -> None:
        await keeping.deploy(
            deployments,
            name,
            model=self._tuned_name,
            sku=sku,
            capacity=capacity,
            timeout=timeout,
            provider=self.provider,
            blocking=blocking,
        )

    def _deployed(self, name: str) -> Self:
        deployed = self._renamed(name)
        deployed._tuned_name = self._tuned_name
        return deployed

    @abc.abstractmethod
    def _renamed(self, name: str) -> Self:
        """Return the same model under another name."""

    def undeploy(self, deployments: AzureDeployments) -> tuple[str, ...]:
        """Take the model down at Azure and return the names of the deployments that were deleted.

        That is the deployment of this name, or else each one that serves the model of this name. None is
        no error. The model itself stays, and can be deployed again.

        Raises:
            ProviderError: The provider needs no deployment, the deployment serves another model by now
                or a base model, or Azure refused or is not done in time.
        """
        return run(
            keeping.undeploy(
                deployments,
                self.name,
                model=self._tuned_name,
                provider=self.provider,
                blocking=True,
            )
        )

    async def undeploy_async(self, deployments: AzureDeployments) -> tuple[str, ...]:
        """As `undeploy`, without blocking."""
        return await keeping.undeploy(
            deployments,
            self.name,
            model=self._tuned_name,
            provider=self.provider,
            blocking=False,
        )

    def delete(self, *, confirm: str) -> None:
        """Delete the fine-tuned model for good; one that is gone already is no error.

        Args:
            confirm: The model's name once more, so that no loop or slip deletes another one.

        Raises:
            ValueError: `confirm` is not the model's name.
            ProviderError: Nothing shows that the model was fine-tuned, as with a base model.
            openai.APIError: The service refused, such as for a model that is still deployed.
        """
        run(keeping.delete(self.provider.blocking(), self.name, confirm=confirm))

    async def delete_async(self, *, confirm: str) -> None:
        """As `delete`, without blocking."""
        await keeping.delete(self.provider.asynchronous(), self.name, confirm=confirm)

    def batch(
        self,
        inputs: Iterable[str | Sequence[Mapping[str, object]]] | Dataset,
        *,
        system: str | None = None,
        record: str | os.PathLike[str] | None = None,
        if_exists: IfBatchExists = "adopt",
        **parameters: object,
    ) -> BatchRun:
        """Ask many inputs through the Batch API: cheaper, and answered within 24 hours.

        More than 50,000 inputs or 200 MB become several batches. The same call made again finds the
        batches of the first one, so nothing is paid twice.

        Args:
            inputs: Texts as for `ask`, conversations as for `chat`, or a dataset: its rows are asked
                without their last answer, with their tools.
            system: The system prompt of texts; the model's own where none is given.
            record: A file that keeps place and ids of the batches, for `BatchRun.load`.
            if_exists: What to do about batches of the same requests that run or have answers: take
                them, or ask and pay once more.
            parameters: Further fields of the chat requests, the same for all.

        Raises:
            ValueError: There are no inputs, a parameter does not fit, or one input is too large.
            TypeError: An input is neither text nor conversation.
            ProviderError: The service has no Batch API.
            openai.APIError: The service refused, or stayed out of reach.
        """
        return run(
            self._batch(self.provider.blocking(), inputs, system, record, if_exists, parameters)
        )

    async def batch_async(
        self,
        inputs: Iterable[str | Sequence[Mapping[str, object]]] | Dataset,
        *,
        system: str | None = None,
        record: str | os.PathLike[str] | None = None,
        if_exists: IfBatchExists = "adopt",
        **parameters: object,
    ) -> BatchRun:
        """As `batch`, without blocking."""
        return await self._batch(
            self.provider.asynchronous(), inputs, system, record, if_exists, parameters
        )

    async def _batch(
        self,
        gateway: Gateway,
        inputs: Iterable[str | Sequence[Mapping[str, object]]] | Dataset,
        system: str | None,
        record: str | os.PathLike[str] | None,
        if_exists: IfBatchExists,
        parameters: Mapping[str, object],
    ) -> BatchRun:
        batches = await submit(
            gateway,
            self._requests(inputs, system, parameters),
            model=self.name,
            provider=self.provider,
            if_exists=if_exists,
        )
        batch_run = BatchRun(batches, model=self.name, provider=self.provider)
        if record is not None:
            batch_run.save(record)
        return batch_run

    def _requests(
        self,
        inputs: Iterable[str | Sequence[Mapping[str, object]]] | Dataset,
        system: str | None,
        parameters: Mapping[str, object],
    ) -> Sequence[Request]:
        """Make one request of each input, and hold each against the training."""
        prompt = self.system if system is None else system
        requests = requests_of(inputs, system=prompt, parameters=parameters)
        for request in requests:
            self._watch.look(cast("Messages", request["messages"]), request)
        return requests
