obj-y += ring_features.o ring_uring.o shard.o
obj-y += timer.o clock.o rand.o arena.o mailbox.o text.o ulid.o
