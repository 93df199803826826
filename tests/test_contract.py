"""What users may rely on: names, import cost, errors, and faces that match."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import gpt4o_tune
from gpt4o_tune import (
    AzureDeployments,
    BatchRun,
    CustomModel,
    Dataset,
    FineTuneJob,
    RunRecord,
    errors,
    parity,
    plan_retrain,
    retrain,
)
from gpt4o_tune.data import validate_grader
from gpt4o_tune.jobs import WebhookEvent
from gpt4o_tune.testing import FakeService, Faults

ROOMS = (
    "catalog",
    "data",
    "errors",
    "evaluation",
    "inference",
    "jobs",
    "local",
    "providers",
    "testing",
)
HEAVY = ("openai", "pydantic", "tiktoken", "tenacity", "httpx", "numpy", "starlette", "uvicorn")


def test_every_exported_name_resolves() -> None:
    """`__all__` of the door promises nothing that is not there, and `dir` shows it."""
    for name in gpt4o_tune.__all__:
        assert getattr(gpt4o_tune, name) is not None
    assert set(gpt4o_tune.__all__) <= set(dir(gpt4o_tune))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing mistake reads like any other."""
    with pytest.raises(AttributeError, match="no attribute 'Datasets'"):
        gpt4o_tune.Datasets  # noqa: B018


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_export_what_they_list(room: str) -> None:
    """Each room's `__all__` is complete and sorted for reading."""
    module = importlib.import_module(f"gpt4o_tune.{room}")

    assert list(module.__all__) == sorted(module.__all__, key=lambda n: (not n.isupper(), n))
    for name in module.__all__:
        assert hasattr(module, name)


def test_everything_public_is_documented() -> None:
    """Every exported class and function, and every public method, has a docstring."""
    bare: list[str] = []
    for room in ROOMS:
        module = importlib.import_module(f"gpt4o_tune.{room}")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                bare += [f"{room}.{name}"] if not inspect.getdoc(value) else []
            if inspect.isclass(value) and value.__module__.startswith("gpt4o_tune"):
                bare += [
                    f"{room}.{name}.{part}"
                    for part, member in vars(value).items()
                    if not part.startswith("_")
                    and (inspect.isroutine(member) or isinstance(member, property))
                    and not inspect.getdoc(getattr(value, part))
                ]

    assert bare == []


def test_importing_the_package_imports_nothing_heavy() -> None:
    """`import gpt4o_tune` leaves every dependency for later."""
    code = f"import sys, gpt4o_tune; print([m for m in {HEAVY} if m in sys.modules])"

    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert shown.strip() == "[]"


def test_every_module_imports_alone() -> None:
    """No module depends on another having been imported first."""
    names = [
        info.name
        for info in pkgutil.walk_packages(gpt4o_tune.__path__, "gpt4o_tune.")
        if not info.name.endswith("__main__")
    ]
    code = "import importlib, sys\nfor n in sys.argv[1:]: importlib.import_module(n)"

    for name in names:
        importlib.import_module(name)
    assert len(names) > 40
    subprocess.run([sys.executable, "-c", code, *reversed(names)], check=True)


@pytest.mark.parametrize(
    "noun",
    [FineTuneJob, CustomModel, RunRecord, WebhookEvent, AzureDeployments, Dataset, BatchRun],
)
def test_twin_faces_have_one_signature(noun: type) -> None:
    """A verb and its asynchronous face take the same arguments."""
    twins = [name for name in dir(noun) if name.endswith("_async") and not name.startswith("_")]

    assert twins
    for twin in twins:
        blocking, suspending = getattr(noun, twin.removesuffix("_async")), getattr(noun, twin)
        assert inspect.signature(blocking).parameters == inspect.signature(suspending).parameters
        assert inspect.getdoc(suspending).startswith("As `")


