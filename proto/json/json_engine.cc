/* simdjson's first stage: see json_engine.h. Its second is not used: it writes out every string and reads every number.
 */
#include <simdjson.h>

#include <cerrno>
#include <charconv>
#include <new>

extern "C" {
#include "core/buffer.h"
#include "proto/json/json_engine.h"
#include "proto/json/json.h"
}

using namespace simdjson;

static_assert(SIMDJSON_PADDING <= BUFFER_PADDING_BYTES, "simdjson reads this far behind a document");

struct json_engine {
	std::unique_ptr<internal::dom_parser_implementation> parser;
};

extern "C" {

struct json_engine *json_engine_open(size_t capacity_bytes)
{
	struct json_engine *e = new (std::nothrow) json_engine();

	if (e && get_active_implementation()->create_dom_parser_implementation(
			 capacity_bytes, JSON_DEPTH_MAX, e->parser)) {
		delete e;
		return nullptr;
	}
	return e;
}

void json_engine_close(struct json_engine *e)
{
	delete e;
}

int json_engine_resize(struct json_engine *e, size_t capacity_bytes)
{
	return e->parser->allocate(capacity_bytes, JSON_DEPTH_MAX) ? -ENOMEM : 0;
}

int json_engine_index(struct json_engine *e, struct slice document, const uint32_t **tokens, uint32_t *count)
{
	if (e->parser->stage1(reinterpret_cast<const uint8_t *>(document.data), document.size, stage1_mode::regular))
		return -EINVAL;
	*tokens = e->parser->structural_indexes.get();
	*count = e->parser->n_structural_indexes;
	return 0;
}

double json_engine_double(struct slice number)
{
	double value = 0;
	std::from_chars_result read = std::from_chars(number.data, number.data + number.size, value);

	if (read.ec == std::errc::result_out_of_range)
		return number.data[0] == '-' ? -0.0 : 0.0;
	return value;
}
}
