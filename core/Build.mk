# The simulated world. These are linked by name, before the library, whose twins of them are then not looked for.
sim-y += sim.o sim_process.o sim_trace.o sim_flow.o sim_connection.o sim_path.o sim_peer.o
sim-y += ring_sim.o ring_sim_open.o ring_sim_socket.o ring_sim_buffers.o shard_sim.o clock_sim.o rand_system_sim.o resolve_sim.o
test-y += sim_test sim_path_test sim_shard_test ring_sim_test ring_uring_test ring_strict_test
sim_test-y := $(sim-y)
sim_path_test-y := $(sim-y)
sim_shard_test-y := $(sim-y)
ring_sim_test-y := $(sim-y)
ring_strict_test-y := $(sim-y)

obj-y += ring_features.o ring_uring.o ring_open.o ring_buffers.o ring_accept.o ring_close.o ring_listen.o buffer.o shard.o shard_thread.o
obj-y += timer.o clock.o rand.o rand_system.o arena.o large.o pool.o heap.o mailbox.o text.o ulid.o
test-y += timer_test rand_test arena_test large_test pool_test mailbox_test text_test ulid_test
obj-y += config_memory.o config_report.o config_expand.o config_tree.o nearest.o schema.o schema_value.o schema_print.o
obj-y += metrics.o log.o log_format.o resolve.o resolve_known.o
test-y += metrics_test log_test resolve_test
test-y += nearest_test
test-y += config_tree_test schema_test
test-y += ring_accept_test ring_buffers_test ring_close_test
