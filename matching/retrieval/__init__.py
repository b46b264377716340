"""Candidate retrieval: a lexical index of trigrams and words and a contrastive encoder, fused into one top-k."""
