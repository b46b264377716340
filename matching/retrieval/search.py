"""The search, compiled: TF-IDF cosine over trigrams and words, and similarity of int8 vectors, cut to the best k.

1. Direct terms (an equal name, initials) say at once where to look.
2. Of the other terms the rare ones come first: what they are worth is added up for each variant until a budget of
   postings is read. Common terms hardly move the order and would cost most of the time.
3. The best of that pool are compared in full, by all terms and by vector, and the best of them are the candidates.
   Where letters find fewer than are wanted, the nearest of all vectors join them.

Every query is worked through by itself in a fixed order, and vectors are compared in whole numbers, so a record has the
same candidates alone, in a batch, and on any number of threads. What a query costs hardly grows with the reference,
but for its budget.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

LANES = 64  # the length of quantised vectors: a fixed one is compared ten times faster
NEAR = 0.15  # what a vector's similarity adds to the lexical one; more lets vectors push out right candidates
POOL = 4  # variants compared in full, for each candidate that is wanted
BLOCK = 1 << 14  # variants whose sums are held at a time
DIRECT = 64  # postings that are read of a direct term
RESERVED = 10  # one in so many candidates may be one that only a direct term has found


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


@nb.njit(cache=True)
def table_size(entries: int) -> int:
    """Places of a table for so many entries: a power of two, at least twice as many."""
    size = 256
    while size < 2 * entries:
        size *= 2
    return size


@nb.njit(cache=True)
def place_of(key: int, keys: Any) -> int:
    """Where a key stands in an open-addressed table of 2^n places (-1: free), or the free place where it would."""
    mask = np.uint32(len(keys) - 1)
    mixed = np.uint32(np.uint32(key) * np.uint32(2654435769))
    place = np.uint32(mixed ^ (mixed >> np.uint32(15))) & mask
    while keys[place] != key and keys[place] != -1:
        place = np.uint32(place + np.uint32(1)) & mask
    return np.int64(place)  # type: ignore[return-value]


@nb.njit(cache=True)
def rare_first(terms: Any, posting_starts: Any, order: Any) -> int:
    """Write a query's terms that have postings to `order`, those with the fewest first; returns their number."""
    count = 0
    for term in terms:
        size = posting_starts[term + 1] - posting_starts[term]
        if size == 0:
            continue
        place = count
        while place > 0 and posting_starts[order[place - 1] + 1] - posting_starts[order[place - 1]] > size:
            order[place] = order[place - 1]
            place -= 1
        order[place] = term
        count += 1
    return count


@nb.njit(cache=True)
def look_direct(order: Any, scored: int, posting_starts: Any, postings: Any, looked: Any) -> int:
    """Write the variants that direct terms lead to; returns their number. A variant may come twice."""
    count = 0
    for term in order:
        if term >= scored:
            for at in range(posting_starts[term], min(posting_starts[term + 1], posting_starts[term] + DIRECT)):
                looked[count] = postings[at]
                count += 1
    return count


@nb.njit(cache=True)
def best_by_rare_terms(
    order: Any, budget: int, weight: Any, posting_starts: Any, postings: Any, variant_norm: Any, pool: int,
    at: Any, end: Any, worth: Any, sums: Any, touched: Any, values: Any, items: Any,
) -> int:  # fmt: skip
    """The `pool` variants that share the most with a query by what `budget` postings say; returns their number.

    Variants are gone through in blocks whose sums stay in the processor's cache.
    """
    count, left = 0, budget
    for term in order:
        if term < len(weight) and left > 0:
            at[count], worth[count] = posting_starts[term], weight[term] * weight[term]
            end[count] = min(posting_starts[term + 1], at[count] + left)
            left -= end[count] - at[count]
            count += 1
    size = 0
    for block in range(0, len(variant_norm), BLOCK):
        reached = 0
        for t in range(count):
            place, last, share = at[t], end[t], worth[t]
            while place < last and postings[place] < block + BLOCK:
                i = postings[place] - block
                if sums[i] == 0.0:
                    touched[reached] = i
                    reached += 1
                sums[i] += share
                place += 1
            at[t] = place
        for t in range(reached):
            i = touched[t]
            size = keep_best(sums[i] / variant_norm[block + i], block + i, values, items, size, pool)
            sums[i] = 0.0
    return size


