"""The providers as their documents, and captured answers, describe them.

Shapes and quirks are those of the project's fact sheet of November 2026; each service is data only.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from gpt4o_tune import Provider
from gpt4o_tune.providers import profiles
from tests.providers.service import FIRST_SECOND, Rule, Service

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "sk-stub"


def measured(step: int, loss: float, **further: object) -> dict[str, object]:
    """A metrics event as OpenAI and Azure send it."""
    return {
        "id": f"ftevent-{step}",
        "object": "fine_tuning.job.event",
        "created_at": FIRST_SECOND + step,
        "level": "info",
        "type": "metrics",
        "message": f"Step {step}: training loss={loss}",
        "data": {"step": step, "train_loss": loss, **further},
    }


def said(second: int, message: str) -> dict[str, object]:
    """A message event."""
    return {
        "id": f"ftevent-m{second}",
        "object": "fine_tuning.job.event",
        "created_at": FIRST_SECOND + second,
        "level": "info",
        "type": "message",
        "message": message,
        "data": None,
    }


def fastapi_error(status: int, words: str) -> dict[str, object]:
    """FastAPI's shapes: a sentence, or a list of faults of the body."""
    if status == 422:
        return {"detail": [{"loc": ["body"], "msg": words, "type": "value_error"}]}
    return {"detail": words}


def grpc_error(status: int, words: str) -> dict[str, object]:
    """What a gRPC gateway answers."""
    return {"code": 3 if status == 400 else 5, "message": words, "details": []}


def hyperparameters(body: Mapping[str, object]) -> dict[str, object]:
    """The top-level hyperparameters of a create request."""
    found = body.get("hyperparameters") or {}
    assert isinstance(found, dict)
    return found


OPENAI = Service(
    name="openai",
    provider=lambda url: replace(Provider.openai(api_key=KEY), base_url=f"{url}/v1"),
    launch={"hyperparameters": {"n_epochs": 3}, "suffix": "tickets", "seed": 7},
    creates={
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
        "suffix": "tickets",
        "seed": 7,
    },
    never_sent=("hyperparameters",),
    job={"estimated_finish": 0, "usage_metrics": None, "shared_with_openai": False},
    events=(
        said(1, "Created fine-tuning job: ftjob-1"),
        measured(1, 1.5, total_steps=2),
        measured(2, 0.75, total_steps=2, full_valid_loss=0.9),
    ),
    # The newer header; the content arrives in base64.
    result_file=base64.b64encode(
        b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n"
        b"1,1.5,0.5,,\n2,0.75,0.75,0.8,0.7\n"
    ),
    checkpoints=(
        {
            "id": "ftckpt-1",
            "object": "fine_tuning.job.checkpoint",
            "created_at": FIRST_SECOND,
            "fine_tuned_model_checkpoint": "ft:gpt-4o-2024-08-06:acme::stub:ckpt-step-1",
            "fine_tuning_job_id": "ftjob-1",
            "step_number": 1,
            "metrics": {"step": 1, "full_valid_loss": 0.9},
        },
    ),
)

AZURE = Service(
    name="azure",
    path="/openai/v1",
    provider=lambda url: replace(
        Provider.azure(
            "https://stub.openai.azure.com",
            token_provider=lambda: KEY,
            training_type="globalStandard",
        ),
        base_url=f"{url}/openai/v1",
    ),
    launch={"hyperparameters": {"n_epochs": 2}, "suffix": "tickets"},
    creates={"trainingType": "globalStandard", "suffix": "tickets"},
    states=("pending", "running", "pausing", "paused", "resuming", "running", "succeeded"),
    file_states=("pending", "running", "processed"),
    waits_for_files=True,
    rules=(
        Rule(
            "The fineTuningJob field is required.",
            lambda request: (
                str(request.body.get("trainingType")).lower()
                not in ("standard", "globalstandard", "developertier")
            ),
        ),
        Rule("api-version not allowed", lambda r: "api-version" in r.query, at="every request"),
        Rule(
            "The suffix must not hold a dot.",
            lambda request: "." in str(request.body.get("suffix")),
        ),
    ),
    drops=("organization_id", "validation_file"),
    job={
        "estimated_finish": FIRST_SECOND + 90_000,
        "hyperparameters": {
            "n_epochs": 2,
            "batch_size": -1,
            "learning_rate_multiplier": 1.0,
        },
        "trainingType": "globalStandard",
        "error": {},
    },
    model="gpt-4o-2024-08-06.ft-0123456789abcdef",
    serves_at_once=False,
    events=(
        said(1, "Job enqueued. Waiting for jobs ahead to complete."),
        measured(1, 1.25),
        said(2, "Training tokens billed: 1234"),
    ),
    result_file=(
        b"step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,"
        b"full_valid_loss,full_valid_mean_token_accuracy\n1,1.25,0.5,,,,\n2,0.5,0.75,,,0.6,0.8\n"
    ),
)

