"""Secrets and personal data are found, shown to nobody, and replaced without a scar."""

from __future__ import annotations

import base64
import importlib
import json
import pickle
import random
import string
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune import Dataset
from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.privacy import DETECTORS, find, secrets_suspected
from gpt4o_tune.data.privacy.prefilter import passwords_suspected
from gpt4o_tune.errors import DatasetError
from tests.data.cases import answer, call, calling, chat, pair, user

ALNUM = string.ascii_letters + string.digits


def drawn(length: int, alphabet: str = ALNUM, *, seed: int = 5) -> str:
    """Draw a text as a service draws a key; no real one stands in this file."""
    draw = random.Random(seed)  # the same keys in every run
    return "".join(draw.choice(alphabet) for _ in range(length))


def checked(prefix: str) -> str:
    """Make a token with the checksum that GitHub and npm append."""
    body, tail = drawn(30), ""
    number = zlib.crc32(body.encode())
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    for _ in range(6):
        number, digit = divmod(number, 62)
        tail = digits[digit] + tail
    return prefix + body + tail


def web_token() -> str:
    """Make a signed web token."""
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": "1", "name": "x"})]
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, drawn(43)])


HEX, UPPER = "0123456789abcdef", string.ascii_uppercase + "234567"
PEM = "\n".join(drawn(64, seed=seed) for seed in range(8))
SECRETS = {
    "private-key": f"-----BEGIN RSA PRIVATE KEY-----\n{PEM}\n-----END RSA PRIVATE KEY-----",
    "openai-key": "sk-proj-" + drawn(120),
    "anthropic-key": "sk-ant-api03-" + drawn(90),
    "aws-access-key": "AKIA" + drawn(16, UPPER),
    "aws-secret-key": "aws_access_key_id = AKIA"
    + drawn(16, UPPER[:10])
    + "\naws_secret_access_key = "
    + drawn(40),
    "github-token": checked("ghp_"),
    "github-fine-grained-token": f"github_pat_{drawn(22)}_{drawn(59)}",
    "gitlab-token": "glpat-" + drawn(20),
    "slack-token": f"xoxb-{drawn(12, string.digits)}-{drawn(12, string.digits)}-{drawn(24)}",
    "webhook-url": f"https://hooks.slack.com/services/T{drawn(9, UPPER)}/B{drawn(9, UPPER)}/{drawn(24)}",
    "stripe-key": "sk_live_" + drawn(24),
    "google-api-key": "AIza" + drawn(35),
    "hugging-face-token": "hf_" + drawn(34, string.ascii_letters),
    "npm-token": checked("npm_"),
    "pypi-token": "pypi-AgEIcHlwaS5vcmc" + drawn(120),
    "sendgrid-key": f"SG.{drawn(22)}.{drawn(43)}",
    "twilio-key": "SK" + drawn(32, HEX),
    "telegram-bot-token": f"{drawn(10, string.digits)}:AA{drawn(33)}",
    "jwt": web_token(),
    "azure-account-key": "AccountName=shop;AccountKey=" + drawn(86) + "==",
    "azure-sas": f"https://a.blob.core.windows.net/b?sv=2024-01-01&sp=r&sig={drawn(43)}%3D",
    "url-password": f"postgres://app:{drawn(16)}@db.internal/shop",
    "bearer-token": f"Authorization: Bearer {drawn(40)}",
    "assigned-password": f'api_key = "{drawn(32)}"',
}
STAND_INS = [
    "sk-...",
    "sk-proj-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-your-key-here-your-key-here-your-key-here",
    "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ghp_" + "0" * 36,
    "ghp_" + drawn(36),
    "AIzaXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
    "hf_" + "x" * 34,
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "postgres://user:password@localhost/db",
    "https://user:${TOKEN}@github.com/a/b",
    "Authorization: Bearer YOUR_TOKEN_GOES_HERE_PLEASE",
    "password = get_password_from_environment()",
    "token: some.dotted.name.of.a.setting",
    "api_key = os.environ['OPENAI_API_KEY']",
    "secret = <insert your 32 characters here>",
    '"NextToken": "eyJOZXh0VG9rZW4iOiBudWxsLCAiYm90b190cnVuY2F0ZV9hbW91bnQiOiAyfQ=="',
    '"token": "9f4d9f69-275a-41fe-b58e-2b837bd9ba48"',
    "arn:aws:secretsmanager:us-west-2:123456789012:secret:MySecret1-x1y2z3",
    "task-based-learning-with-a-long-hyphenated-name",
]
PERSONAL = {
    "email": ["ann.lee@acme.com", "o.neil+x@mail.acme.co.uk", "A_B-c@uni-bonn.de"],
    "phone": [
        "+49 30 901820",
        "+1 212-456-7890",
        "(212) 456-7890",
        "01 42 68 53 00",
        "020 7946 0958",
    ],
    "card": ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011000990139424"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "NO9386011117947"],
    "national-id": [
        "SSN: 123-45-6789",
        "NI number AB123456C",
        "2 55 08 14 168 025 38",
        "54362315K",
        "RCCMNL83S18D969H",
        "BSN 111222333",
        "390.533.447-05",
        "PESEL 44051401359",
        "Aadhaar 2341 2341 2346",
        "880320-0016",
        "756.9217.0769.85",
    ],
    "ip": ["93.184.216.34", "2a00:1450:4001:81b::200e"],
}
NOBODY = [
    "Version 1.2.3.4 of 2024-01-31, build 20240131120000",
    "Order 4711-0815-4712, invoice 2024/10/000123, 12,345,678.90 EUR",
    "See RFC 5321, section 4.5.3.1, pages 62-63, ISBN 978-3-16-148410-0",
    "10.0.0.1 192.168.1.10 127.0.0.1 ::1 fe80::1 2001:db8::1 192.0.2.44 203.0.113.9",
    "logo@2x.png, git@github.com:a/b.git, react@18.2.0, a @ b, x@y",
    "0x7f8b9c0d1e2f, 3.14159265358979, 1e-10, 550e8400-e29b-41d4-a716-446655440000",
    "4111 1111 1111 1112 and DE88 3704 0044 0532 0130 00 have wrong check digits",
    "std::map<int, a::b>, 12:34:56, 1:2:3:4, 100%, 2 000 000 people",
    "timestamps 1700000000 and 1700000000000, 123456789, 1234567890123456",
    "Mozilla/5.0 Chrome/124.0.0.0 Safari/537.36",
]


