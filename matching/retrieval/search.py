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
CLASSES = 1 << 10  # of values, to find the best of many
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
def place_of(key: int, keys: Any) -> Any:
    """Where a key stands in an open-addressed table of 2^n places (-1: free), or the free place where it would."""
    mask = np.uint32(len(keys) - 1)
    mixed = np.uint32(np.uint32(key) * np.uint32(2654435769))
    place = np.uint32(mixed ^ (mixed >> np.uint32(15))) & mask
    while keys[place] != key and keys[place] != -1:
        place = np.uint32(place + np.uint32(1)) & mask
    return place


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
def add_up(
    order: Any, budget: int, weight: Any, posting_starts: Any, postings: Any, variant_norm: Any,
    at: Any, end: Any, worth: Any, sums: Any, touched: Any, reached: Any, values: Any,
) -> int:  # fmt: skip
    """What `budget` postings say of a query: the variants `reached` and their `values`; returns their number.

    Variants are gone through in blocks whose sums stay in the processor's cache. No step waits for another's outcome.
    """
    count, left = 0, budget
    for term in order:
        if term < len(weight) and left > 0:
            at[count], worth[count] = posting_starts[term], weight[term] * weight[term]
            end[count] = min(posting_starts[term + 1], at[count] + left)
            left -= end[count] - at[count]
            count += 1
    found = 0
    for block in range(0, len(variant_norm), BLOCK):
        fresh = 0
        for t in range(count):
            place, last, share = at[t], end[t], worth[t]
            while place < last and postings[place] < block + BLOCK:
                i = np.uint32(postings[place] - block)
                touched[fresh] = i
                fresh += sums[i] == 0.0
                sums[i] += share
                place += 1
            at[t] = place
        for t in range(fresh):
            i = touched[t]
            reached[found + t] = block + i
            values[found + t] = sums[i] / variant_norm[block + i]
            sums[i] = 0.0
        found += fresh
    return found


@nb.njit(cache=True)
def best_of(values: Any, variants: Any, pool: int, counts: Any, heap: Any, items: Any, out: Any) -> int:
    """Write the `pool` variants of the highest values to `out`, of equal ones the lower; returns their number.

    Values are counted in classes. Whole classes are taken from the highest down, and of the last one its best.
    """
    if len(values) <= pool:
        out[: len(values)] = variants
        return len(values)
    highest = np.float32(0.0)
    for value in values:
        highest = max(highest, value)
    step = np.float32(len(counts) - 1) / highest
    counts[:] = 0
    for value in values:
        counts[np.uint32(value * step)] += 1
    edge, above = len(counts) - 1, 0
    while above + counts[edge] < pool:
        above += counts[edge]
        edge -= 1
    size, rest = 0, 0
    for i in range(len(values)):
        level = np.uint32(values[i] * step)
        if level > edge:
            out[size] = variants[i]
            size += 1
        elif level == edge:
            rest = keep_best(values[i], variants[i], heap, items, rest, pool - above)
    out[size : size + rest] = items[:rest]
    return size + rest


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
    variant_norm: Any, codes: Any, scale: Any, asked: Any, asked_at: Any, worth: Any, first: Any, last: Any,
    fetched: Any, lexical: Any, near: Any, score: Any,
) -> None:  # fmt: skip
    """Lexical cosine, similarity of vectors, and the score of a query (terms `own`) with each of the variants `looked`.

    What is far apart in memory is fetched for all variants in loops of few steps, so that their waiting overlaps.
    """
    square, count = np.float32(0.0), 0
    for term in own:
        if term < len(weight):
            place = place_of(term, asked)
            asked[place], worth[place], asked_at[count] = term, weight[term] * weight[term], place
            square += worth[place]
            count += 1
    norm = np.sqrt(square) if square > 0 else np.float32(1.0)
    for j in range(len(looked)):
        first[j], last[j] = variant_term_starts[looked[j]], variant_term_starts[looked[j] + 1]
        lexical[j] = variant_norm[looked[j]]
        near[j] = 0.0
    for j in range(len(looked) if len(query) > 0 else 0):
        near[j] = np.float32(int8_dot(query, codes[looked[j]])) * scale[looked[j]] * query_scale
    for j in range(len(looked)):
        if last[j] > first[j]:
            fetched[j] = variant_terms[first[j]]
    mask = np.uint32(len(asked) - 1)
    for j in range(len(looked)):
        total = np.float32(0.0)
        for at in range(first[j], last[j]):
            term = variant_terms[at]
            mixed = np.uint32(np.uint32(term) * np.uint32(2654435769))
            place = np.uint32(mixed ^ (mixed >> np.uint32(15))) & mask
            if (asked[place] != term) & (asked[place] != -1):  # rare, and so foreseen by the processor
                place = place_of(term, asked)
            total += worth[place]
        lexical[j] = total / (norm * lexical[j])
        score[j] = lexical[j] + np.float32(NEAR) * near[j]
    for i in range(count):
        asked[asked_at[i]], worth[asked_at[i]] = -1, 0.0


