obj-y += kv_log.o receipt.o receipt_print.o kv_rocksdb.o journal.o receipt_block.o receipt_index.o counters.o commit.o
obj-y += writer.o reader.o recovery.o disk_posix.o store.o
obj-y += check.o
test-y += store_test
test-y += receipt_test journal_test
test-y += check_test