def test_every_secret_detector_has_an_example() -> None:
    """No detector goes untested."""
    assert SECRETS.keys() == {d.name for d in DETECTORS if d.kind in ("secret", "password")}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_an_error_in_every_check_and_told_to_nobody(name: str) -> None:
    """It is found by its own detector wherever it stands, and no report shows it."""
    text = SECRETS[name]
    rows = [
        *chat(user(f"See:\n{text}\n"), answer()),
        *calling(call(json.dumps({"note": f"\t{text}"}))),
        *pair(preferred_output=[answer([{"type": "text", "text": text}])]),
        *chat(user(), reference={"deep": [text]}),
    ]
    code = "password" if name == "assigned-password" else "secret"
    for row in rows:
        data = Dataset.from_records([row])
        report = data.check(pii=code == "password")
        assert code in {problem.code for problem in report.errors}
        assert name in {found.detector.name for found in find(text)}
        (value,) = {found.value for found in find(text) if found.detector.name == name}
        clean = data.redact(kinds=[code])
        told = [
            str(report),
            json.dumps(report.to_dict()),
            report.to_html(data),
            report._repr_html_(),
        ]
        told += [str(clean), json.dumps(clean.to_dict()), clean.dataset.raw(0).decode()]
        for page in told:
            assert value[12:] not in page
        left = clean.dataset.check(pii=True).errors
        assert [problem for problem in left if problem.code == code] == []


@pytest.mark.parametrize("text", STAND_INS)
def test_a_stand_in_is_no_secret(text: str) -> None:
    """Documentation may show what a key looks like."""
    assert [found.detector.name for found in find(text, ["secret"])] == []


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("ascii", [True, False])
def test_the_prefilter_never_misses(name: str, ascii: bool) -> None:  # noqa: A002
    """Whatever a detector finds was suspected, however the line is written."""
    text = f"größe\n{SECRETS[name]}\tend"
    row = chat(user(text))[0]
    arguments = calling(call(json.dumps({"a": text})))[0]
    lines = [json.dumps(r, ensure_ascii=ascii) for r in (row, arguments)]
    lines += [json.dumps(row, separators=(",", ":")), lines[0].replace("/", "\\/")]
    lines.append("".join(f"\\u{ord(c):04x}" if c in "kKeAzw" else c for c in json.dumps(text)))
    suspected = passwords_suspected if name == "assigned-password" else secrets_suspected
    for line in lines:
        assert suspected(line.encode())