@pytest.mark.parametrize(
    ("verb", "positional"),
    [
        (FineTuneJob.create, ["train", "validation"]),
        (FineTuneJob.plan, ["train", "validation"]),
        (FineTuneJob.get, ["job_id"]),
        (FineTuneJob.list, []),
        (FineTuneJob.launch, ["plan"]),
        (RunRecord.plan, ["self", "train", "validation"]),
        (FineTuneJob.wait, ["self"]),
        (CustomModel.__init__, ["self", "name"]),
        (CustomModel.ask, ["self", "text"]),
        (CustomModel.chat, ["self", "messages"]),
        (CustomModel.stream, ["self", "prompt"]),
        (CustomModel.parse, ["self", "prompt"]),
        (CustomModel.map, ["self", "inputs"]),
        (CustomModel.batch, ["self", "inputs"]),
        (CustomModel.list, ["provider"]),
        (CustomModel.deploy, ["self", "deployments"]),
        (CustomModel.undeploy, ["self", "deployments"]),
        (CustomModel.delete, ["self"]),
        (BatchRun.get, ["ids"]),
        (BatchRun.load, ["path"]),
        (BatchRun.wait, ["self"]),
        (CustomModel.wait_until_ready, ["self"]),
        (CustomModel.compare, ["self", "dataset"]),
        (CustomModel.record, ["self", "prompts"]),
        (parity, ["old", "new", "recorded"]),
        (plan_retrain, ["source"]),
        (retrain, ["source"]),
        (Dataset.check, ["self"]),
        (Dataset.probe_images, ["self"]),
        (Dataset.moderate, ["self"]),
        (FakeService.__init__, ["self"]),
        (Faults.add, ["self", "route"]),
        (validate_grader, ["grader"]),
    ],
)
def test_all_but_the_obvious_is_keyword_only(verb: object, positional: list[str]) -> None:
    """Arguments may be added and reordered without breaking a caller."""
    kinds = inspect.signature(verb).parameters.values()  # type: ignore[arg-type]

    assert [p.name for p in kinds if p.kind is p.POSITIONAL_OR_KEYWORD] == positional


ERRORS = [
    errors.TuneError("plain"),
    errors.DatasetError("bad", problems=["one"]),
    errors.DatasetNotFoundError("no file", path="x.jsonl"),
    errors.CatalogError("wrong type", table="models"),
    errors.GraderError("no judgement", code="python_failed"),
    errors.BatchTimeoutError("late", batch_ids=["batch_1"]),
    errors.BudgetError("dear", estimate_usd=9.0, budget_usd=5.0),
    errors.ModelRetiredError("gone", model="gpt-3.5-turbo-0125", replacement="gpt-4o"),
    errors.JobError("job", job_id="ftjob-1"),
    errors.JobFailedError("failed", job_id="ftjob-1", code="invalid_training_file"),
    errors.JobCancelledError("cancelled", job_id="ftjob-1"),
    errors.JobTimeoutError("late", job_id="ftjob-1"),
    errors.ProviderError("cannot"),
    errors.VocabularyError("damaged"),
    errors.WebhookError("forged"),
    errors.ModelNotReadyError("not yet", model="ft:gpt-4o"),
    errors.JournalError("other inputs", path="run.jsonl"),
    errors.MissingExtraError("The local server", extra="local"),
]


def test_the_list_of_errors_is_complete() -> None:
    """The tests below see every error there is."""
    assert {type(error).__name__ for error in ERRORS} == set(errors.__all__)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling_and_copying(error: errors.TuneError) -> None:
    """Errors cross process borders with message and data."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_the_tree_in_the_docstring_is_true(error: errors.TuneError) -> None:
    """Each error stands in the drawn tree with the builtin that it also is."""
    kind = type(error)
    line = next(x for x in (errors.__doc__ or "").splitlines() if f" {kind.__name__}" in f" {x}")
    builtins = [base.__name__ for base in kind.__bases__ if not issubclass(base, errors.TuneError)]

    assert all(f"({name})" in line for name in builtins if name != "Exception")


def test_the_source_names_no_machine_and_imports_openai_once() -> None:
    """Only the gateway imports openai or tenacity at run time, and one module that makes test clients."""
    source = Path(gpt4o_tune.__path__[0])
    guilty = [
        path.relative_to(source)
        for path in source.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("import openai", "import tenacity", "from openai", "from tenacity"))
    ]

    outside = {path for path in guilty if path.parts[0] != "_gateway"}
    assert len(guilty) > len(outside)
    assert outside == {Path("testing/_clients.py")}
