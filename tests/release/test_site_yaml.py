"""Reading site.yaml: every fault at once with its line, and nothing leaves where there is one."""

from __future__ import annotations

import doorway as d
import pytest

from kommunbench.core.answer import Code
from kommunbench.core.errors import PolicyError
from kommunbench.core.folders import CONF
from kommunbench.release import NoPolicyError, ReleasePolicy, read_policy, read_weights


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "site.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def broken(path) -> NoPolicyError:
    with pytest.raises(NoPolicyError) as caught:
        read_policy(path)
    assert caught.value.code is Code.POLICY_BROKEN
    assert caught.value.exit_code == PolicyError.exit_code
    return caught.value


def test_the_template_is_valid_and_says_the_defaults():
    assert read_policy(CONF / "site.yaml") == ReleasePolicy()


def test_the_template_names_every_setting():
    settings = (CONF / "site.yaml").read_text(encoding="utf-8")
    assert all(f"\n{name}: " in settings for name in ReleasePolicy.model_fields)


def test_settings_are_read(write):
    policy = read_policy(
        write(f"min_examples: 20\ntasks: {{summarization: installed, lattlast: {'a' * 64}}}\nmetrics: [rouge]\n")
    )
    assert (policy.min_examples, policy.metrics) == (20, ("rouge",))
    assert policy.tasks == {"summarization": "installed", "lattlast": "a" * 64}


def test_a_sites_own_weights_are_read_and_are_no_part_of_its_policy(write):
    path = write('min_examples: 20\nweights: {"*": {primary: 1}, lattlast: {lix: {weight: 2, worst: 50, best: 25}}}\n')
    weights = read_weights(path)
    assert weights["*"]["primary"].weight == 1
    assert weights["lattlast"]["lix"].scale("lix", "lower") == (50, 25)
    assert read_policy(path).digest == read_policy(write("min_examples: 20\n")).digest
    assert read_weights(path) == read_weights(CONF / "site.yaml") == {}


@pytest.mark.parametrize(
    "weights",
    [
        "3",
        "[1]",
        "{lattlast: 1}",
        "{lattlast: {}}",
        "{lattlast: {chrf: 0}}",
        "{lattlast: {chrf: yes}}",
        "{lattlast: {lix: {weight: 1, worst: 50}}}",
        "{lattlast: {chrf: {weight: 1, why: x}}}",
    ],
)
def test_weights_that_are_none_are_a_fault_of_the_file_with_their_line(write, weights):
    path = write(f"min_cel: 4\nweights: {weights}\n")
    faults = {fault.where for fault in broken(path).faults}
    assert faults == {f"{path}:1", f"{path}:2"}
    with pytest.raises(NoPolicyError):
        read_weights(path)


def test_a_mistyped_weights_is_told_the_right_name(write):
    assert "did you mean 'weights'?" in str(broken(write("weigths: {}\n")))


def test_absent_means_missing(tmp_path):
    with pytest.raises(NoPolicyError) as caught:
        read_policy(tmp_path / "site.yaml")
    assert caught.value.code is Code.POLICY_MISSING
    assert "kommunbench site init" in str(caught.value)
    assert "nothing leaves" in str(caught.value)


def test_every_fault_is_told_at_once_with_its_line(write):
    path = write("min_examples: ten\n\nmin_cel: 4\nadapters: maybe\ntasks: {lattlast: v1}\nmax_new_tokens: 9999\n")
    faults = {fault.where: str(fault) for fault in broken(path).faults}
    assert {f"{path}:{line}" for line in (1, 3, 4, 5, 6)} <= faults.keys()
    assert "did you mean 'min_cell'?" in faults[f"{path}:3"]


