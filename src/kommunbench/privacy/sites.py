"""What it costs that a site's training is in an adapter, where the coordinator cuts and noises updates (dp=client).

A round releases (sum of cut updates + N(0, (z C)^2)) / sites. With zeros in place of one site's update the sum moves by
C at most, so a round is a Gaussian mechanism with noise z, and rounds compose. Sites are not sampled, so nothing is
amplified; who takes part counts as known. McMahan et al. 2018, accounting by Opacus (models/private.py).
"""

from __future__ import annotations

from kommunbench.core.spec import RunSpec


def site_epsilon(spec: RunSpec) -> float:
    """Epsilon at `spec.dp.delta` of one site's part in all rounds and seeds of the run; 0 where nothing hides sites."""
    releases = spec.rounds * spec.replicates if spec.train is not None else 0
    if not spec.dp.hides_sites or not releases:
        return 0.0
    from kommunbench.models.private import spent_epsilon

    return spent_epsilon([(spec.dp.site_noise_multiplier, 1.0, releases)], spec.dp.delta)
