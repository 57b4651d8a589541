#include <simdjson.h>

#include <cassert>

extern "C" {
#include "fuzz/json_reference.h"
}

using namespace simdjson;

static slice slice_of_view(std::string_view view)
{
	return slice_of(view.data(), view.size());
}

static void check(const json_parser *p, json_ref value, dom::element element);

static void check_array(const json_parser *p, json_ref value, dom::array array)
{
	json_ref v = json_first(p, value);

	assert(json_type(p, value) == JSON_ARRAY && json_count(p, value) == array.size());
	for (dom::element element : array) {
		assert(v != JSON_NONE);
		check(p, v, element);
		v = json_next(p, v);
	}
	assert(v == JSON_NONE);
}

static void check_object(const json_parser *p, json_ref value, dom::object object)
{
	json_ref v = json_first(p, value);

	assert(json_type(p, value) == JSON_OBJECT && json_count(p, value) == object.size());
	for (dom::key_value_pair member : object) {
		assert(v != JSON_NONE && slice_equal(json_key(p, v), slice_of_view(member.key)));
		check(p, v, member.value);
		v = json_next(p, v);
	}
	assert(v == JSON_NONE);
}

static void check_number(const json_parser *p, json_ref value, double expected)
{
	double number;

	assert(json_number(p, value, &number) && number == expected);
}

static void check(const json_parser *p, json_ref value, dom::element element)
{
	switch (element.type()) {
	case dom::element_type::ARRAY:
		check_array(p, value, element);
		break;
	case dom::element_type::OBJECT:
		check_object(p, value, element);
		break;
	case dom::element_type::STRING:
		assert(json_type(p, value) == JSON_STRING);
		assert(slice_equal(json_string(p, value), slice_of_view(element)));
		break;
	case dom::element_type::INT64:
		assert(json_type(p, value) == JSON_INTEGER);
		check_number(p, value, (double)int64_t(element));
		break;
	case dom::element_type::UINT64:
		assert(json_type(p, value) == JSON_INTEGER);
		check_number(p, value, (double)uint64_t(element));
		break;
	case dom::element_type::DOUBLE:
		assert(json_type(p, value) == JSON_NUMBER);
		check_number(p, value, element);
		break;
	case dom::element_type::BOOL:
		assert(json_type(p, value) == (bool(element) ? JSON_TRUE : JSON_FALSE));
		break;
	case dom::element_type::NULL_VALUE:
		assert(json_type(p, value) == JSON_NULL);
		break;
	}
}

extern "C" void json_reference_check(const json_parser *p, slice document, bool good)
{
	dom::parser parser;
	error_code error = parser.allocate(document.size + 1, JSON_DEPTH_MAX);
	dom::element root;

	assert(!error);
	error = parser.parse(document.data, document.size, false).get(root);
	if (error == NUMBER_ERROR || error == DEPTH_ERROR)
		return;
	assert(good == !error);
	if (good)
		check(p, 0, root);
}
