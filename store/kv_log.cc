/* A log that keeps nothing: see kv_log.h. */
#include "store/kv_log.h"

#include <cstdarg>
#include <memory>
#include <rocksdb/env.h>

/* As RocksDB's own c.cc has it. */
struct rocksdb_logger_t {
	std::shared_ptr<rocksdb::Logger> rep;
};

namespace
{

class no_log : public rocksdb::Logger
{
      public:
	using rocksdb::Logger::Logv;
	void Logv(const char *, va_list) override
	{
	}
};

} /* namespace */

void kv_log_none(rocksdb_options_t *options)
{
	rocksdb_logger_t log{std::make_shared<no_log>()};

	rocksdb_options_set_info_log(options, &log); /* takes a reference of its own */
}
