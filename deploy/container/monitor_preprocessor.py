"""Runs in AWS's container of Model Monitor: a captured answer becomes one flat row for each decision.

What is asked is left alone: it holds names. The columns are those of the baseline (resources/model_monitor.py). It is
given to a Python that is AWS's own, so it imports nothing of ours.
"""

import base64
import csv
import io
import json

COLUMNS = ("probability", "decision", "degraded")


def preprocess_handler(inference_record):
    """Rows of one captured event; none where the request was not answered with decisions."""
    output = inference_record.endpoint_output
    if output is None or not output.data:
        return []
    encoded = str(output.encoding).upper().endswith("BASE64")
    text = base64.b64decode(output.data).decode() if encoded else output.data
    if text.startswith("record_id,"):
        return [_typed(row) for row in csv.DictReader(io.StringIO(text))]
    rows = []
    for line in text.splitlines():
        answer = json.loads(line)
        rows += answer.get("decisions", [answer])
    return [{name: row[name] for name in COLUMNS} for row in rows if "decision" in row]


def _typed(row):
    """A row of CSV, with numbers as numbers."""
    probability = float(row["probability"]) if row["probability"] else None
    return {"probability": probability, "decision": row["decision"], "degraded": row["degraded"] == "true"}
