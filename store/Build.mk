obj-y += kv_log.o receipt.o receipt_print.o kv_rocksdb.o journal.o receipt_block.o receipt_index.o recent.o counters.o migrate.o commit.o
obj-y += writer.o reader.o spend.o ledger.o ledger_read.o ledger_check.o retention.o retention_letters.o recovery.o disk_posix.o store.o records.o sealed.o sealed_letters.o
obj-y += check.o reservations.o
test-y += store_test records_test
test-y += receipt_test journal_test
test-y += retention_test check_test commit_test recent_test reservations_test
# The simulation's disk: linked before the library, so that disk_posix.o and kv_rocksdb.o are never pulled from it.
sim_store := disk_sim.o sim_names.o sim_rows.o kv_sim.o
sim-y += $(sim_store)
test-y += disk_posix_test kv_rocksdb_test disk_sim_test kv_sim_test recovery_sim_test sealed_test
disk_sim_test-y += $(sim_store)
kv_sim_test-y += $(sim_store)
sealed_test-y += $(sim_store)
retention_test-y += $(sim_store)
recovery_sim_test-y += $(sim_store)
