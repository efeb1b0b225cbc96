"""Every path is a URI: local paths, `s3://`, `gs://` through Arrow; `hf://`, `http(s)://` (input only) through fsspec.

Credentials and endpoints come from where the clouds' own tools take them: the AWS and Google chains, `AWS_ENDPOINT_URL` for another
S3 service, `gs://anonymous@bucket/` for public buckets, the Hugging Face token file.
"""

from pipeline.storage.listing import FileInfo, list_files, list_names
from pipeline.storage.paths import is_local, join, local_path, locate
from pipeline.storage.reading import chunk_bytes, exists, input_errors, open_input, read_bytes
from pipeline.storage.writing import committed, make_folder, remove, sweep, write_bytes

__all__ = [
    "FileInfo",
    "chunk_bytes",
    "committed",
    "exists",
    "input_errors",
    "is_local",
    "join",
    "list_files",
    "list_names",
    "local_path",
    "locate",
    "make_folder",
    "open_input",
    "read_bytes",
    "remove",
    "sweep",
    "write_bytes",
]
