/* Versions of the libraries whose headers speak C++ alone. */
#ifndef TOOLS_LIBRARY_VERSIONS_H
#define TOOLS_LIBRARY_VERSIONS_H

#ifdef __cplusplus
extern "C" {
#endif

const char *library_version_rocksdb(void);
const char *library_version_simdjson(void);

#ifdef __cplusplus
}
#endif

#endif
