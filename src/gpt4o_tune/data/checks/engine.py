"""One streaming pass over the rows that calls every rule of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.catalog import load
from gpt4o_tune.data.checks.corpus import CRLF, Corpus, corpus_keys, marks_of
from gpt4o_tune.data.checks.privacy import conceal
from gpt4o_tune.data.checks.rule import Conversation, Scope, Stray, Turn
from gpt4o_tune.data.checks.structure import ROLES, message_lists
from gpt4o_tune.data.checks.table import RULES, USUAL_RULES
from gpt4o_tune.data.checks.tools import declared_tools
from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.grader import item_fields
from gpt4o_tune.data.privacy.prefilter import passwords_suspected, secrets_suspected
from gpt4o_tune.data.report import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gpt4o_tune.catalog import Method, ProviderKind
    from gpt4o_tune.data.checks.corpus import Counted
    from gpt4o_tune.data.checks.rule import Finding, Rule, Source, Subject
    from gpt4o_tune.data.decode import Json, JsonObject
    from gpt4o_tune.data.formats import Format


def scope_for(
    model: str,
    *,
    provider: ProviderKind,
    method: Method,
    format: Format,  # noqa: A002  # as in Dataset
    grader: Mapping[str, object] | None = None,
) -> Scope:
    """Look up what the rules depend on.

    Raises:
        ProviderError: The catalog does not know the model; a compatible service may serve any.
        ValueError: A grader came with another method than reinforcement.
    """
    if grader is not None and method != "reinforcement":
        raise ValueError(f"a grader belongs to method 'reinforcement', not to {method!r}")
    catalog = load()
    known = catalog.find(model) if provider == "compatible" else catalog.get(model)
    service = catalog.service(provider)
    return Scope(
        service=service.title,
        provider=provider,
        method=method,
        format=format,
        limits=service.limits,
        model=known,
        offer=known.offer(provider) if known else None,
        grader=grader,
        item_fields=item_fields(grader) if grader else (),
    )


def check(
    lines: Iterable[tuple[int, bytes]],
    *,
    source: Source,
    scope: Scope,
    rules: Sequence[Rule] = USUAL_RULES,
) -> list[Problem]:
    """Apply every rule to every row, one after the other, and return the problems, sorted by line.

    Args:
        lines: Line number and bytes of each row, in order; read once, one row in memory at a time.
        source: The file as a whole.
        scope: What the data is checked for.
        rules: Those to apply.
    """
    before = source_problems(source, scope, rules)
    if before.are_final:
        return before.problems
    problems = before.problems
    row_rules = RowRules(scope, rules)
    numbers: list[int] = []
    corpus = Corpus(numbers)
    for line, raw in lines:
        numbers.append(line)
        examined = row_rules.examine(line, raw)
        problems += examined.problems
        corpus.note(examined.marks(raw), *examined.corpus_keys())
    return in_order(problems + corpus_problems(corpus, scope, rules))


class SourceProblems(NamedTuple):
    """What is wrong with the file as a whole."""

    problems: list[Problem]
    are_final: bool
    """Whether looking at the rows makes no sense."""


def source_problems(source: Source, scope: Scope, rules: Sequence[Rule]) -> SourceProblems:
    """Apply the rules that look at the file before any row is read."""
    problems: list[Problem] = []
    for rule in _about("source", rules, scope):
        problems += _findings(rule, scope, source)
        if problems and rule.is_final:
            return SourceProblems(problems, are_final=True)
    if scope.grader is not None:
        problems += examine("grader", scope.grader, scope, rules=rules)
    return SourceProblems(problems, are_final=False)


def corpus_problems(corpus: Corpus | Counted, scope: Scope, rules: Sequence[Rule]) -> list[Problem]:
    """Apply the rules that look at all rows together; those of `COMPARING` need a `Corpus`."""
    problems: list[Problem] = []
    for rule in _about("corpus", rules, scope):
        problems += _findings(rule, scope, corpus)
    return problems


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems by line; those of one line stay as the rules stand in the table."""
    return sorted(problems, key=lambda problem: problem.line)


def examine(
    kind: Subject, subject: object, scope: Scope, *, line: int = 0, rules: Sequence[Rule] = RULES
) -> list[Problem]:
    """Apply the rules on one kind of subject to one subject, as for what no pass over rows sees."""
    return [
        problem
        for rule in _about(kind, rules, scope)
        for problem in _findings(rule, scope, subject, line=line)
    ]


