"""The part of a request that a masked sum needs: which step it is, and what other sites said that this one must hear.

What is relayed was made at sites, and a site trusts none of it on the coordinator's word: keys and lists are signed by
identities that the site itself knows (release/peers.py), the rest is sealed between two sites (privacy/secagg.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MASKED_SUM = "masked-sum"
"""The name that the sum over sites has among the answers of a run, where single sites' answers cannot be read."""

Step = Literal["open", "share", "mask", "confirm", "unmask"]
STEPS: tuple[Step, ...] = ("open", "share", "mask", "confirm", "unmask")
Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$")]
SiteName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""Only ever looked up among the names that the site knows."""


class Masking(BaseModel):
    """One step of a masked sum (Bonawitz et al. 2017), asked of a site.

    Args:
        step: `open` does the work and answers fresh public keys; `share` deals out shares of this site's secrets;
            `mask` answers the masked numbers; `confirm` signs who is in the sum; `unmask` answers the shares that take
            the masks off the sum.
        session: random, new for every try.
        train: for `open`: whether this site trains, where the request asks for training.
        threshold: so many sites together can take masks off, fewer cannot.
        keys: for `share`: every member's public keys with their signature.
        sealed: for `mask`: what each other member sealed for this site.
        survivors: for `confirm` and `unmask`: whose masked numbers are in the sum.
        confirmed: for `unmask`: the survivors' signatures of that list.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    step: Step
    session: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    threshold: int = Field(0, ge=0)
    keys: dict[SiteName, Hex] = Field(default_factory=dict)
    train: bool = True
    sealed: dict[SiteName, Hex] = Field(default_factory=dict)
    survivors: tuple[SiteName, ...] = ()
    confirmed: dict[SiteName, Hex] = Field(default_factory=dict)