@pytest.mark.parametrize("value", ["yes", "10.0", "'10'", "0", "-1", "null", "[10]", ".nan", ".inf"])
def test_a_number_must_be_a_whole_one_in_bounds(write, value):
    assert "min_examples" in str(broken(write(f"min_examples: {value}\n")))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a mapping"),
        ("- min_examples: 10\n", "not a mapping"),
        ("allow everything\n", "not a mapping"),
        ("min_examples: 10\nadapters: deny\nadapters: allow\n", "given twice"),
        ("min_examples: &a 10\nmin_cell: *a\n", "aliases"),
        ("min_examples: [\n", "not YAML"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
        ("min_examples: !!python/object/apply:os.system ['true']\n", "tag"),
        (b"\xff\xfe\x00", "UTF-8"),
        ("# \x00\n", "not YAML"),
        ("? [a, b]\n: 1\n", "name is a word"),
        ("{}: 1\n", "name is a word"),
        ("<<: {adapters: allow}\n", "name is a word"),
        ("1: 2\n", "1"),
        ("#" * (64 * 1024 + 1), "longer than"),
        ("min_examples: 010\n", "plain digits"),  # YAML's 8
        ("min_examples: 1:30\n", "plain digits"),  # its 90
        ("min_examples: 0x10\n", "plain digits"),
        ("min_examples: 1_0\n", "plain digits"),
        (f"min_examples: {'9' * 5000}\n", "plain digits"),
        ("min_examples: ١٠\n", "min_examples"),  # digits of another script are a word
        ("mіn_examples: 10\n", "n_examples"),  # a Cyrillic letter in it
        ("min_examples: 10\n'min_examples': 1\n", "given twice"),
        ("yes: 1\n", "Keys should be strings"),
        ("adapters: yes\n", "adapters"),
        ("adapters: ALLOW\n", "adapters"),
        ("results: !!str allow\nresults: deny\n", "given twice"),
        ("metrics: all, rouge\n", "metrics"),
        ("hours: 08:00\n", "hours"),
        ("tasks: {summarization: installed, summarization: installed}\n", "given twice"),
        ("min_examples: " + "[" * 1_000 + "\n", "YAML"),
    ],
)
def test_a_file_that_is_no_policy_is_broken(write, text, says):
    assert says in str(broken(write(text)))


@pytest.mark.parametrize("line", ["adapters: allow", "[a]: 1", "min_examples: 0x10", "min_cell: *a", "min_cell: ["])
def test_a_broken_file_names_the_line(write, line):
    path = write(f"results: &a deny\nadapters: deny\n{line}\n")
    assert str(broken(path)).startswith(f"{path}:{4 if line.endswith('[') else 3}: ")


def test_a_letter_that_yaml_does_not_know_has_no_line(write):
    path = write("# \x00\n")
    assert str(broken(path)).startswith(f"{path}: not YAML (")


def test_a_value_that_is_wrong_is_not_called_an_unknown_setting(write):
    said = str(broken(write("min_examples: ten\nyes: 1\n")))
    assert "did you mean" not in said
    assert said.count("(mend it; until then nothing leaves this site)") == 2
    assert said.count("site.yaml") == 2


def test_a_page_of_just_the_largest_size_is_read(write):
    assert read_policy(write("{}" + " " * (64 * 1024 - 2))) == ReleasePolicy()


def test_a_file_that_anyone_may_write_is_broken(write):
    path = write("{}")
    path.chmod(0o666)
    assert "anyone" in str(broken(path))


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_file_in_a_folder_that_anyone_may_write_is_broken(write, tmp_path, through_a_link):
    path = write("{}")
    if through_a_link:
        (tmp_path / "own").mkdir()
        link = tmp_path / "own" / "site.yaml"
        link.symlink_to(path)
        path = link
    tmp_path.chmod(0o777)
    assert "another policy in its place" in str(broken(path))
    tmp_path.chmod(0o1777)  # as /tmp is: only the owner of a file may replace it
    assert read_policy(path) == ReleasePolicy()


def test_a_folder_is_no_policy(tmp_path):
    with pytest.raises(NoPolicyError):
        read_policy(tmp_path)


def test_a_file_that_cannot_be_read_is_broken(write, monkeypatch):
    path = write("{}")

    def denied(*_: object, **__: object):
        raise PermissionError

    monkeypatch.setattr(type(path), "read_text", denied)
    assert "cannot be read" in str(broken(path))


def test_no_fault_quotes_a_value(write):
    text = "min_examples: Anna Svensson\ntasks: {lattlast: Anna Svensson}\nmodels: Anna Svensson\n"
    assert "Svensson" not in str(broken(write(text)))


def test_a_policy_as_read_approves_nothing_until_it_knows_what_is_installed(write):
    assert read_policy(write("{}")).task_code(d.task_ref(d.QA)) is Code.TASK_NOT_APPROVED
