"""Where a job runs and a model answers: OpenAI, Azure OpenAI, a compatible service, or the local server."""

from gpt4o_tune.providers import profiles
from gpt4o_tune.providers.azure_deployment import (
    AZURE_MANAGEMENT_SCOPE,
    AzureDeployments,
    Deployment,
)
from gpt4o_tune.providers.environment import ENVIRONMENT
from gpt4o_tune.providers.profiles import Profile
from gpt4o_tune.providers.provider import AZURE_SCOPE, Provider

__all__ = [
    "AZURE_MANAGEMENT_SCOPE",
    "AZURE_SCOPE",
    "ENVIRONMENT",
    "AzureDeployments",
    "Deployment",
    "Profile",
    "Provider",
    "profiles",
]
