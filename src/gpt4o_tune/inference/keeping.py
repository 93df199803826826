"""Keeping fine-tuned models: deploy one at Azure, take it down, delete one for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune._drive import settle
from gpt4o_tune._gateway import CALL_ERRORS
from gpt4o_tune.errors import ProviderError
from gpt4o_tune.inference.end_dates import is_base, is_tuned
from gpt4o_tune.inference.inventory import jobs_by_model

if TYPE_CHECKING:
    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.providers import AzureDeployments, Provider

__all__ = ["delete", "deploy", "undeploy"]

JOBS_SEARCHED = 10_000
"""The newest jobs among which a model must be found whose name does not show that it was tuned."""


async def deploy(
    deployments: AzureDeployments,
    name: str,
    *,
    model: str,
    sku: str,
    capacity: int,
    timeout: float,
    provider: Provider,
    blocking: bool,
) -> None:
    """Deploy a model under a name and wait until it answers.

    Raises:
        ProviderError: The provider needs no deployment, the name is taken, or Azure refused.
    """
    _require_azure(provider, model)
    for each in await settle(deployments.list() if blocking else deployments.list_async()):
        if each.name == name and each.model != model:
            raise ProviderError(
                f"deployment {name!r} serves {each.model!r}, which would answer no more. Choose another "
                f"name, or change it with deployments.create({name!r}, model={model!r})"
            )
    create = deployments.create if blocking else deployments.create_async
    await settle(create(name, model=model, sku=sku, capacity=capacity))
    wait = deployments.wait if blocking else deployments.wait_async
    await settle(wait(name, timeout=timeout))
    probe = deployments.probe if blocking else deployments.probe_async
    await settle(probe(name, provider=provider))


async def undeploy(
    deployments: AzureDeployments, name: str, *, model: str, provider: Provider, blocking: bool
) -> tuple[str, ...]:
    """Delete the deployment of that name, or else every deployment of the model of that name.

    Args:
        deployments: Of the resource that serves the model.
        name: What requests name as their model.
        model: The model behind it, as far as it is known; else the name once more.
        provider: Where the model answers.
        blocking: Which face of the deployments to use.

    Raises:
        ProviderError: The provider needs no deployment, it serves another model or a base model, or
            Azure refused.
    """
    _require_azure(provider, name)
    every = await settle(deployments.list() if blocking else deployments.list_async())
    meant = [each for each in every if each.name == name] or [
        each for each in every if each.model == name
    ]
    for each in meant:
        if model not in (name, each.model):
            raise ProviderError(
                f"deployment {each.name!r} now serves {each.model!r} and not {model!r}. Nothing was "
                f"deleted; if you mean it, call deployments.delete({each.name!r})"
            )
        if not is_tuned(each.model):
            raise ProviderError(
                f"deployment {each.name!r} serves the base model {each.model!r}, which others may use. "
                f"Nothing was deleted; if you mean it, call deployments.delete({each.name!r})"
            )
    for each in meant:
        delete = deployments.delete if blocking else deployments.delete_async
        await settle(delete(each.name))
    return tuple(each.name for each in meant)


async def delete(gateway: Gateway, name: str, *, confirm: str) -> None:
    """Delete a fine-tuned model for good.

    Raises:
        ValueError: `confirm` is not the model's name.
        ProviderError: Nothing shows that the model was fine-tuned.
    """
    if confirm != name:
        raise ValueError(
            f"deleting {name!r} cannot be undone; nothing was deleted. If you mean it, pass "
            f"confirm={name!r}"
        )
    if not await _was_tuned(gateway, name):
        raise ProviderError(
            f"nothing shows that {name!r} is a fine-tuned model, so it was not deleted: its name does "
            "not say so, and no job here gave it. A deployment is taken down with undeploy()"
        )
    await gateway.delete_model(name)


async def _was_tuned(gateway: Gateway, name: str) -> bool:
    if is_base(name):
        return False
    if is_tuned(name):
        return True
    model = await gateway.find_model(name)
    if getattr(model, "parent", None) not in (None, "", name):
        return True
    try:
        jobs = await gateway.find_jobs(None, most=JOBS_SEARCHED)
    except CALL_ERRORS as error:
        if getattr(error, "status_code", None) in (403, 404, 405):
            return False
        raise
    return name in jobs_by_model(jobs)


def _require_azure(provider: Provider, model: str) -> None:
    if provider.kind != "azure":
        raise ProviderError(
            f"{provider.profile.name} needs no deployment: ask {model!r} at once. Only Azure serves a "
            "fine-tuned model under the name of a deployment"
        )
