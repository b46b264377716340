"""The domain of record matching, in the order a record passes through it: no Dagster and no AWS in here."""
