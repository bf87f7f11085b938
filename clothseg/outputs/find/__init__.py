"""Find items by words: "red dress", "black shoes of the person on the left", "everything but the hair"."""

from clothseg.outputs.find.query import Query
from clothseg.outputs.find.reader import read_query
from clothseg.outputs.find.selection import Found, select


__all__ = ["Found", "Query", "read_query", "select"]
