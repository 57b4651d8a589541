# How hard a request is, for `auto`; the weights' header is tools/train's.
obj-y += agreement.o analysis.o analysis_terms.o decision.o decision_print.o rank.o rules.o score.o
test-y += agreement_test decision_test score_test rank_test rules_test
