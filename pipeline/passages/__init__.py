"""The passes of `sentence_dedup`: which passages of kept documents stand in better ones, and who keeps them.

    passages    shard -> partition    keys of passages, pieces at edges, keys of long sentences and paragraphs (units)
    repeats     partition -> shard    of each key with several occurrences: all but the best, and who owns it
    edges       partition             which pieces are boilerplate
    candidates  partition -> shard    pairs of units that share a key, told to both ends
    texts       shard -> partition    the units of a pair, to where its owner is
    compare     partition             edit similarity of each pair
    components  one task              union-find over the pairs that are similar enough
    units       shard -> partition    how good the units of a component are
    best        partition -> shard    which unit stays for which
    cut         shard -> shard        spans of all kinds; each owner's shard is asked for its id
    owners      shard -> shard        ids of the owners, who thereby know that they are relied on

They run when a selection is made, on documents without a reason against them that duplicate no other, and nothing of them is stored in
shards. `write` reads the spans. A document of which others keep more than half is rejected then, unless others rely on it.
"""
