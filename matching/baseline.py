"""What the plainest matcher reaches, character TF-IDF and cosine similarity: the floor that a model has to be above.

Names are casefolded and cut into 3-grams inside word boundaries; idf is the reference's. No labels are used to find
candidates, no attributes, no aliases and no normalising.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from matching.evaluation import figures
from matching.judging import judge, right_pairs

TOP_K = 50
BLOCK = 4_096  # records multiplied at a time: bounds the memory of the candidates to a few megabytes
CANDIDATES = {"record_id": pl.String, "reference_id": pl.String, "rank": pl.Int64, "score": pl.Float64}


def tfidf_baseline(reference: pl.DataFrame, records: pl.DataFrame, labels: pl.DataFrame) -> dict[str, float | None]:
    """`top1`, `recall@50` and `best_f1` of TF-IDF on the labelled records.

    `reference` needs reference_id and name, `records` record_id and name, `labels` as `matching.evaluation.evaluate`.
    Raises InputError when no record has a label.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sparse_dot_topn import sp_matmul_topn

    labelled = records.join(labels.select("record_id"), on="record_id", how="semi")
    vectorizer = TfidfVectorizer(preprocessor=str.casefold, analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32)
    known = vectorizer.fit_transform(reference["name"].fill_null("")).T.tocsr()
    right = right_pairs(labels).with_columns(right=True)
    found = [pl.DataFrame(schema=CANDIDATES)]
    for block in labelled.iter_slices(BLOCK):
        similar = sp_matmul_topn(vectorizer.transform(block["name"].fill_null("")), known, top_n=TOP_K, sort=True)
        count = np.diff(similar.indptr)
        pairs = pl.DataFrame(
            {
                "record_id": block["record_id"].gather(np.repeat(np.arange(block.height), count)),
                "reference_id": reference["reference_id"].gather(similar.indices),
                "rank": np.arange(similar.nnz) - np.repeat(similar.indptr[:-1], count) + 1,
                "score": similar.data.astype(np.float64),
            },
            schema=CANDIDATES,
        ).join(right, on=["record_id", "reference_id"], how="left", maintain_order="left")
        found.append(pairs.filter((pl.col("rank") == 1) | pl.col("right")).drop("right"))
    candidates = pl.concat(found)
    best = candidates.filter(pl.col("rank") == 1).select("record_id", "reference_id", probability="score")
    decisions = labelled.select("record_id", decision=pl.lit("review")).join(best, on="record_id", how="left")
    judged = judge(decisions.with_columns(pl.col("probability").fill_null(0.0)), labels, candidates)
    reached = figures(judged)
    return {"top1": reached["recall@1"], "recall@50": reached["recall@50"], "best_f1": reached["best_f1"]}
