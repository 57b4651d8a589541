/* The directory that holds all that is durable, and the lock that keeps a second process out of it. */
#ifndef STORE_DATA_DIR_H
#define STORE_DATA_DIR_H

#include <stddef.h>

/*
 * Takes the lock of `data_dir`; made when missing (one level, mode 0700) if `make`. Returns a descriptor that holds the lock
 * until it is closed, or -errno: -EBUSY: another process has it. `why` tells.
 */
int data_dir_lock(const char *data_dir, int make, char *why, size_t why_bytes);

#endif