@nb.njit(cache=True)
def best_variants(
    looked: Any, direct: int, variant_reference: Any, score: Any, owners: Any, owner_at: Any, best: Any
) -> tuple[int, int]:
    """Enter the references of the variants `looked` in the table `owners`, each with the place of its best variant.

    Returns how many of them come from the first `direct`, and how many there are; `owner_at` tells where they stand.
    """
    straight, distinct = 0, 0
    for j in range(len(looked)):
        reference = variant_reference[looked[j]]
        place = place_of(reference, owners)
        if owners[place] == -1:
            owners[place], best[place], owner_at[distinct] = reference, j, place
            distinct += 1
            straight = distinct if j < direct else straight
        else:
            i = best[place]
            if score[j] > score[i] or (score[j] == score[i] and looked[j] < looked[i]):
                best[place] = j
    return straight, distinct


@nb.njit(cache=True)
def cut(chosen: Any, direct: int, looked: Any, score: Any, top_k: int, kept: Any, values: Any, items: Any) -> int:
    """The best top_k of the places `chosen` of `looked` in a heap, some of them reserved for the first `direct`.

    Returns its size.
    """
    reserved, most = 0, (top_k + RESERVED - 1) // RESERVED
    for j in chosen[:direct]:
        reserved = keep_best(score[j], looked[j], values, items, reserved, most)
    kept[:reserved] = items[:reserved]
    size = 0
    for j in chosen:
        fresh = True
        for i in range(reserved):
            fresh = fresh and kept[i] != looked[j]
        if fresh:
            size = keep_best(score[j], looked[j], values, items, size, top_k - reserved)
    for j in chosen[:direct]:
        for i in range(reserved):
            if kept[i] == looked[j]:
                size = keep_best(score[j], looked[j], values, items, size, top_k)
    return size


@nb.njit(cache=True, nogil=True)
def search(
    terms: Any, term_starts: Any, query_codes: Any, query_scale: Any, weight: Any, posting_starts: Any, postings: Any,
    variant_terms: Any, variant_term_starts: Any, variant_norm: Any, variant_reference: Any, codes: Any, scale: Any,
    budget: int, top_k: int,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """The top_k references of each query, best first, each by its best variant.

    terms: int32, of all queries, direct ones too; term_starts: int64 [queries + 1]. query_codes: int8 [queries, LANES],
    or [queries, 0] to search without vectors; query_scale: float32 [queries]. weight: float32 [scored terms], idf; the
    terms after them are direct ones. posting_starts: int64 [terms + 1]; postings: int32. Of the variants: their terms
    as of the queries, norm and scale (float32), reference (int32), codes. budget: postings that are read for a query.

    Returns variant numbers (int32, -1: none), score, lexical and embedding similarity (float32).
    Each [queries, top_k].
    """
    queries, places = len(term_starts) - 1, 256
    found = np.full((queries, top_k), -1, np.int32)
    score, lexical = np.zeros((queries, top_k), np.float32), np.zeros((queries, top_k), np.float32)
    embedded = np.zeros((queries, top_k), np.float32)
    pool = POOL * top_k
    room = 3 * DIRECT + pool + top_k  # variants that are compared in full
    while places < 8 * room:
        places *= 2
    sums, touched = np.zeros(BLOCK, np.float32), np.empty(BLOCK + 1, np.uint32)
    reached, sum_of = np.empty(budget, np.int32), np.empty(budget, np.float32)
    looked, fetched, counts = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(CLASSES, np.int32)
    first, last = np.empty(room, np.int64), np.empty(room, np.int64)
    cosine, near, both = np.empty(room, np.float32), np.empty(room, np.float32), np.empty(room, np.float32)
    order, asked_at = np.empty(512, np.int32), np.empty(512, np.int64)
    asked, worth = np.full(2048, -1, np.int32), np.zeros(2048, np.float32)
    at, end, share = np.empty(512, np.int64), np.empty(512, np.int64), np.empty(512, np.float32)
    owners, owner_at = np.full(places, -1, np.int32), np.empty(room, np.int64)
    best, kept = np.empty(len(owners), np.int32), np.empty(top_k, np.int32)
    values, items = np.empty(pool + top_k, np.float32), np.empty(pool + top_k, np.int32)
    for q in range(queries):
        own = terms[term_starts[q] : term_starts[q + 1]]
        wanted = order[: rare_first(own, posting_starts, order)]
        direct = look_direct(wanted, len(weight), posting_starts, postings, looked)
        size = add_up(
            wanted, budget, weight, posting_starts, postings, variant_norm,
            at, end, share, sums, touched, reached, sum_of,
        )  # fmt: skip
        there = direct + best_of(sum_of[:size], reached[:size], pool, counts, values, items, looked[direct:])
        if there < top_k and query_codes.shape[1] > 0 and query_scale[q] > 0:
            there += nearest(query_codes[q], codes, scale, (top_k + 1) // 2, values, looked[there:])
        compare(
            own, query_codes[q], query_scale[q], looked[:there], weight, variant_terms, variant_term_starts,
            variant_norm, codes, scale, asked, asked_at, worth, first, last, fetched, cosine, near, both,
        )  # fmt: skip
        straight, distinct = best_variants(looked[:there], direct, variant_reference, both, owners, owner_at, best)
        chosen = best[owner_at[:distinct]]
        size = cut(chosen, straight, looked, both, top_k, kept, values, items)
        for place in range(size - 1, -1, -1):  # empty the heap from the worst upwards
            j = best[place_of(variant_reference[items[0]], owners)]
            found[q, place], score[q, place] = items[0], values[0]
            lexical[q, place], embedded[q, place] = cosine[j], near[j]
            values[0], items[0] = values[place], items[place]
            sift_down(values, items, place)
        owners[owner_at[:distinct]] = -1
    return found, score, lexical, embedded
