"""The schema: few keywords, the verdicts of the jsonschema library, and errors in plain words."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from smartkpi.resources import find
from smartkpi.semantics.comparisons import COMPARISONS
from smartkpi.source import Source
from smartkpi.spec import case, cases, goal, later, model
from smartkpi.spec.document import read_document
from smartkpi.spec.extend import without_removals
from smartkpi.spec.nodes import plain
from smartkpi.spec.plain import dump
from smartkpi.spec.schema import KEYWORDS, check_shape, project_shape, read_shape
from tests.spec.reading import read

PROJECT = json.loads((find("schemas") / "project.json").read_text(encoding="utf-8"))
RESULT = json.loads((find("schemas") / "result.json").read_text(encoding="utf-8"))
GOALS = json.loads((find("schemas") / "goals.json").read_text(encoding="utf-8"))
BESIDE_REF = {"$ref", "description"}  # draft-07 reads nothing beside $ref that would matter


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and all schemas in it."""
    yield schema
    for key in ("properties", "$defs"):
        for part in schema.get(key, {}).values():
            yield from parts(part)
    for key in ("additionalProperties", "items", "propertyNames"):
        if isinstance(schema.get(key), dict):
            yield from parts(schema[key])
    for part in schema.get("anyOf", ()):
        yield from parts(part)


