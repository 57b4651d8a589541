/* Reading a request's fields, as all formats do it; what is refused, and how, is each one's own. */
#include "tools/mockllm/mock.h"

struct slice mock_string(const struct json_parser *p, json_ref object, const char *name)
{
	json_ref value = json_member(p, object, slice_of_string(name));

	return value == JSON_NONE || json_type(p, value) != JSON_STRING ? slice_of(NULL, 0) : json_string(p, value);
}

json_ref mock_first(const struct json_parser *p, json_ref container)
{
	return container == JSON_NONE ? JSON_NONE : json_first(p, container);
}

bool mock_one_of(struct slice word, const char *const *words)
{
	for (; *words; words++)
		if (slice_equal(word, slice_of_string(*words)))
			return true;
	return false;
}
