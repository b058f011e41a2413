"""A trained adapter merged into its base: a folder of safetensors that any tool opens, and GGUF where the converter is.

What is merged is what was trained: the base has to be the very one, by its digest. The folder is a model like any
other, so it can be evaluated, quantised, served, or taken in by a site (`kommunbench site model add`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Adapter, ModelCard, TrainSettings
from kommunbench.models.folder import model_folder
from kommunbench.models.open import open_model

ORIGIN = "kommunbench-origin.yaml"
"""What was merged into what. It decides no answer, so no digest has it."""
LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "NOTICE", "USE_POLICY.md")


def export_merged(
    card: ModelCard, digest: str, adapter: Adapter, settings: TrainSettings, target: Path, origin: Mapping[str, str]
) -> int:
    """Write the base of `card` with `adapter` in its weights to the new folder `target`. Bytes written.

    Args:
        digest: of the base that the adapter was trained on.
        origin: what is said of where it comes from, in ORIGIN.

    Raises:
        ModelError: the base is not here, is another, is in few bits or not Hugging Face's, or `target` is not empty.
    """
    from kommunbench.models.huggingface import HuggingFace

    where = f"models.{card.name}"
    if target.exists() and any(target.iterdir()):
        raise ModelError(Fault("there is something already", str(target), "give a new folder"))
    if card.options.get("quantize", "no") != "no":
        do = "export from a card without it, and quantise afterwards"
        raise ModelError(Fault("weights in few bits cannot take an adapter in", f"{where}.options.quantize", do))
    model = open_model(card, device="cpu")
    if model.digest != digest:
        what = "is not the base that the adapter was trained on"
        raise ModelError(Fault(what, where, f"its digest must be {digest}"))
    if not isinstance(model, HuggingFace):
        raise ModelError(Fault(f"a model of the family {card.family} cannot be exported", where))
    target.mkdir(parents=True, exist_ok=True)
    model.save_merged(adapter, settings, target)
    source = model_folder(card)
    for name in LICENCES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    told = {"base": card.name, "base_path": card.path, "base_digest": digest, "method": settings.method, **origin}
    (target / ORIGIN).write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return sum(path.stat().st_size for path in target.iterdir())


def export_gguf(folder: Path, converter: Path, kind: str = "q8_0") -> Path:
    """The merged `folder` as one GGUF file in it, by llama.cpp's own convert_hf_to_gguf.py, which the user has.

    Raises:
        ModelError: there is no such converter, or it fails; its last line says why.
    """
    if not converter.is_file():
        do = "it is convert_hf_to_gguf.py of https://github.com/ggml-org/llama.cpp"
        raise ModelError(Fault("no such converter", str(converter), do))
    target = folder / f"model-{kind}.gguf"
    command = [sys.executable, str(converter), str(folder), "--outfile", str(target), "--outtype", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not target.is_file():
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise ModelError(Fault(f"the converter failed: {last[:300]}", str(converter), "the safetensors are whole"))
    return target
