"""Wordings as files: those of the package, a reader's own, and what is wrong with some."""

from __future__ import annotations

import pytest

from recnb.errors import InputError
from recnb.models.language.templates import KINDS, Template, open_template, template_names


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_has_several_wordings_of_each_kind(kind):
    names = template_names(kind)
    assert len(names) >= (3 if kind == "wish" else 8) and "plain" in names
    texts = {open_template(name, kind).text for name in names}
    assert len(texts) == len(names)


def test_lines_without_anything_to_say_are_left_out():
    template = Template.parse("---\n{instruction}\n{history}\nA {thing}: {item}\n", "answer", "t")
    assert template.filled({"history": "- x", "thing": "film", "item": "y"}) == "- x\nA film: y"
    # braces of a title are no field
    assert template.filled({"history": "{item}", "thing": "film", "item": "y"}).startswith("{item}")


def test_a_line_says_what_is_known():
    template = open_template("first_person", "answer")
    assert template.told("Heat", True) == "- Heat. I liked it."
    assert template.told("Heat", None) == "- Heat"


def test_a_readers_own(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("# mine\r\nanswers: good, bad\r\n---\r\n{history}\r\n{item}\r\n", newline="")
    mine = open_template(str(file), "answer")
    assert (mine.name, mine.answers, mine.text) == ("mine", ("good", "bad"), "{history}\n{item}")


BROKEN = {
    "no {item}": ("---\n{history}\n", "answer"),
    "has {item} 2 times": ("---\n{history}\n{item} {item}\n", "answer"),
    "neither {history} nor {liked}": ("---\n{item}\n", "answer"),
    "names the {item} before the history": ("---\n{item}\n{history}\n", "answer"),
    "{item} before the history": ("---\n{liked}\n{item}\n{disliked}\n", "answer"),
    "no {wish}": ("---\n{item}\n", "wish"),
    "names the {item} before the wish": ("---\n{item}\n{wish}\n", "wish"),
    "no {candidates}": ("---\n{history}\n", "order"),
    "has {item} 1 times": ("---\n{history}\n{item}\n", "title"),
    "has a field {histroy}": ("---\n{histroy}\n{item}\n", "answer"),
    "no line of three hyphens": ("{history}\n{item}\n", "answer"),
    "'anwers: a, b' is no setting": ("anwers: a, b\n---\n{history}\n{item}\n", "answer"),
    "two answers": ("answers: yes, yes\n---\n{history}\n{item}\n", "answer"),
    "a line without {title}": ("line: x\n---\n{history}\n{item}\n", "answer"),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_template_is_one_line(problem, tmp_path):
    text, kind = BROKEN[problem]
    file = tmp_path / "mine.txt"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        open_template(str(file), kind)
    said = str(caught.value)
    assert problem in said and "mine.txt" in said and "\n" not in said


def test_a_missing_one_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.txt.*No such file"):
        open_template(str(tmp_path / "nothing.txt"), "answer")
    with pytest.raises(InputError, match=r"no template 'plan'; one of .*plain"):
        open_template("plan", "answer")
