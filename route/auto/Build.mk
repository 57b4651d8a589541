# How hard a request is, for `auto`; the weights' header is tools/train's.
obj-y += analysis.o analysis_terms.o rank.o rules.o score.o
test-y += score_test rank_test rules_test
