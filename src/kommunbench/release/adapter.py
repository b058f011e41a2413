"""When trained weights are fit to travel. The site asks before they leave, the coordinator when they arrive."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kommunbench.core.spec import Code

FLOAT32 = np.dtype(np.float32)


def update_code(sent: object, update: object) -> Code:
    """OK where `update` has the layout of `sent` and every number in it is finite, else BAD_UPDATE.

    The layout is fixed by what the coordinator sent: the same names, the same shapes, float32 in the machine's own
    byte order, plain arrays. So neither a name, nor a shape, nor a payload in a NaN can carry anything.
    """
    if not isinstance(sent, Mapping) or type(update) is not dict or not sent or sent.keys() != update.keys():
        return Code.BAD_UPDATE
    fit = all(type(name) is str and _fits(sent[name], array) for name, array in update.items())
    return Code.OK if fit else Code.BAD_UPDATE


def _fits(sent: object, array: object) -> bool:
    return (
        isinstance(sent, np.ndarray)
        and type(array) is np.ndarray
        and array.dtype == FLOAT32
        and array.shape == sent.shape
        and bool(np.isfinite(array).all())
    )
