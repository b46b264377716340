"""Candidate retrieval: a lexical index of character trigrams and words, a contrastive encoder, and their fusion into one top-k."""
