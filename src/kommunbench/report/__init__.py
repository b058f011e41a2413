"""Released sums in; values, intervals, tables and figures out."""
