import json
import math
import re

from houses import all_rows

from kommunbench.core.example import Example
from kommunbench.core.registry import find
from kommunbench.core.swedish import normalise


def test_staff_is_visits_over_capacity_rounded_up_and_never_under_the_least():
    """Worked out again from the words of the input alone."""
    for row in all_rows("planning"):
        text, leaves = row["input"], {}
        for constraint in row["constraints"]:
            leaves[[part for part in constraint["path"].split(".") if part not in NAMES][-1]] = constraint["equals"]
        each = int(re.search(r"(?:hinner|Räkna|Kapacitet|Högst|Norm:|tar) (\d+)", text)[1])
        least = int(re.search(r"(?:Minst|under|Grundbemanning|lägst|Golv:|finnas) (\d+)", text)[1])
        special = re.search(
            r"Undantag: (\w+) ska ha minst (\d+)|För (\w+) gäller minst (\d+)|(\w+) har golvet (\d+)", text
        )
        floors = dict([[part for part in special.groups() if part]]) if special else {}
        for shift, staff in leaves.items():
            visits = re.search(rf"\b{shift}(?::| har)? (\d+) besök|(\d+) besök {shift}\b", text)
            needed = math.ceil(int(visits[1] or visits[2]) / each)
            assert staff == max(needed, int(floors.get(shift, least)))


NAMES = ("bemanning", "personal", "turer", "schema", "antal")


def test_the_reference_is_json_that_keeps_every_constraint_and_an_empty_answer_keeps_none():
    metric = find("metrics", "json_answer")
    for row in all_rows("planning", "test"):
        example = Example(row["id"], {"input": row["input"]}, facts={"constraints": row["constraints"]})
        assert metric.score(row["references"][0], example)[2:] == (1, 3, 3, 1)
        assert metric.score("", example)[2:] == (0, 3, 0, 0)


def test_the_shape_names_the_keys_of_the_answer():
    for row in all_rows("planning"):
        first = next(iter(json.loads(row["references"][0])))
        assert first in row["shape"]
        assert normalise(row["shape"])
