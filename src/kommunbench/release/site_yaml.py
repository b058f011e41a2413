"""Reading a site's policy: plain YAML, every fault at once, and no policy at all where anything is wrong."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from kommunbench.core.answer import Code
from kommunbench.core.errors import Fault, PolicyError, plainly
from kommunbench.core.registry import did_you_mean
from kommunbench.core.weights import Weights
from kommunbench.release.policy import ReleasePolicy

LARGEST = 64 * 1024
"""Bytes; a policy is a page of text."""
MERGE = "tag:yaml.org,2002:merge"
WEIGHTS = "weights"
"""The one line of site.yaml that is no rule: what this site calls better. It decides nothing of what leaves."""
PLAIN = re.compile(r"-?(0|[1-9][0-9]{0,17})")
"""A whole number as people write it: YAML also reads 010 as 8, 1:30 as 90, 0x10 as 16 and 1_0 as 10."""
NOTHING_LEAVES = "until then nothing leaves this site"


class NoPolicyError(PolicyError):
    """The policy cannot be used, so nothing leaves; `code` is what the coordinator hears."""

    def __init__(self, code: Code, *faults: Fault) -> None:
        super().__init__(*faults)
        self.code = code


def read_policy(path: Path) -> ReleasePolicy:
    """The policy in `path`.

    Raises:
        NoPolicyError: with code POLICY_MISSING where there is no such file, else POLICY_BROKEN with every fault of it.
    """
    return _read(path)[0]


def read_weights(path: Path) -> Weights:
    """The site's own weights in `path`, by task and measure; empty where it states none.

    Raises:
        NoPolicyError: as `read_policy`; the file is one, and right or wrong as a whole.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[ReleasePolicy, Weights]:
    if not path.is_file():
        do = f"`kommunbench site init {path.parent}` writes one to go through; {NOTHING_LEAVES}"
        raise NoPolicyError(Code.POLICY_MISSING, Fault("there is no policy", str(path), do))
    try:
        faults = list(_file_faults(path))
        raw, lines = ({}, {}) if faults else _parse(path)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise NoPolicyError(Code.POLICY_BROKEN, Fault(_problem(error), where, f"mend it; {NOTHING_LEAVES}")) from None
    except (OSError, UnicodeDecodeError, RecursionError):
        raise NoPolicyError(
            Code.POLICY_BROKEN, Fault("cannot be read as UTF-8 and YAML", str(path), f"mend it; {NOTHING_LEAVES}")
        ) from None
    if faults:
        raise NoPolicyError(Code.POLICY_BROKEN, *faults)
    weights: Weights = {}
    policy = ReleasePolicy()
    try:
        weights = TypeAdapter(Weights).validate_python(raw.pop(WEIGHTS, {}))
    except ValidationError as error:
        faults += _setting_faults(error, path, lines, WEIGHTS)
    try:
        policy = ReleasePolicy.model_validate(raw)
    except ValidationError as error:
        faults += _setting_faults(error, path, lines)
    if faults:
        raise NoPolicyError(Code.POLICY_BROKEN, *faults)
    return policy, weights


def _file_faults(path: Path) -> Iterator[Fault]:
    about = path.stat()
    if about.st_mode & stat.S_IWOTH:
        yield Fault("anyone on this machine may write it", str(path), f"chmod o-w {path}; {NOTHING_LEAVES}")
    for folder in sorted({path.absolute().parent, path.resolve().parent}):
        if folder.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
            what = "anyone on this machine may put another policy in its place"
            yield Fault(what, str(folder), f"chmod o-w {folder}; {NOTHING_LEAVES}")
    if about.st_size > LARGEST:
        yield Fault(f"longer than {LARGEST} bytes", str(path), "a policy is a page; is it the right file?")


def _parse(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The settings, and the line that each stands on."""
    loader = _Loader(path.read_text(encoding="utf-8"))
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "not a mapping of settings")
        settings = loader.construct_document(node)
        return settings, {key.value: key.start_mark.line + 1 for key, _ in node.value}
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases, without the rule that the last of two equal keys wins, and in plain whole numbers."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, "aliases are not read", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
                raise yaml.constructor.ConstructorError(None, None, "a setting's name is a word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, "a setting is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _whole(_: _Loader, node: yaml.ScalarNode) -> int:
    if not PLAIN.fullmatch(node.value):
        raise yaml.constructor.ConstructorError(None, None, "a number is written in plain digits", node.start_mark)
    return int(node.value)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole)


def _problem(error: yaml.YAMLError) -> str:
    own = isinstance(error, yaml.constructor.ConstructorError)
    return str(getattr(error, "problem", "")) if own else "not YAML"


def _setting_faults(error: ValidationError, path: Path, lines: dict[str, int], within: str = "") -> Iterator[Fault]:
    """Every fault of the settings, or of what stands in one (`within`)."""
    for fault in error.errors(include_input=False, include_url=False):
        place = ((within,) if within else ()) + fault["loc"]
        setting = str(place[0])
        where = f"{path}:{lines[setting]}" if setting in lines else str(path)
        unknown = fault["type"] == "extra_forbidden" and not within
        do = did_you_mean(setting, (*ReleasePolicy.model_fields, WEIGHTS)) if unknown else f"mend it; {NOTHING_LEAVES}"
        yield Fault(f"{'.'.join(map(str, place))}: {plainly(fault)}", where, do)
