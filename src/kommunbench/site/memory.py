"""What a site measures of its own trained weights before they may leave. The numbers stay in its log."""

from __future__ import annotations

import logging
from hashlib import sha256

from kommunbench.core.answer import Memory
from kommunbench.privacy.memorisation import FALSE_ALARMS, Canaries
from kommunbench.release import ReleasePolicy

log = logging.getLogger("kommunbench.site")


def canaries_for(policy: ReleasePolicy, run: str, site: str) -> Canaries | None:
    """Canaries to plant in the run's training at this site, the same every round; None where nobody wants to know."""
    if policy.memorisation == "skip" or policy.adapters == "deny":
        return None
    return Canaries.drawn(int.from_bytes(sha256(f"canaries:{run}:{site}".encode()).digest()[:8]))


def log_memory(memory: Memory | None) -> None:
    """For the site's own people: numbers only."""
    if memory is None:
        log.warning("what the trained weights remember could not be measured: too few examples")
        return
    log.info(
        "what the trained weights remember: exposure %.2f bits, membership AUC %.3f, found at 1 %% false alarms %.3f "
        "(%d members, %d others%s)",
        memory.exposure_bits,
        memory.auc,
        memory.tpr,
        memory.members,
        memory.non_members,
        "" if memory.non_members * FALSE_ALARMS >= 1 else "; with fewer than 100 others that is no false alarm at all",
    )
