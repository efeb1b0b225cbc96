"""The passes of `sentence_dedup`: which passages of kept documents stand in better ones, and who keeps them.

    passages    shard -> partition    keys of passages, pieces at edges, keys of long sentences and paragraphs (units)
    shared      partition -> shard    the few keys that have several occurrences
    originals   shard -> partition    these again, with how original their documents are and what else they are preferred by
    repeats     partition -> shard    of each key all occurrences but the best, and who owns it
    edges       partition             which pieces are boilerplate
    candidates  partition -> shard    pairs of units that share a key, told to both ends
    texts       shard -> partition    the units of a pair, to where its owner is
    compare     partition -> shard    edit similarity of each pair
    alike       one task              union-find over the pairs that are similar enough
    units       shard -> partition    how good the units of a component are
    best        partition -> shard    which unit stays for which
    cut         shard -> partition    spans of all kinds; the partition of an owner's shard is asked for its id
    owners      partition -> shard    ids of the owners, who are told that they are relied on

Documents that earlier runs kept own what stands in their corpora and lose nothing: they take part up to `best`, and are asked for ids.

They run when a selection is made, on documents without a reason against them that duplicate no other, and nothing of them is stored in
shards. `pipeline.output` reads the spans (`pipeline.passages.proposals`), and rejects documents that are mostly kept by others, unless
others rely on them.
"""