@pytest.mark.parametrize("schema", [PROJECT, RESULT, GOALS], ids=["project", "result", "goals"])
def test_the_schema_means_the_same_in_both_drafts(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    Draft7Validator.check_schema({**schema, "$schema": "http://json-schema.org/draft-07/schema#"})
    for part in parts(schema):
        assert part.keys() <= KEYWORDS
        if "$ref" in part:
            assert part.keys() <= BESIDE_REF
            assert part["$ref"].removeprefix("#/$defs/") in schema["$defs"]
        for branch in part.get("anyOf", ()):
            assert branch.keys() == {"required"}


ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("metrics", "examples", "tests/conformance", "tests/traps", "tests/realdata/projects")
SHIPPED = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.yml"))


@pytest.mark.parametrize("file", SHIPPED, ids=[file.relative_to(ROOT).as_posix() for file in SHIPPED])
def test_shipped_projects_fit_the_schema(file: Path) -> None:
    document = read(file.read_bytes())
    assert not document.diagnostics
    assert document.root is not None
    root = without_removals(document.root)
    assert not list(check_shape(root, project_shape()))
    Draft202012Validator(PROJECT).validate(plain(root))
    Draft7Validator(PROJECT).validate(plain(root))


def test_a_keyword_that_is_not_read_is_refused() -> None:
    with pytest.raises(ValueError, match="uniqueItems"):
        read_shape({"type": "array", "uniqueItems": True})


def test_every_definition_is_used() -> None:
    used = {part["$ref"].removeprefix("#/$defs/") for part in parts(PROJECT) if "$ref" in part}
    assert used == PROJECT["$defs"].keys()


VALUES: list[Any] = [
    "x",
    "",
    "2026-01-31",
    "28d",
    "EUR",
    "money",
    "day",
    "higher",
    0,
    1,
    -3,
    2.5,
    4.0,
    True,
    False,
    None,
    [],
    {},
    ["a"],
    [1, "b"],
    {"en": "x"},
    {"zh-Hant": "x"},
    {"english": "x"},
    {"column": "A b"},
    {"a": {"b": 1}},
    [{"kpi": "a", "value": 1}],
    "monday",
]


def draw(chance: random.Random, schema: dict[str, Any], depth: int = 0) -> Any:
    """Return a value that mostly fits a schema."""
    schema = PROJECT["$defs"][schema["$ref"].removeprefix("#/$defs/")] if "$ref" in schema else schema
    if chance.random() < 0.12:
        return chance.choice(VALUES)
    if "const" in schema or "enum" in schema:
        return schema.get("const", chance.choice(schema.get("enum", [1])))
    types = schema.get("type", "string")
    kind = chance.choice([types] if isinstance(types, str) else types)
    match kind:
        case "object" if depth < 6:
            return draw_mapping(chance, schema, depth)
        case "array":
            return [draw(chance, schema.get("items", {}), depth + 1) for _ in range(chance.randrange(3))]
        case "string":
            return chance.choice(["x", "2026-01-31", "28d", "EUR", "", "2026-01-31T10:00", "\\d+ é 'q' \"z\" # :"])
        case "number" | "integer":
            return chance.choice([0, 1, 5, -1, 2.0, 2.5])
        case "boolean":
            return chance.random() < 0.5
        case _:
            return None


def draw_mapping(chance: random.Random, schema: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return a mapping with some of a schema's keys, and now and then another one."""
    known = schema.get("properties", {})
    names = [name for name in known if chance.random() < (0.25 if depth else 0.5)]
    names += [name for name in schema.get("required", ()) if chance.random() < 0.9]
    for branch in schema.get("anyOf", ())[:1]:
        names += [name for name in branch["required"] if chance.random() < 0.9]
    drawn = {name: draw(chance, known.get(name, {}), depth + 1) for name in names}
    others = schema.get("additionalProperties")
    if isinstance(others, dict) or chance.random() < 0.05:
        for name in chance.sample(["en", "zh", "one", "two_3"], chance.randrange(3)):
            drawn[name] = draw(chance, others if isinstance(others, dict) else {}, depth + 1)
    return drawn


def test_verdicts_agree_with_the_jsonschema_library() -> None:
    validators = [Draft202012Validator(PROJECT), Draft7Validator(PROJECT)]
    verdicts = {True: 0, False: 0}
    for seed in range(1500):
        drawn = draw(random.Random(seed), PROJECT)
        if not isinstance(drawn, dict) or not drawn:
            continue  # the library takes an empty mapping, and no file holds one
        document = read_document(Source("kpis.yml", dump(drawn)))
        assert document.root is not None
        ours = next(check_shape(document.root, project_shape()), None) is None
        for validator in validators:
            assert validator.is_valid(drawn) == ours, (seed, drawn, [e.message for e in validator.iter_errors(drawn)])
        verdicts[ours] += 1
    assert min(verdicts.values()) > 50, verdicts


KEYS = {
    "kpi": (model.Kpi, {"name", "span", "origin", "rules", "part_of"}, ("extends", "goal", "goals")),
    "goal": (goal.Goal, {"name", "span", "places", "origin", "parts"}, ("title", "targets", "periods")),
    "dataset": (model.Dataset, {"name", "span", "places"}, (*later._DATASET, "label", "description")),
    "binding": (model.Binding, {"event", "span"}, ("key", "prefer")),
    "read": (model.Read, {"base", "span", "bad", "bounds"}, ()),
    "calendar": (model.Calendar, {"worked"}, ("hours", "notes")),
    "event": (model.Contract, {"name", "span"}, ("is", "key")),
    "case": (case.Case, {"span"}, ()),
    "field": (model.FieldDef, {"name", "span"}, ("additive", "column", "currency")),
    "lookup": (model.Lookup, {"name", "span", "place", "places"}, ()),
    "dimension": (model.Dimension, {"name", "span", "spellings"}, ()),
    "funnel": (model.Funnel, {"name", "span", "origin"}, ()),
    "funnelStep": (model.FunnelStep, {"name", "event", "span"}, ("is", "as")),
    "cohort": (model.Cohort, {"name", "span", "origin"}, ()),
    "contractField": (model.FieldDef, {"name", "span", "is", "additive"}, ("currency",)),
}


@pytest.mark.parametrize("name", KEYS)
def test_each_key_of_the_schema_has_its_place_in_the_catalog(name: str) -> None:
    model_class, inner, refused = KEYS[name]
    mine = {field.name.rstrip("_") for field in fields(model_class)} - inner
    assert mine | set(refused) == PROJECT["$defs"][name]["properties"].keys()


def test_other_keys_are_held_too() -> None:
    thresholds = PROJECT["$defs"]["thresholds"]["properties"].keys()
    assert thresholds == {"good", "warning", "critical"} | {
        *("min_sample", "confidence", "for", "keep", "stale_after", "by", "benchmark", "advice")
    }
    diagnosis = {field.name for field in fields(model.Diagnosis)} - {"name", "span"}
    assert PROJECT["$defs"]["diagnosis"]["properties"].keys() == diagnosis
    rows = {"kpi", "goal", "diagnosis", "period", *cases.RESULT_KEYS, *cases.DIAGNOSIS_KEYS}
    assert PROJECT["$defs"]["expectation"]["properties"].keys() == rows
    compared = {name for columns in COMPARISONS.values() for name in columns.all}
    row = RESULT["$defs"]["row"]["properties"].keys() - compared
    assert {"kpi", *cases.RESULT_KEYS} == row
    sections = {
        "smartkpi",
        "calendar",
        "constants",
        "datasets",
        "events",
        "kpis",
        "tests",
        "dimensions",
        "include",
        "goals",
        "diagnoses",
        "funnels",
        "cohorts",
        "groups",
        "allow_paths",
        "review_every",
        "currency",  # refused by name
    }
    assert PROJECT["properties"].keys() == sections


@pytest.mark.parametrize(
    ("text", "code", "place", "words"),
    [
        ("kpis:\n  a:\n    formla: x\n", "unknown-key", "formla", "did you mean `formula`?"),
        ("kpis:\n  a:\n    formula: x\n    good: 5\n", "unknown-key", "good", "under `thresholds:`"),
        ("kpis:\n  a:\n    formula: x\n    kpis: 3\n", "unknown-key", "kpis", "at the top of the file: indent it less"),
        ("kpis:\n  a: {formula: x, thresholds: {owner: me}}\n", "unknown-key", "owner", "to `a`: indent it less"),
        ("a:\n  formula: x\n", "unknown-key", "a", "under `kpis:`, indented"),
        ("a:\n  read: x\n", "unknown-key", "a", "under `datasets:`, indented"),
        ("kpi: {}\n", "unknown-key", "kpi", "did you mean `kpis`?"),
        ("kpis:\n  a:\n    label: x\n", "missing-formula", "a", "`a` has no `formula`"),
        ("kpis:\n  a:\n", "missing-formula", "a", "`a` has no `formula`"),
        ("kpis:\n  a:\n    formula:\n", "missing-formula", "formula", "`a` has no `formula`"),
        ("kpis:\n  a:\n    formula: ''\n", None, "", ""),
        ("kpis:\n  - a\n", "wrong-type", "kpis", "must be a mapping from names to values, not a list"),
        ("kpis: x\n", "wrong-type", "x", "not a text: `x`"),
        ("kpis:\n  a:\n    - formula: x\n", "wrong-type", "a", "remove the `- `"),
        ("kpis:\n  a: {formula: [x]}\n", "wrong-type", "formula", "must be a formula, not a list"),
        ("kpis:\n  a: {formula: x, hidden: maybe}\n", "wrong-type", "maybe", "must be true or false"),
        ("kpis:\n  a: {formula: x, direction: hihger}\n", "bad-value", "hihger", "did you mean `higher`?"),
        ("kpis:\n  a: {formula: x, reviewed: soon}\n", "bad-value", "soon", "a date such as 2026-01-31"),
        ("kpis:\n  a: {formula: x, label: {english: y}}\n", "bad-value", "english", "is not a language"),
        ("kpis:\n  a: {formula: x, owner: }\n", "empty-value", "owner", "`owner` is empty"),
        ("datasets:\n  a: {read: ''}\n", "empty-value", "''", "`read` is empty"),
        ("kpis:\n  formula:x\n", "yaml-space", "formula:", "a space is missing"),
        ("kpis:\n  a: formula:x\n", "yaml-space", "formula:", "a space is missing"),
        ("tests:\n  - name: x\n", "missing-key", "name", "a test has no `expect`"),
        ("tests:\n  - {name: x, expect: []}\n", "bad-value", "expect", "at least 1 item"),
        ("smartkpi: 2\n", "bad-version", "2", "only version 1"),
        ("- a\n", "wrong-type", "-", "the project must be a mapping, not a list"),
        ("just a text\n", "wrong-type", "just a text", "the project must be a mapping"),
    ],
)
def test_a_wrong_shape_is_said_in_plain_words(text: str, code: str | None, place: str, words: str) -> None:
    document = read(text)
    assert document.root is not None
    found = list(check_shape(document.root, project_shape()))
    assert [d.code for d in found] == ([] if code is None else [code])
    for problem in found:
        assert problem.span is not None
        assert text[problem.span.start : problem.span.end] == place
        assert words in f"{problem.message} {problem.hint}"


LATER_PARTS = {
    *("currency", "currencyOf", "lookup", "dimension", "group", "funnel", "cohort", "benchmark"),
    "diagnosis",
}
LATER_KEYS = {
    *("encoding", "skip_rows", "skip_footer", "decimal", "thousands", "additive", "key", "prefer"),
    *("lookups", "keep", "lint", "min_sample", "confidence", "for", "stale_after", "by"),
    *("benchmark", "advice"),
}


def test_every_key_that_an_editor_may_complete_is_described() -> None:
    """Keys of later versions may wait: they are refused anyway."""
    lacking = [
        f"{name}.{key}"
        for name, part in PROJECT["$defs"].items()
        if name not in LATER_PARTS
        for key, value in part.get("properties", {}).items()
        if key not in LATER_KEYS and not _described(value)
    ]
    assert not lacking


def _described(part: dict[str, Any]) -> bool:
    return "description" in part or "description" in PROJECT["$defs"].get(part.get("$ref", "").rpartition("/")[2], {})