@nb.njit(cache=True)
def nearest(query: Any, codes: Any, scale: Any, limit: int, values: Any, items: Any) -> int:
    """The variants of the nearest vectors, into a heap of at most `limit`; returns how many there are."""
    size = 0
    for v in range(len(scale)):
        similarity = np.float32(int8_dot(query, codes[v])) * scale[v]
        if size < limit or similarity >= values[0]:
            size = keep_best(similarity, v, values, items, size, limit)
    return size


@nb.njit(cache=True)
def compare(
    own: Any, query: Any, query_scale: float, looked: Any, weight: Any, variant_terms: Any, variant_term_starts: Any,
    variant_norm: Any, codes: Any, scale: Any, asked: Any, asked_at: Any, keys: Any, lexical: Any, near: Any,
) -> None:  # fmt: skip
    """Lexical cosine and similarity of vectors of a query (terms `own`) with the variants `looked`, put into `keys`."""
    square = np.float32(0.0)
    for i in range(len(own)):
        if own[i] < len(weight):
            square += weight[own[i]] * weight[own[i]]
        asked_at[i] = place_of(own[i], asked)
        asked[asked_at[i]] = own[i]
    norm = np.sqrt(square) if square > 0 else np.float32(1.0)
    for v in looked:
        total = np.float32(0.0)
        for at in range(variant_term_starts[v], variant_term_starts[v + 1]):
            term = variant_terms[at]
            if term < len(weight) and asked[place_of(term, asked)] == term:
                total += weight[term] * weight[term]
        place = place_of(v, keys)
        keys[place] = v
        lexical[place] = total / (norm * variant_norm[v])
        near[place] = 0.0
        if len(query) > 0:
            near[place] = np.float32(int8_dot(query, codes[v])) * scale[v] * query_scale
    for i in range(len(own)):
        asked[asked_at[i]] = -1


@nb.njit(cache=True)
def best_variants(
    looked: Any, direct: int, variant_reference: Any, keys: Any, lexical: Any, near: Any,
    owners: Any, owner_at: Any, best: Any,
) -> tuple[int, int]:  # fmt: skip
    """Leave the best variant of each reference in `looked`, in the order of first appearance.

    Returns how many of them come from the first `direct`, and how many there are.
    """
    straight, distinct = 0, 0
    for i in range(len(looked)):
        v = looked[i]
        place = place_of(variant_reference[v], owners)
        if owners[place] == -1:
            owners[place] = variant_reference[v]
            best[place] = v
            owner_at[distinct] = place
            distinct += 1
            straight = distinct if i < direct else straight
        else:
            mine, theirs = place_of(v, keys), place_of(best[place], keys)
            lead = lexical[mine] + NEAR * near[mine] - (lexical[theirs] + NEAR * near[theirs])
            if lead > 0 or (lead == 0 and v < best[place]):
                best[place] = v
    for i in range(distinct):
        looked[i] = best[owner_at[i]]
        owners[owner_at[i]] = -1
    return straight, distinct


