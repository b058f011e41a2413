"""`site init`: a site's folder with its policy, every setting commented, and its settings. No key leaves it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kommunbench.core.errors import Fault, PolicyError
from kommunbench.core.folders import CONF
from kommunbench.core.registry import did_you_mean
from kommunbench.release import ReleasePolicy, read_policy
from kommunbench.release.identity import Identity
from kommunbench.site.home import SiteHome, make_folders, node_key
from kommunbench.site.private import write_private

TEMPLATE = CONF / "site.yaml"
_NODE = """\
# Platsens nod: inställningar som inte rör vad som får lämna platsen (det står i site.yaml).
# The site's node: what does not concern what may leave (that is in site.yaml).

# Mapp med texterna, <uppgift>.jsonl, .csv eller .parquet; relativ till den här mappen.
# Folder with the text, <task>.jsonl, .csv or .parquet; relative to this folder.
data: {data}

# Processortrådar för modellerna; 0 är alla. / CPU threads for models; 0: all of them.
threads: {threads}

# Port mellan nodens egna processer, bara på den egna maskinen; 0 är vilken ledig som helst.
# Port between the node's own processes, on this machine alone; 0: any free one.
port: 0

# Var modellerna körs: auto (grafikkort med CUDA där det finns), cpu eller cuda. Svaren kan skilja sig i sista siffran.
# Where models run: auto (a CUDA card where there is one), cpu or cuda. Numbers may differ in their last digits.
device: auto
"""


class Question(NamedTuple):
    """What `site init` asks, in both languages; the default is the careful answer."""

    setting: str
    default: str
    sv: str
    en: str


QUESTIONS = (
    Question("training", "deny", "Får modeller tränas på platsens text? Vikterna stannar ändå. allow eller deny.",
             "May models be trained on the site's text? The weights still stay. allow or deny."),
    Question("adapters", "deny", "Får tränade vikter lämna platsen? deny, approve (en person säger ja) eller allow.",
             "May trained weights leave the site? deny, approve (a person says yes) or allow."),
    Question("results", "allow", "Får siffror lämna platsen direkt (allow) eller när en person sagt ja (approve)?",
             "May numbers leave the site at once (allow) or when a person has said yes (approve)?"),
    Question("min_examples", "10", "Minsta antal exempel bakom varje tal.", "Fewest examples behind every number."),
    Question("hours", "always", "När får svar lämna platsen? always eller till exempel 18:00-06:00.",
             "When may replies leave? always or for instance 18:00-06:00."),
)  # fmt: skip


def make_site(home: SiteHome, chosen: Mapping[str, str], data: Path, threads: int) -> list[str]:
    """Make what is not there yet, and say what was made.

    Raises:
        PolicyError: a setting is unknown or wrong, all at once; then no policy is left behind.
    """
    known = tuple(ReleasePolicy.model_fields)
    PolicyError.raise_if(
        Fault("unknown setting", name, did_you_mean(name, known)) for name in chosen if name not in known
    )
    make_folders(home)
    made = []
    if home.policy.is_file():
        if chosen:
            raise PolicyError(Fault("there is a policy already, never overwritten", str(home.policy), "edit it"))
    else:
        write_policy(home.policy, TEMPLATE.read_text(encoding="utf-8"), chosen)
        made.append(home.policy.name)
    if not home.node.is_file():
        write_private(home.node, _NODE.format(data=data, threads=threads).encode(), durable=True)
        made.append(home.node.name)
    home.settings()
    if not home.node_key.is_file():
        node_key(home)
        made.append(home.node_key.name)
    if not home.identity_key.is_file():
        Identity.of(home.path)
        made.append(home.identity_key.name)
    return made or ["nothing to make, all is there"]


def write_policy(path: Path, text: str, chosen: Mapping[str, str]) -> None:
    """Write a policy with its comments, `chosen` in the places of the template's values, unless it is wrong.

    Raises:
        PolicyError: every fault, by line; `path` is left as it was.
    """
    draft = path.with_name(".site.yaml.new")
    write_private(draft, with_settings(text, chosen).encode(), durable=True)
    try:
        read_policy(draft)
    except PolicyError as error:
        draft.unlink()
        raise PolicyError(
            *(Fault(fault.what, fault.where.replace(draft.name, path.name), fault.do) for fault in error.faults)
        ) from None
    draft.replace(path)


def with_settings(text: str, chosen: Mapping[str, str]) -> str:
    """`text` of a policy with other values; comments stay, and a setting that has no line gets one at the end."""
    for name, value in chosen.items():
        line = f"{name}: {value}"
        there = re.search(rf"(?m)^{re.escape(name)}:.*$", text)
        text = text[: there.start()] + line + text[there.end() :] if there else f"{text.rstrip()}\n\n{line}\n"
    return text