def test_other_problems_of_a_row_do_not_tell_its_secret() -> None:
    """Messages that quote a row leave secrets out, in reports and in errors of reading."""
    key = SECRETS["openai-key"]
    rows = [
        *chat(user(name=f"{key} "), answer(weight=2)),
        *calling(call(key, name=key)),
        *chat({"role": key, "content": "a"}),
        *chat(user(), **{key: 1}),
    ]
    data = Dataset.from_records(rows)
    assert key[10:24] not in json.dumps(data.check().to_dict())
    with pytest.raises(DatasetError) as caught:
        list(data.records())
    assert key[10:24] not in str(caught.value)


def test_a_line_that_cannot_be_read_is_searched_and_redacted(tmp_path: Path) -> None:
    """Broken JSON goes into the hands of whoever mends it."""
    path = tmp_path / "broken.jsonl"
    path.write_bytes(
        b'{"messages": [{"role": "user", "content": "\\n' + SECRETS["stripe-key"].encode() + b"\n"
    )
    data = Dataset.from_jsonl(path)
    assert {"secret", "invalid-json"} <= {problem.code for problem in data.check().errors}
    clean = data.redact().dataset
    assert clean.raw(0) == b'{"messages": [{"role": "user", "content": "\\n[SECRET_1]'


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in PERSONAL.items() for t in ts])
def test_personal_data_is_a_warning_on_request(kind: str, text: str) -> None:
    """It is found inside a sentence, by its kind alone, and only where it is asked for."""
    data = Dataset.from_records(chat(user(f"It is {text}, thanks."), answer()))
    codes = {problem.code for problem in data.check(pii=True).warnings}
    assert {code for code in codes if code.startswith("pii-")} == {f"pii-{kind}"}
    assert not any(problem.code.startswith("pii-") for problem in data.check().problems)


@pytest.mark.parametrize("text", NOBODY)
def test_what_looks_alike_is_not_personal(text: str) -> None:
    """Versions, dates, amounts, order numbers, private addresses and wrong check digits stay."""
    assert [(found.detector.name, found.value) for found in find(text)] == []


def test_the_name_of_a_field_counts_as_a_word() -> None:
    """A number says little; under `phone` or `ssn` it says enough."""
    row = calling(call(json.dumps({"phone": "30901820", "ssn": "123456789", "n": "30901820"})))
    clean = Dataset.from_records(row).redact()
    assert [change.kind for change in clean.changes] == ["phone", "national-id"]


ORACLES = {
    "us-ssn": ("us.ssn", "###-##-####"),
    "de-steuer-id": ("de.idnr", "###########"),
    "fr-nir": ("fr.nir", "1###075########"),
    "es-dni": ("es.dni", "########@"),
    "it-codice-fiscale": ("it.codicefiscale", "@@@@@@##A1#@###@"),
    "nl-bsn": ("nl.bsn", "#########"),
    "br-cpf": ("br.cpf", "###.###.###-##"),
    "pl-pesel": ("pl.pesel", "##0#1######"),
    "in-aadhaar": ("in_.aadhaar", "#### #### ####"),
    "se-personnummer": ("se.personnummer", "##0#1#-####"),
    "ch-ahv": ("ch.ssn", "756.####.####.##"),
    "cn-resident-id": ("cn.ric", "110101198#0#1#####"),
    "ca-sin": ("ca.sin", "#########"),
    "au-tfn": ("au.tfn", "#########"),
    "pt-nif": ("pt.nif", "#########"),
    "tr-kimlik": ("tr.tckimlik", "###########"),
    "iban": ("iban", "DE####################"),
}


@pytest.mark.parametrize("name", ORACLES)
def test_check_digits_agree_with_stdnum(name: str) -> None:
    """A thousand drawn numbers of the right form are judged as python-stdnum judges them."""
    pytest.importorskip("stdnum")
    module, form = ORACLES[name]
    oracle = importlib.import_module(f"stdnum.{module}")
    (detector,) = (d for d in DETECTORS if d.name == name)
    assert detector.accepts
    draw = random.Random(11)  # the same numbers in every run
    agreed = 0
    for _ in range(4_000):
        number = "".join(
            draw.choice(string.digits)
            if sign == "#"
            else draw.choice("ABCDEFGHJKLMNPQRSTVWXYZ")
            if sign == "@"
            else sign
            for sign in form
        )
        if detector.pattern.fullmatch(number):
            assert detector.accepts(number) == oracle.is_valid(number), number
            agreed += oracle.is_valid(number)
    assert agreed > 3


