"""Synthetic municipalities and regions: deterministic, seeded, and different from one another on purpose.

What a model is pretrained on, in a style that no organisation has:

    from kommunbench.synthetic.neutral import neutral_corpus

    for document in neutral_corpus(seed=1):  # endless: take as many as you need
        document.kind, document.prompt, document.answer  # prose has an empty prompt

What organisations have, one generator a task, in the file named as the task and exported as `GENERATOR`:

    generate = registry.find("synthetic", "lattlast")
    for row in generate(organisation, "train", seed, recipe):  # rows as in a site's lattlast.jsonl
        ...
    for written in write_federation(organisations, folder, seed, recipe):  # FOLDER/<site>/<task>.jsonl
        written.path, written.rows

An `Organisation` and the `Recipe` are plain data (organisation.py, conf/federation/, conf/synthetic/). Its house style
(style.py) follows from name, kind, seed and recipe; `Draft` (draft.py) carries style, fillers and templates to whoever
writes a row. `fillers.py` holds names, places, amounts and dates in three pools that never meet: pretraining, the
sites' training splits, and the sites' test splits.
"""
