"""The passes that see all shards: repeated ids, exact copies, near-duplicates, and the survivors among them.

    send        shard -> partition    id, content hash, URL and band keys of each document
    groups      partition             repeated ids; documents of equal content, of equal URL
    pairs       partition -> shard    candidate pairs of each band bucket, told to both ends
    components  one task              union-find over candidate pairs: what is compared in one place gets one number
    gather      shard -> partition    shingles of each candidate, to where its pairs are verified
    verify      partition -> shard    exact overlap of each candidate pair
    ------------------------------------------------------------------------------------------------ below: what a selection decides
    clusters    one task              union-find over the verified edges and the copies
    facts       shard -> partition    who is clean, how good, how long; which verified edges
    resolve     partition -> shard    survivors (stages.dedup.survivors); who duplicates whom

All but the last three depend on no threshold: every verified overlap is stored, also below `similarity`. The two union-finds stream
their edges and hold 8 bytes a document, the limit of this design: 200 million documents in a worker of 2 GB.

A component of candidates may be huge (templates chain), so only small ones are verified in one partition. In a larger one each pair is
verified where its owner is, and its other end is sent there: `stages.dedup.bands` never lets a representative own its pairs, so no
partition gets more than its share, and a document is sent at most once to each partition.
"""
