"""Where a job runs and a model answers: OpenAI, Azure OpenAI, a compatible service, or the local server."""

from gpt4o_tune.providers.environment import ENVIRONMENT
from gpt4o_tune.providers.profiles import Profile
from gpt4o_tune.providers.provider import Provider

__all__ = ["ENVIRONMENT", "Profile", "Provider"]
