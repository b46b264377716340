"""The fused search, compiled: TF-IDF cosine over trigrams and words plus int8 embedding similarity, cut to the best k.

Every query is worked through by itself in a fixed order, and embeddings are compared in whole numbers, so a record has
the same candidates alone, in a batch, and on any number of threads.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

LANES = 64  # the length of quantised vectors: a fixed one is compared ten times faster


@nb.njit(cache=True)
def sift_down(values: Any, items: Any, size: int) -> None:
    """Restore the heap order after its root was replaced."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        right = child + 1
        if right < size and (
            values[right] < values[child] or (values[right] == values[child] and items[right] > items[child])
        ):
            child = right
        if values[at] < values[child] or (values[at] == values[child] and items[at] > items[child]):
            return
        values[at], values[child] = values[child], values[at]
        items[at], items[child] = items[child], items[at]
        at = child


@nb.njit(cache=True)
def keep_best(value: float, item: int, values: Any, items: Any, size: int, limit: int) -> int:
    """Offer (value, item) to a bounded min-heap ordered by value, then by lower item; returns its new size."""
    if size == limit:
        if value < values[0] or (value == values[0] and item > items[0]):
            return size
        values[0], items[0] = value, item
        sift_down(values, items, size)
        return size
    at = size
    values[at], items[at] = value, item
    while at > 0:
        parent = (at - 1) // 2
        if values[parent] < values[at] or (values[parent] == values[at] and items[parent] > items[at]):
            break
        values[at], values[parent] = values[parent], values[at]
        items[at], items[parent] = items[parent], items[at]
        at = parent
    return size + 1


@nb.njit(cache=True)
def int8_dot(left: Any, right: Any) -> int:
    """Exact dot product of two int8 vectors of LANES numbers. The fixed length is what makes it vector code."""
    total = np.int32(0)
    for d in range(LANES):
        total = np.int32(total + np.int32(np.int16(left[d]) * np.int16(right[d])))
    return total  # type: ignore[return-value]


@nb.njit(cache=True, parallel=True)
def search(
    terms: Any,  # int32: terms of all queries
    term_starts: Any,  # int64 [queries + 1]
    weight: Any,  # float32 [terms in the index]: idf
    posting_starts: Any,  # int64 [terms in the index + 1]
    postings: Any,  # int32
    variant_norm: Any,  # float32 [variants]
    variant_reference: Any,  # int32 [variants]
    references: int,
    query_codes: Any,  # int8 [queries, dim], dim LANES; 0 switches the embedding channel off
    query_scale: Any,  # float32 [queries]
    codes: Any,  # int8 [variants, dim]
    scale: Any,  # float32 [variants]
    lexical_k: int,
    embedding_k: int,
    top_k: int,
    threads: int,
) -> tuple[Any, Any, Any, Any]:
    """The top_k references of each query, best first, each by its best variant.

    Returns variant numbers (int32, -1: none), fused score, lexical and embedding similarity (float32).
    Each [queries, top_k].
    """
    queries, variants = len(term_starts) - 1, len(variant_norm)
    dim = query_codes.shape[1]
    found = np.full((queries, top_k), -1, np.int32)
    fused = np.zeros((queries, top_k), np.float32)
    lexical = np.zeros((queries, top_k), np.float32)
    embedded = np.zeros((queries, top_k), np.float32)
    for worker in nb.prange(threads):
        total = np.zeros(variants, np.float32)
        best_variant = np.full(references, -1, np.int32)
        touched = np.empty(variants, np.int32)
        reached = np.empty(references, np.int32)
        values = np.empty(max(lexical_k, embedding_k, top_k) + 1, np.float32)
        items = np.empty(max(lexical_k, embedding_k, top_k) + 1, np.int32)
        union = np.empty(lexical_k + embedding_k, np.int32)
        for q in range(worker, queries, threads):
            count = 0
            square = 0.0
            for at in range(term_starts[q], term_starts[q + 1]):
                w = weight[terms[at]]
                square += w * w
                for p in range(posting_starts[terms[at]], posting_starts[terms[at] + 1]):
                    v = postings[p]
                    if total[v] == 0.0:
                        touched[count] = v
                        count += 1
                    total[v] += w * w
            norm = np.float32(np.sqrt(square)) if square > 0 else np.float32(1.0)
            distinct = 0
            for t in range(count):  # the best variant stands for its reference
                v = touched[t]
                total[v] /= norm * variant_norm[v]
                r = variant_reference[v]
                if best_variant[r] < 0:
                    best_variant[r] = v
                    reached[distinct] = r
                    distinct += 1
                elif total[v] > total[best_variant[r]] or (total[v] == total[best_variant[r]] and v < best_variant[r]):
                    best_variant[r] = v
            size = 0
            for t in range(distinct):
                size = keep_best(total[best_variant[reached[t]]], reached[t], values, items, size, lexical_k)
            chosen = 0
            for i in range(size):
                union[chosen] = best_variant[items[i]]
                chosen += 1
            for t in range(distinct):
                best_variant[reached[t]] = -1
            if dim > 0 and query_scale[q] > 0:
                size = 0
                for v in range(variants):
                    similarity = np.float32(int8_dot(query_codes[q], codes[v])) * scale[v]
                    if size < embedding_k or similarity >= values[0]:
                        size = keep_best(similarity, v, values, items, size, embedding_k)
                for i in range(size):
                    fresh = True
                    for j in range(chosen):
                        if variant_reference[union[j]] == variant_reference[items[i]]:
                            fresh = False
                            break
                    if fresh:
                        union[chosen] = items[i]
                        chosen += 1
            size = 0
            for i in range(chosen):
                v = union[i]
                near = np.float32(0.0)
                if dim > 0:
                    near = np.float32(int8_dot(query_codes[q], codes[v])) * scale[v] * query_scale[q]
                size = keep_best(total[v] + near, v, values, items, size, top_k)
            for place in range(size - 1, -1, -1):  # empty the heap from the worst upwards
                v, score = items[0], values[0]
                found[q, place] = v
                fused[q, place] = score
                lexical[q, place] = total[v]
                if dim > 0:
                    embedded[q, place] = np.float32(int8_dot(query_codes[q], codes[v])) * scale[v] * query_scale[q]
                last_value, last_item = values[place], items[place]
                values[0], items[0] = last_value, last_item
                sift_down(values, items, place)
            for t in range(count):
                total[touched[t]] = 0.0
    return found, fused, lexical, embedded
