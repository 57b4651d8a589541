/* Fuzzes the parser of HTTP requests: see http_messages.h. */
#include "fuzz/http_messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_http(HTTP_PARSE_REQUESTS, data, size);
	return 0;
}
