"""Synthetic municipalities and regions: deterministic, seeded, and different from one another on purpose.

    from kommunbench.synthetic.neutral import neutral_corpus

    for document in neutral_corpus(seed=1):          # endless: take as many as you need
        document.kind, document.prompt, document.answer   # prose has an empty prompt

One generator a task, in the file named as the task, exported as `GENERATOR` and found by `find("synthetic", task)`:

    rows = GENERATOR(organisation, split, seed, recipe)   # an iterator of rows, as in a site's file

`fillers.py` holds names, places, amounts and dates in three pools that never meet: pretraining, the sites' training
splits, and the sites' test splits.
"""