@nb.njit(cache=True)
def cut(
    looked: Any, direct: int, keys: Any, lexical: Any, near: Any, top_k: int, kept: Any, values: Any, items: Any
) -> int:
    """The best top_k of `looked` in a heap, some places reserved for the first `direct` of them; returns its size."""
    reserved = 0
    for i in range(direct):
        place = place_of(looked[i], keys)
        score = lexical[place] + NEAR * near[place]
        reserved = keep_best(score, looked[i], values, items, reserved, (top_k + RESERVED - 1) // RESERVED)
    kept[:reserved] = items[:reserved]
    size = 0
    for v in looked:
        fresh = True
        for i in range(reserved):
            fresh = fresh and kept[i] != v
        if fresh:
            place = place_of(v, keys)
            size = keep_best(lexical[place] + NEAR * near[place], v, values, items, size, top_k - reserved)
    for i in range(reserved):
        place = place_of(kept[i], keys)
        size = keep_best(lexical[place] + NEAR * near[place], kept[i], values, items, size, top_k)
    return size


@nb.njit(cache=True, parallel=True)
def search(
    terms: Any,  # int32: terms of all queries, direct ones too
    term_starts: Any,  # int64 [queries + 1]
    query_codes: Any,  # int8 [queries, dim], dim LANES; 0 switches the vectors off
    query_scale: Any,  # float32 [queries]
    weight: Any,  # float32 [scored terms]: idf; the terms after them are direct ones
    posting_starts: Any,  # int64 [terms in the index + 1]
    postings: Any,  # int32
    variant_terms: Any,  # int32: terms of all variants
    variant_term_starts: Any,  # int64 [variants + 1]
    variant_norm: Any,  # float32 [variants]
    variant_reference: Any,  # int32 [variants]
    codes: Any,  # int8 [variants, dim]
    scale: Any,  # float32 [variants]
    budget: int,  # postings that are read for one query
    top_k: int,
    threads: int,
) -> tuple[Any, Any, Any, Any]:
    """The top_k references of each query, best first, each by its best variant.

    Returns variant numbers (int32, -1: none), score, lexical and embedding similarity (float32).
    Each [queries, top_k].
    """
    queries, variants = len(term_starts) - 1, len(variant_norm)
    found = np.full((queries, top_k), -1, np.int32)
    score = np.zeros((queries, top_k), np.float32)
    lexical = np.zeros((queries, top_k), np.float32)
    embedded = np.zeros((queries, top_k), np.float32)
    pool = POOL * top_k
    room = 3 * DIRECT + pool + top_k  # variants that are compared in full
    for worker in nb.prange(threads):
        sums, touched = np.zeros(min(BLOCK, variants), np.float32), np.empty(min(BLOCK, variants), np.int32)
        keys = np.full(table_size(room), -1, np.int32)
        cosine, near = np.empty(len(keys), np.float32), np.empty(len(keys), np.float32)
        looked, kept = np.empty(room, np.int32), np.empty(top_k, np.int32)
        order, asked, asked_at = np.empty(512, np.int32), np.full(1024, -1, np.int32), np.empty(512, np.int64)
        at, end, worth = np.empty(512, np.int64), np.empty(512, np.int64), np.empty(512, np.float32)
        owners, owner_at = np.full(table_size(room), -1, np.int32), np.empty(room, np.int64)
        best = np.empty(len(owners), np.int32)
        values, items = np.empty(pool + top_k, np.float32), np.empty(pool + top_k, np.int32)
        for q in range(worker, queries, threads):
            own = terms[term_starts[q] : term_starts[q + 1]]
            wanted = order[: rare_first(own, posting_starts, order)]
            direct = look_direct(wanted, len(weight), posting_starts, postings, looked)
            size = best_by_rare_terms(
                wanted, budget, weight, posting_starts, postings, variant_norm, pool,
                at, end, worth, sums, touched, values, items,
            )  # fmt: skip
            looked[direct : direct + size] = items[:size]
            there = direct + size
            if there < top_k and query_codes.shape[1] > 0 and query_scale[q] > 0:
                size = nearest(query_codes[q], codes, scale, (top_k + 1) // 2, values, items)
                looked[there : there + size] = items[:size]
                there += size
            compare(
                own, query_codes[q], query_scale[q], looked[:there], weight, variant_terms, variant_term_starts,
                variant_norm, codes, scale, asked, asked_at, keys, cosine, near,
            )  # fmt: skip
            straight, there = best_variants(
                looked[:there], direct, variant_reference, keys, cosine, near, owners, owner_at, best
            )
            size = cut(looked[:there], straight, keys, cosine, near, top_k, kept, values, items)
            for place in range(size - 1, -1, -1):  # empty the heap from the worst upwards
                i = place_of(items[0], keys)
                found[q, place], score[q, place] = items[0], values[0]
                lexical[q, place], embedded[q, place] = cosine[i], near[i]
                last_value, last_item = values[place], items[place]
                values[0], items[0] = last_value, last_item
                sift_down(values, items, place)
            keys[:] = -1
    return found, score, lexical, embedded
