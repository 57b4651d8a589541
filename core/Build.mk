obj-y += ring_features.o ring_uring.o shard.o
obj-y += timer.o clock.o rand.o arena.o mailbox.o text.o ulid.o
test-y += timer_test rand_test arena_test mailbox_test text_test ulid_test
obj-y += config_memory.o config_report.o config_expand.o config_tree.o nearest.o schema.o schema_value.o
obj-y += metrics.o log.o log_format.o resolve.o
test-y += metrics_test log_test resolve_test
obj-y += ring_peer.o
test-y += nearest_test
