from houses import SEED, all_rows, houses, rows

from kommunbench.core.example import Example
from kommunbench.core.registry import find
from kommunbench.core.task import load_task
from kommunbench.synthetic.organisation import Recipe
from kommunbench.synthetic.style import style_of
from kommunbench.synthetic.triage import MANNERS, UNITS


def example(row: dict) -> Example:
    task = load_task("triage")
    facts = {"labels": list(task.labels)} | {name: row[name] for name in task.facts}
    return Example(row["id"], {"input": row["input"]}, tuple(row["references"]), facts=facts)


def test_the_rows_use_every_label_of_the_task_and_no_other():
    assert load_task("triage").labels == UNITS
    assert {row["label"] for row in all_rows("triage")} == set(UNITS)


def test_the_reference_scores_the_maximum_on_label_and_fields():
    label, template = find("metrics", "label"), find("metrics", "template")
    for row in all_rows("triage", "test")[::5]:
        scored = example(row)
        answer = row["references"][0]
        assert label.measure("accuracy").numerator == ("correct",)
        assert label.score(answer, scored)[2:4] == (1, 0)
        tally = template.score(answer, scored)
        assert tally[template.names.index("fields")] == tally[template.names.index("filled")] == 3


def test_the_case_is_one_of_the_open_ones_or_the_houses_word_for_none():
    for house in houses():
        manner = MANNERS[style_of(house, SEED, Recipe()).manners["triage"]]
        for row in rows("triage", house.name, "train"):
            case = row["fields"]["case"]
            message = row["input"].partition("Meddelande:")[2]
            if case == manner.none:
                assert not any(about in message for about in abouts(row))
            else:
                about = next(line for line in row["input"].split("\n") if line.startswith(f"{case}: "))
                assert about.partition(": ")[2] in message


def abouts(row: dict) -> list[str]:
    return [line.partition(": ")[2] for line in row["input"].split("\n")[1:-1]]


def test_a_message_belongs_to_one_open_case_at_most():
    for row in all_rows("triage"):
        message = row["input"].partition("Meddelande:")[2]
        assert sum(about in message for about in abouts(row)) == int(any(about in message for about in abouts(row)))
