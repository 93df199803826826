"""The table of rules: every code, how grave it is, what it looks at and for which formats.

Codes are stable. Each has a heading in `docs/reference/checks.md`.
"""

from __future__ import annotations

from gpt4o_tune.data.checks import (
    calls,
    content,
    corpus,
    images,
    lines,
    preference,
    privacy,
    source,
    structure,
    tools,
)
from gpt4o_tune.data.checks.rule import CHAT, PREFERENCE, REINFORCEMENT, Rule

RULES: tuple[Rule, ...] = (
    # The file as a whole
    Rule("wrong-encoding", "error", "source", source.wrong_encoding, is_shape=True, is_final=True),
    Rule(
        "compressed-file", "error", "source", source.compressed_file, is_shape=True, is_final=True
    ),
    Rule("not-json-lines", "error", "source", source.not_json_lines, is_shape=True, is_final=True),
    Rule("empty-file", "error", "source", source.empty_file, is_shape=True, is_final=True),
    Rule("file-too-large", "error", "source", source.file_too_large),
    Rule("bom", "warning", "source", source.bom),
    Rule("blank-line", "warning", "source", source.blank_line),
    # One line
    Rule("not-utf8", "error", "line", lines.not_utf8, is_shape=True),
    Rule("bom-inside", "error", "line", lines.bom_inside, is_shape=True),
    Rule("truncated-line", "error", "line", lines.truncated_line, is_shape=True),
    Rule("invalid-json", "error", "line", lines.invalid_json, is_shape=True),
    Rule("nested-too-deeply", "error", "line", lines.nested_too_deeply, is_shape=True),
    Rule("oversized-number", "error", "line", lines.oversized_number, is_shape=True),
    Rule("not-an-object", "error", "line", lines.not_an_object, is_shape=True),
    Rule("duplicate-key", "error", "line", lines.duplicate_key, is_shape=True),
    Rule("nan-or-infinity", "error", "line", lines.nan_or_infinity, is_shape=True),
    Rule("lone-surrogate", "error", "line", lines.lone_surrogate, is_shape=True),
    # The shape of a row
    Rule("mixed-format", "error", "row", structure.mixed_format, is_shape=True, is_final=True),
    Rule("missing-messages", "error", "row", structure.missing_messages, is_shape=True),
    Rule("empty-messages", "error", "row", structure.empty_messages, is_shape=True),
    Rule("unknown-key", "warning", "row", structure.unknown_key),
    Rule("identical-outputs", "warning", "row", preference.identical_outputs, PREFERENCE),
    Rule(
        "invalid-parallel-tool-calls",
        "error",
        "row",
        structure.invalid_parallel_tool_calls,
        is_shape=True,
    ),
    # Tools that a row declares
    Rule("invalid-tool", "error", "tools", tools.invalid_tool, is_shape=True),
    Rule("invalid-function-name", "error", "tools", tools.invalid_function_name),
    Rule("invalid-parameters", "error", "tools", tools.invalid_parameters),
    Rule("duplicate-tool", "error", "tools", tools.duplicate_tool),
    Rule("too-many-functions", "error", "tools", tools.too_many_functions),
    Rule("deprecated-functions", "warning", "tools", tools.deprecated_functions),
    # Messages
    Rule("message-not-object", "error", "stray", structure.message_not_object, is_shape=True),
    Rule("missing-role", "error", "stray", structure.missing_role, is_shape=True),
    Rule("unknown-role", "error", "stray", structure.unknown_role, is_shape=True),
    Rule("unknown-message-key", "warning", "message", structure.unknown_message_key),
    Rule("developer-role", "warning", "message", structure.developer_role, CHAT),
    Rule("missing-content", "error", "message", content.missing_content, is_shape=True),
    Rule("wrong-content-type", "error", "message", content.wrong_content_type, is_shape=True),
    Rule("empty-content", "warning", "message", content.empty_content),
    Rule("empty-answer", "warning", "message", content.empty_answer),
    Rule("name-not-text", "error", "message", content.name_not_text, is_shape=True),
    Rule("invalid-name", "error", "message", content.invalid_name),
    Rule("name-not-allowed", "warning", "message", content.name_not_allowed),
    Rule("weight-not-allowed", "error", "message", content.weight_not_allowed),
    Rule("invalid-weight", "error", "message", content.invalid_weight, is_shape=True),
    Rule("missing-tool-call-id", "error", "message", calls.missing_tool_call_id, is_shape=True),
    # Parts and images
    Rule("wrong-part", "error", "parts", content.wrong_part, is_shape=True),
    Rule("misplaced-image", "error", "parts", images.misplaced_image, is_shape=True),
    Rule("image-in-preference", "error", "parts", images.image_in_preference, PREFERENCE),
    Rule("model-without-vision", "error", "parts", images.model_without_vision),
    Rule("invalid-image-url", "error", "parts", images.invalid_image_url, is_shape=True),
    Rule("invalid-image-detail", "error", "parts", images.invalid_image_detail, is_shape=True),
    Rule("invalid-image-data", "error", "parts", images.invalid_image_data),
    Rule("image-too-large", "error", "parts", images.image_too_large),
    # Calls
    Rule("invalid-tool-call", "error", "calls", calls.invalid_tool_call, is_shape=True),
    Rule("invalid-arguments", "error", "calls", calls.invalid_arguments),
    Rule("double-encoded-arguments", "error", "calls", calls.double_encoded_arguments),
    # Conversations
    Rule("no-assistant-message", "error", "conversation", structure.no_assistant_message, CHAT),
    Rule(
        "last-message-not-assistant",
        "warning",
        "conversation",
        structure.last_message_not_assistant,
        CHAT,
    ),
    Rule(
        "last-message-not-prompt",
        "error",
        "conversation",
        structure.last_message_not_prompt,
        REINFORCEMENT,
    ),
    Rule(
        "output-without-answer",
        "error",
        "conversation",
        preference.output_without_answer,
        PREFERENCE,
    ),
    Rule(
        "several-output-messages",
        "warning",
        "conversation",
        preference.several_output_messages,
        PREFERENCE,
    ),
    Rule("system-not-first", "warning", "conversation", structure.system_not_first),
    Rule("consecutive-roles", "warning", "conversation", structure.consecutive_roles),
    Rule("all-weights-zero", "warning", "conversation", content.all_weights_zero, CHAT),
    Rule("too-many-images", "error", "conversation", images.too_many_images),
    # Calls and their results
    Rule("undeclared-tool", "error", "exchange", calls.undeclared_tool),
    Rule("no-tools-declared", "warning", "exchange", calls.no_tools_declared),
    Rule("mismatched-arguments", "warning", "exchange", calls.mismatched_arguments),
    Rule("duplicate-call-id", "error", "exchange", calls.duplicate_call_id),
    Rule("unmatched-tool-result", "error", "exchange", calls.unmatched_tool_result),
    Rule("unanswered-call", "error", "exchange", calls.unanswered_call),
    # Size
    Rule("too-long", "warning", "size", corpus.too_long),
    # Secrets and personal data
    Rule("secret", "error", "text", privacy.secret),
    Rule("pii-email", "warning", "text", privacy.pii_email, on_request=True),
    Rule("pii-phone", "warning", "text", privacy.pii_phone, on_request=True),
    Rule("pii-card", "warning", "text", privacy.pii_card, on_request=True),
    Rule("pii-iban", "warning", "text", privacy.pii_iban, on_request=True),
    Rule("pii-national-id", "warning", "text", privacy.pii_national_id, on_request=True),
    Rule("pii-ip", "warning", "text", privacy.pii_ip, on_request=True),
    # All rows together
    Rule("method-mismatch", "error", "corpus", corpus.method_mismatch),
    Rule("too-few-examples", "error", "corpus", corpus.too_few_examples),
    Rule("too-many-image-examples", "error", "corpus", corpus.too_many_image_examples),
    Rule("nothing-to-train", "error", "corpus", corpus.nothing_to_train, CHAT),
    Rule("crlf", "warning", "corpus", corpus.crlf),
    Rule("duplicate-row", "warning", "corpus", corpus.duplicate_row),
    Rule("conflicting-answers", "warning", "corpus", corpus.conflicting_answers, CHAT),
    Rule("identical-answers", "warning", "corpus", corpus.identical_answers, CHAT),
)
