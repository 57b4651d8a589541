/* A log for RocksDB that keeps nothing: the C API can set a logger, and has none to give. */
#ifndef STORE_KV_LOG_H
#define STORE_KV_LOG_H

#include <rocksdb/c.h>

#ifdef __cplusplus
extern "C" {
#endif

void kv_log_none(rocksdb_options_t *options);

#ifdef __cplusplus
}
#endif

#endif