def test_one_value_has_one_placeholder_in_all_rows() -> None:
    """Who is who stays readable; spellings of one value are one; numbering goes on where it stood."""
    data = Dataset.from_records(
        [
            *chat(user("Ann is ann@acme.com, Bob bob@acme.com, known as [EMAIL_3]"), answer()),
            *chat(user("ANN@ACME.COM or +49 30 901820"), answer("Not +49-30-901820?")),
        ]
    )
    clean = data.redact().dataset
    assert clean[0].messages[0].content == "Ann is [EMAIL_4], Bob [EMAIL_5], known as [EMAIL_3]"
    assert clean[1].messages[0].content == "[EMAIL_4] or [PHONE_1]"
    assert clean[1].messages[1].content == "Not [PHONE_1]?"
    constant = data.redact(kinds=["email"], replacement="<{kind}>").dataset
    assert constant[1].messages[0].content == "<EMAIL> or +49 30 901820"


def test_what_is_not_found_keeps_its_bytes(tmp_path: Path) -> None:
    """Other rows are copied, and of a row that is changed every other character."""
    path = tmp_path / "data.jsonl"
    plain = b'{ "messages":[ {"role":"user","content":"caf\\u00e9 1.50"} ,{"role":"assistant","content":"\xc3\xa9"}]}\r\n'
    touched = b'{ "messages":[ {"role":"user","content":"caf\\u00e9 ann@acme.com"} ], "n":1.50 }'
    path.write_bytes(plain + touched)
    clean = Dataset.from_jsonl(path).redact().dataset
    out = clean.to_jsonl(tmp_path / "out.jsonl").read_bytes()
    assert out == plain + touched.replace(b"ann@acme.com", b"[EMAIL_1]")
    assert pickle.loads(pickle.dumps(clean)) == clean  # noqa: S301


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kinds": ["emails"]}, "'emails'"),
        ({"replacement": "{name}"}, "only {kind} and {number}"),
        ({"replacement": "x{number}@acme.com"}, "would be replaced itself"),
    ],
)
def test_a_bad_request_is_refused(arguments: dict[str, object], words: str) -> None:
    """The message names what may be given."""
    with pytest.raises(ValueError, match=words):
        Dataset.from_records(chat()).redact(**arguments)  # type: ignore[arg-type]


VALUES = [*(text for texts in PERSONAL.values() for text in texts), *SECRETS.values()]
noise = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
said = st.lists(st.sampled_from(VALUES) | noise, max_size=5).map(" ".join)


@st.composite
def private_rows(draw: st.DrawFn) -> dict[str, object]:
    """A row that says values anywhere, with arguments that are JSON twice over."""
    inner = json.dumps({"to": draw(said), "list": [draw(said), 4111111111111111, 1.5]})
    asks = {
        "role": "assistant",
        "tool_calls": [call(json.dumps({"text": draw(said), "raw": inner}))],
    }
    return chat(user(draw(said)), asks, note={draw(said): [draw(said), None, True]})[0]


@given(rows=st.lists(private_rows(), min_size=1, max_size=3))
def test_redaction_is_whole_and_only_once(rows: list[dict[str, object]]) -> None:
    """Nothing is left to find, arguments stay JSON, shapes stay, and a second pass changes nothing."""
    data = Dataset.from_records(rows, format="reinforcement")
    once = data.redact()
    twice = once.dataset.redact()
    assert twice.changes == ()
    assert twice.dataset == once.dataset
    assert len(once.dataset) == len(data)
    for number, row in enumerate(rows):
        new = decode(once.dataset.raw(number))
        assert new.keys() == row.keys()
        arguments = new["messages"][1]["tool_calls"][0]["function"]["arguments"]  # type: ignore[index]
        assert json.loads(json.loads(arguments)["raw"]).keys() == {"to", "list"}


@given(text=said, more=noise)
def test_fewer_kinds_find_a_part_of_what_all_find(text: str, more: str) -> None:
    """Asking for one kind gives what asking for all gives of it, and what stands where it says."""
    everything = find(text + more)
    for found in everything:
        assert (text + more)[found.start : found.end] == found.value
    for kind in ("secret", "email", "phone", "card"):
        assert find(text + more, [kind]) == [f for f in everything if f.detector.kind == kind]


def test_the_page_lists_every_detector() -> None:
    """What is looked for is written down, with where the rule comes from."""
    page = (Path(__file__).parents[2] / "docs/reference/privacy.md").read_text("utf-8")
    for detector in DETECTORS:
        lines = [line for line in page.splitlines() if f"| `{detector.name}` |" in line]
        assert any(detector.source in line for line in lines)
