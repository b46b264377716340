"""Character TF-IDF: 3-grams inside word boundaries, cosine similarity by `sparse_dot_topn` on all cores."""

import os

import numpy as np
import polars as pl
from job import DEPTH, Answer, Job, run
from sklearn.feature_extraction.text import TfidfVectorizer
from sparse_dot_topn import sp_matmul_topn

BLOCK = 4_096  # records multiplied at a time


def prepare(job: Job) -> Answer:
    """Index the reference's names."""
    reference = job.reference
    vectorizer = TfidfVectorizer(preprocessor=str.casefold, analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32)
    known = vectorizer.fit_transform(reference["name"]).T.tocsr()
    ids = reference["reference_id"]

    def answer(records: pl.DataFrame) -> pl.DataFrame:
        found = []
        for block in records.iter_slices(BLOCK):
            threads = os.cpu_count() if block.height > 1 else 1  # for one record they cost more than they save
            asked = vectorizer.transform(block["name"])
            similar = sp_matmul_topn(asked, known, top_n=DEPTH, sort=True, n_threads=threads)
            owner = np.repeat(np.arange(block.height), np.diff(similar.indptr))
            columns = {"record_id": block["record_id"].gather(owner), "reference_id": ids.gather(similar.indices)}
            found.append(pl.DataFrame(columns | {"score": similar.data.astype(np.float64)}))
        return pl.concat(found)

    return answer


if __name__ == "__main__":
    run(prepare)
