# The tollgate program: its objects beside main. The library of the floors below is linked to it.
tollgate-y += main.o cli_check.o cli_explain.o cli_receipts.o cli_keys.o cli_spend.o cli_status.o cli_features.o library_versions.o
tollgate-y += client.o http_get.o http_answer.o outline.o receipt_row.o
tollgate-$(CONFIG_TLS) += http_tls.o
loadgen-$(CONFIG_TLS) += http_tls.o
tollgate-y += run.o run_addresses.o
test-y += http_answer_test
http_answer_test-y := http_answer.o
