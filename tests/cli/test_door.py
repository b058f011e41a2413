"""A person at the site looks at what would leave and decides, over a real run."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from federated_folder import run, settings_for, three_sites
from kommunbench.cli.site import app
from kommunbench.core.answer import Code
from kommunbench.core.errors import PolicyError

WORDS = ("strategy=none", "models=[lead]", "tasks=[summarization]", "name=asked")


def call(*words: str) -> str:
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, list(words), catch_exceptions=False)
    return result.output


def test_results_wait_for_a_yes_and_leave_when_asked_again(tmp_path: Path) -> None:
    data = three_sites(tmp_path / "data")
    (data / "ekby" / "site.yaml").write_text("results: approve\n")
    folder = run(settings_for(data, *WORDS))
    ledger = str(folder.path / "ledger" / "ekby" / "ledger.jsonl")

    def ekby() -> Code:
        return next(reply.code for reply in folder.received("round-000") if reply.site == "ekby")

    assert ekby() is Code.PENDING
    listed = call("preview", "--ledger", ledger)
    assert "waiting" in listed
    digest = next(word for word in listed.split() if len(word) == 12 and set(word) <= set("0123456789abcdef"))
    page = call("preview", digest, "--ledger", ledger, "--language", "sv")
    assert "summarization" in page
    assert "Kostnaden" not in page
    with pytest.raises(PolicyError, match="nothing with that digest"):
        call("approve", "ffff", "--by", "Åsa", "--ledger", ledger)
    home = str(Path(ledger).parent)  # a deployed site's ledger lies in its own folder
    assert "approved" in call("approve", digest, "--by", "Åsa", "--home", home)
    (folder.path / "releases" / "round-000" / "ekby.json").unlink()
    run(settings_for(data, *WORDS))
    assert ekby() is Code.OK
    assert "lines, whole and in order" in call("ledger", "--verify", "--ledger", ledger)
    assert call("ledger", "--ledger", ledger).count("Åsa") == 2  # the decision, and the reply that left on it
    lines = Path(ledger).read_text().splitlines()
    Path(ledger).write_text("\n".join([*lines[:1], *lines[2:]]) + "\n")
    with pytest.raises(PolicyError, match=r"ledger\.jsonl:2"):
        call("ledger", "--verify", "--ledger", ledger)
