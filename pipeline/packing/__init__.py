"""`corpus pack`: documents to token shards.

encode    file -> sorted runs    ids with ends, copies by weight, each at its place in the stream (encode_unit)
count     file -> shards         how many ids of a file fall into each shard (order_unit)
order     shard                  the runs' parts of it merged: .bin, .idx, and the documents' names (order_unit)
"""
