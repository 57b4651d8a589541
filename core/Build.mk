obj-y += arena.o buffer.o clock.o config_expand.o config_json.o config_memory.o config_report.o config_tree.o heap.o large.o log.o
obj-y += log_format.o mailbox.o metrics.o nearest.o pool.o rand.o rand_system.o resolve.o resolve_known.o
obj-y += ring_accept.o ring_buffers.o ring_close.o ring_features.o ring_listen.o ring_open.o ring_uring.o schema.o
obj-y += schema_print.o schema_value.o shard.o shard_thread.o text.o timer.o ulid.o zone.o
test-y += ring_uring_test timer_test rand_test arena_test large_test pool_test mailbox_test text_test ulid_test
test-y += metrics_test log_test resolve_test nearest_test config_tree_test schema_test ring_accept_test
test-y += config_json_test ring_buffers_test ring_close_test zone_test
