/* Versions of the libraries whose headers speak C++ alone. */
#include "tools/library_versions.h"

#include <rocksdb/version.h>
#include <simdjson.h>

#define SPELL(x) #x
#define SPELL_VALUE(x) SPELL(x)

const char *library_version_rocksdb(void)
{
	return SPELL_VALUE(ROCKSDB_MAJOR) "." SPELL_VALUE(ROCKSDB_MINOR) "." SPELL_VALUE(ROCKSDB_PATCH);
}

const char *library_version_simdjson(void)
{
	return SPELL_VALUE(SIMDJSON_VERSION);
}