NEBIUS = Service(
    name="nebius",
    provider=lambda url: Provider.compatible(f"{url}/v1", api_key=KEY, profile="nebius"),
    launch={
        "model": "meta-llama/Meta-Llama-3.1-8B-Instruct",
        "hyperparameters": {"n_epochs": 20, "lora": True, "lora_r": 16, "learning_rate": 1e-5},
    },
    creates={
        "hyperparameters": {"n_epochs": 20, "lora": True, "lora_r": 16, "learning_rate": 1e-5}
    },
    never_sent=("method", "metadata"),
    rules=(
        Rule(
            "method and hyperparameters cannot be given together",
            lambda request: "method" in request.body and "hyperparameters" in request.body,
        ),
        Rule(
            "n_epochs must be from 1 to 20",
            lambda request: not 1 <= int(str(hyperparameters(request.body)["n_epochs"])) <= 20,
        ),
    ),
    refusal=422,
    error=fastapi_error,
    job={"trained_steps": 2, "total_steps": 2, "organization_id": ""},
    model="",
    events=(measured(1, 2.0), measured(2, 1.0)),
    checkpoints=(
        {
            "id": "ftckpt-1",
            "object": "fine_tuning.job.checkpoint",
            "created_at": FIRST_SECOND,
            "fine_tuned_model_checkpoint": "",
            "fine_tuning_job_id": "ftjob-1",
            "step_number": 2,
            "metrics": {"train_loss": 1.0},
            "result_files": ["file-adapter"],
        },
    ),
)

LLMARINER = Service(
    name="llmariner",
    provider=lambda url: Provider.compatible(f"{url}/v1", api_key=KEY, profile="llmariner"),
    launch={
        "model": "google-gemma-2b-it",
        "suffix": "tickets",
        "hyperparameters": {"n_epochs": 2, "batch_size": 4},
    },
    creates={"suffix": "tickets", "hyperparameters": {"n_epochs": 2, "batch_size": 4}},
    never_sent=("method", "metadata"),
    states=("creating", "running", "succeeded"),
    cancelling=("canceling", "canceled"),
    missing=frozenset({"events", "checkpoints"}),
    rules=(
        Rule("suffix is required", lambda request: not request.body.get("suffix")),
        Rule("suffix is too long", lambda request: len(str(request.body.get("suffix"))) > 18),
        Rule(
            'invalid value for int32 field n_epochs: "auto"',
            lambda request: "auto" in hyperparameters(request.body).values(),
        ),
    ),
    error=grpc_error,
    timestamp=str,
    unset="",
    job={"error": None, "total_items": 0},
    model="ft:google-gemma-2b-it:tickets-stub",
)

LITELLM = Service(
    name="litellm",
    path="",
    provider=lambda url: Provider.compatible(url, api_key=KEY, profile=profiles.litellm("azure")),
    launch={"hyperparameters": {"n_epochs": 2}, "suffix": "tickets"},
    creates={"custom_llm_provider": "azure", "hyperparameters": {"n_epochs": 2}},
    never_sent=("method", "metadata"),
    missing=frozenset({"events", "checkpoints"}),
    rules=(
        Rule(
            "Invalid request, No litellm managed file id or custom_llm_provider provided.",
            lambda request: "custom_llm_provider" not in request.body,
        ),
        Rule(
            "Field required: custom_llm_provider",
            lambda request: request.query.get("custom_llm_provider") != "azure",
            at="jobs",
        ),
        Rule(
            "no provider of files",
            lambda request: (
                "/files" in request.path and request.headers.get("custom-llm-provider") != "azure"
            ),
            at="every request",
        ),
    ),
    error=fastapi_error,
)

PORTKEY = Service(
    name="portkey",
    provider=lambda url: Provider.compatible(
        f"{url}/v1", api_key=KEY, profile=profiles.portkey("@openai-prod")
    ),
    launch={"hyperparameters": {"n_epochs": 2}},
    creates={"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}},
    rules=(
        Rule(
            "Either x-portkey-config or x-portkey-provider header is required",
            lambda request: request.headers.get("x-portkey-provider") != "@openai-prod",
            at="every request",
        ),
    ),
    error=lambda status, words: {"status": "failure", "message": words},
    events=(measured(1, 1.0),),
)

GRADER = {"type": "lambda", "lambda": {"function": "arn:aws:lambda:us-west-2:1:function:reward"}}

BEDROCK = Service(
    name="bedrock",
    provider=lambda url: Provider.compatible(
        f"{url}/v1", api_key=KEY, profile=profiles.bedrock("us-west-2")
    ),
    launch={
        "model": "openai.gpt-oss-20b",
        "method": "reinforcement",
        "grader": GRADER,
        "hyperparameters": {"n_epochs": 1, "batch_size": 4},
    },
    creates={
        "method": {
            "type": "reinforcement",
            "reinforcement": {
                "grader": GRADER,
                "hyperparameters": {"n_epochs": 1, "batch_size": 4},
            },
        }
    },
    never_sent=("suffix", "metadata", "hyperparameters"),
    rules=(
        Rule("suffix is not supported", lambda request: "suffix" in request.body),
        Rule(
            "only reinforcement fine-tuning is supported",
            lambda request: request.body["method"]["type"] != "reinforcement",
        ),
    ),
    model="openai.gpt-oss-20b:stub",
    events=(measured(1, 0.0, train_reward_mean=0.25),),
)

ROSE_SERVER = Service(
    name="rose-server",
    provider=lambda url: Provider.compatible(f"{url}/v1", api_key=KEY, profile="rose-server"),
    launch={"model": "qwen2.5-0.5b", "hyperparameters": {"n_epochs": 1}},
    creates={"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}}},
    cancelling=("cancelling", "cancelled"),
    error=fastapi_error,
    model="qwen2.5-0.5b-ft-1800000000-tickets",
    events=(measured(1, 1.0),),
)

SERVICES = (OPENAI, AZURE, NEBIUS, LLMARINER, LITELLM, PORTKEY, BEDROCK, ROSE_SERVER)
