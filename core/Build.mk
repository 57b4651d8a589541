obj-y += ring_features.o ring_uring.o shard.o