class Examined(NamedTuple):
    """A row, as far as it could be read, and what is wrong with it."""

    row: JsonObject | None
    """None where the line is not a JSON object."""
    conversations: Sequence[Conversation]
    problems: list[Problem]

    @property
    def is_sound(self) -> bool:
        """Whether no problem is an error."""
        return self.row is not None and not any(
            problem.severity == "error" for problem in self.problems
        )

    def marks(self, raw: bytes) -> int:
        """Return what rules over all rows must know of this one."""
        ends = CRLF if raw.endswith(b"\r\n") else 0
        return ends | (marks_of(self.conversations) if self.is_sound else 0)

    def corpus_keys(self) -> tuple[int, int]:
        """Return the keys of prompt and answer of a sound row; 0 of any other."""
        return corpus_keys(self.row) if self.row is not None and self.is_sound else (0, 0)


class RowRules:
    """Those of some rules that look at one row alone, ready to be applied to many."""

    def __init__(self, scope: Scope, rules: Sequence[Rule]) -> None:
        self._scope = scope
        self._on_line = _about("line", rules, scope)
        self._on_row = _about("row", rules, scope)
        self._on_tools = _about("tools", rules, scope)
        self._on_stray = _about("stray", rules, scope)
        self._on_message = _about("message", rules, scope)
        self._on_parts = _about("parts", rules, scope)
        self._on_calls = _about("calls", rules, scope)
        self._on_conversation = _about("conversation", rules, scope)
        self._on_exchange = _about("exchange", rules, scope)
        self._on_size = _about("size", rules, scope)
        self._on_text = _about("text", rules, scope)

    def examine(self, line: int, raw: bytes) -> Examined:
        """Read a row and apply the rules to it, to its messages and to their order; no secret is told."""
        examined = self._examine(line, raw)
        problems = examined.problems
        if problems and (secrets_suspected(raw) or passwords_suspected(raw)):
            problems = conceal(problems, raw, examined.row)
        for rule in self._on_text:
            problems += _findings(rule, self._scope, raw, examined.row, line=line)
        return examined._replace(problems=problems)

    def _examine(self, line: int, raw: bytes) -> Examined:
        problems: list[Problem] = []
        try:
            row = decode(raw)
        except ValueError:
            self._apply(self._on_line, raw, line, problems)
            return Examined(None, (), problems)
        for rule in self._on_row:
            problems += _findings(rule, self._scope, row, line=line)
            if problems and rule.is_final:
                return Examined(row, (), problems)
        tools = declared_tools(row)
        if tools is not None:
            self._apply(self._on_tools, row, line, problems)
        conversations: list[Conversation] = []
        for path, messages in message_lists(row, self._scope):
            if isinstance(messages, list):
                turns = self._turns(path, messages, line, problems)
                complete = len(turns) == len(messages)
                conversations.append(Conversation(path, turns, tools or {}, complete))
        for conversation in conversations:
            self._examine_turns(conversation, line, problems)
        for rule in self._on_size:
            problems += _findings(rule, self._scope, row, len(raw), line=line)
        return Examined(row, conversations, problems)

    def _turns(
        self, path: str, messages: list[Json], line: int, problems: list[Problem]
    ) -> list[Turn]:
        """Return the messages that have a role that exists, and report the others."""
        turns: list[Turn] = []
        for place, message in enumerate(messages):
            role = message.get("role") if isinstance(message, dict) else None
            if isinstance(message, dict) and isinstance(role, str) and role in ROLES:
                turns.append(Turn(f"{path}[{place}]", role, message))
            else:
                self._apply(self._on_stray, Stray(f"{path}[{place}]", message), line, problems)
        return turns

    def _examine_turns(
        self, conversation: Conversation, line: int, problems: list[Problem]
    ) -> None:
        is_exchange = False
        for turn in conversation.turns:
            self._apply(self._on_message, turn, line, problems)
            if isinstance(turn.body.get("content"), list):
                self._apply(self._on_parts, turn, line, problems)
            if turn.role == "assistant" and (
                "tool_calls" in turn.body or "function_call" in turn.body
            ):
                self._apply(self._on_calls, turn, line, problems)
                is_exchange = True
            elif turn.role in ("tool", "function"):
                is_exchange = True
        self._apply(self._on_conversation, conversation, line, problems)
        if is_exchange:
            self._apply(self._on_exchange, conversation, line, problems)

    def _apply(
        self, rules: Sequence[Rule], subject: object, line: int, problems: list[Problem]
    ) -> None:
        # The innermost loop of a check: most rules return an empty tuple.
        scope = self._scope
        for rule in rules:
            if found := rule.check(subject, scope):
                problems += [_problem(rule, finding, line) for finding in found]


def _about(subject: Subject, rules: Sequence[Rule], scope: Scope) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule.subject == subject and scope.format in rule.formats)


def _findings(rule: Rule, scope: Scope, *subject: object, line: int = 0) -> list[Problem]:
    return [_problem(rule, found, line or found.line) for found in rule.check(*subject, scope)]


def _problem(rule: Rule, finding: Finding, line: int) -> Problem:
    return Problem(
        line=line,
        path=finding.path,
        code=rule.code,
        severity=rule.severity,
        message=finding.message,
        fix=finding.fix,
    )
