"""Every rule that a verdict can name has a sentence."""

import ast
from collections.abc import Iterator
from pathlib import Path

from cjsm.community import admission, posting, recipients, senders
from cjsm.community.rules import OUTSIDE, SENTENCES, sentence
from cjsm.community.verdicts import Service

#: What names a rule, and as which of its arguments.
_NAMING = {"refuse": 4, "_accept": 2}


def named(module: object) -> Iterator[str]:
    """The rules that a module of admission writes down."""
    tree = ast.parse(Path(getattr(module, "__file__", "")).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMING:
            yield from constants(node.args[_NAMING[node.func.id]])
        elif isinstance(node, ast.keyword) and node.arg == "rules":
            yield from constants(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name == "_origin_rule":
            yield from (text for found in node.body[-1:] for text in constants(found))


def constants(node: ast.AST) -> Iterator[str]:
    """Texts anywhere in an expression."""
    return (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def test_none_without_and_none_for_nothing() -> None:
    """What the code can name, and what is explained, are the same."""
    found = {rule for module in (admission, posting, recipients, senders) for rule in named(module)}
    assert len(found) > 25
    assert found | {f"origin-service-{service}" for service in Service} == set(SENTENCES)


def test_sentences() -> None:
    """Whole ones, each its own."""
    told = [sentence(rule) for rule in (*SENTENCES, OUTSIDE)]
    assert all(text[0].isupper() and text.endswith(".") and len(text) > 20 for text in told)
    assert len(set(told)) == len(told)
