# The simulated world. These are linked by name, before the library, whose twins of them are then not looked for.
sim-y += sim.o sim_process.o sim_trace.o sim_flow.o sim_connection.o sim_path.o sim_peer.o ring_sim.o ring_sim_open.o
sim-y += ring_sim_socket.o ring_sim_buffers.o shard_sim.o clock_sim.o rand_system_sim.o resolve_sim.o
test-y += sim_test sim_path_test sim_shard_test ring_sim_test ring_strict_test
sim_test-y := $(sim-y)
sim_path_test-y := $(sim-y)
sim_shard_test-y := $(sim-y)
ring_sim_test-y := $(sim-y)
ring_strict_test-y := $(sim-y)
