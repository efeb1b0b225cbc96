"""A record batch on its way through the local pass, with what was already computed from its text.

The text is scanned once: the first stage that asks for `profile` runs the kernel, the others reuse it. Replacing `text` forgets it.
"""

from collections.abc import Mapping
from functools import cached_property

import pyarrow as pa

from stages.text.buffers import TextBuffer, text_buffer
from stages.text.code import CodeShares, code_shares
from stages.text.profile import Profile, profile


class Batch:
    """Documents as columns; immutable, each step makes a new one."""

    def __init__(self, columns: pa.RecordBatch) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    def __getitem__(self, name: str) -> pa.Array:
        return self.columns.column(name)

    @cached_property
    def text(self) -> TextBuffer:
        """The text column as the arrays that kernels read."""
        return text_buffer(self["text"])

    @cached_property
    def profile(self) -> Profile:
        """Counts and offsets that all rules share; one pass over the text."""
        return profile(self.text)

    @cached_property
    def code(self) -> CodeShares:
        """Shares of program code and of formulas."""
        return code_shares(self.text, self.profile)

    def with_columns(self, added: Mapping[str, pa.Array]) -> "Batch":
        """A batch with columns added, or replaced in place; keeps what was computed unless `text` is among them."""
        columns = dict(zip(self.columns.schema.names, self.columns.columns, strict=True))
        fields = {f.name: f for f in self.columns.schema}
        for name, array in added.items():
            columns[name] = array
            fields[name] = fields[name] if name in fields else pa.field(name, array.type)
        batch = Batch(pa.RecordBatch.from_arrays(list(columns.values()), schema=pa.schema(list(fields.values()))))
        if "text" not in added:
            for cached in ("text", "profile", "code"):
                if cached in self.__dict__:
                    batch.__dict__[cached] = self.__dict__[cached]
        return batch
