/* Forms in parts: what is read and refused, and that what is written is read as the same. */
#include "proto/http/multipart.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEAD "Content-Disposition: form-data; name="

static void test_boundaries(void **state)
{
	static const struct {
		const char *type, *boundary; /* NULL: refused */
	} rows[] = {
		{"multipart/form-data; boundary=abc", "abc"},
		{"Multipart/Form-Data;boundary=\"a b\"", "a b"},
		{"multipart/form-data; charset=utf-8; boundary=----WebKit7MA4YWxk", "----WebKit7MA4YWxk"},
		{"multipart/form-data", NULL},
		{"multipart/form-data; boundary=", NULL},
		{"multipart/form-data; boundary=\"\"", NULL},
		{"multipart/form-data; boundary=\"a", NULL},
		{"multipart/form-data; boundary=\"a \"", NULL},
		{"multipart/form-data; boundary=\"a\\\"b\"", NULL},
		{"multipart/form-data; boundary=a; boundary=b", NULL},
		{"multipart/form-data; boundary=a b", NULL},
		{"multipart/form-datax; boundary=a", NULL},
		{"multipart/mixed; boundary=a", NULL},
		{"application/json", NULL},
		{"multipart/form-data; boundary="
		 "0123456789012345678901234567890123456789012345678901234567890123456789",
			"0123456789012345678901234567890123456789012345678901234567890123456789"},
		{"multipart/form-data; boundary="
		 "01234567890123456789012345678901234567890123456789012345678901234567890",
			NULL},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct slice boundary;
		bool good = multipart_boundary(slice_of_string(rows[i].type), &boundary);

		if (good != (rows[i].boundary != NULL) ||
			(good && !slice_equal(boundary, slice_of_string(rows[i].boundary))))
			fail_msg("%s", rows[i].type);
	}
}

/* One line of what was read: name, filename, type and content of each part. */
static int describe(const char *body, struct text *out)
{
	struct multipart_part part;
	struct multipart m;
	int more;

	multipart_init(&m, SLICE("b"), slice_of_string(body));
	while ((more = multipart_next(&m, &part)) == 1) {
		text_add(out, part.name);
		text_literal(out, "|");
		text_add(out, part.filename.data ? part.filename : SLICE("-"));
		text_literal(out, "|");
		text_add(out, part.type.data ? part.type : SLICE("-"));
		text_literal(out, "|");
		text_add(out, part.content);
		text_literal(out, ";");
	}
	assert_true(more == 0 || (more == -EINVAL && m.problem && m.at <= m.body.size));
	return more;
}

static void test_parts(void **state)
{
	static const struct {
		const char *body, *parts; /* NULL: refused */
	} rows[] = {
		{"--b--", ""},
		{"--b--\r\n", ""},
		{"--b\r\n" HEAD "\"model\"\r\n\r\nwhisper\r\n--b--\r\n", "model|-|-|whisper;"},
		{"--b\r\n" HEAD "model\r\n\r\n\r\n--b--", "model|-|-|;"},
		{"--b\r\n" HEAD
		 "\"f\"; filename=\"a \\\"b\\\".wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--x\r\n--b--",
			"f|a \\\"b\\\".wav|audio/wav|RIFF\r\n--x;"},
		{"--b\r\ncontent-disposition:form-data ; name=a;filename=\"\"\r\nX-Other: 1\r\n\r\n1\r\n--b\r\n" HEAD
		 "\"c[]\"\r\n\r\n2\r\n--b--",
			"a||-|1;c[]|-|-|2;"},
		{"", NULL},
		{"preamble\r\n--b--", NULL},
		{"--c--", NULL},
		{"--b--\r\nepilogue", NULL},
		{"--b\n" HEAD "\"a\"\n\n1\n--b--", NULL},
		{"--b \r\n" HEAD "\"a\"\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"a\"\r\n\r\n1", NULL},
		{"--b\r\n" HEAD "\"a\"\r\n\r\n1\r\n--b", NULL},
		{"--b\r\n" HEAD "\"a\"\r\n\r\n--b\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"a\"\r\n--b: 1\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"a\"\r\n\r\n1\r\n--bc\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"a\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"a\nb\"\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"\"\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"a\"; name=\"model\"\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"a\"\r\n" HEAD "\"model\"\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\nContent-Type: text/plain\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"a\"\r\nno header\r\n\r\n1\r\n--b--", NULL},
		{"--b\r\n" HEAD "\"a\"\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--b--", NULL},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		char memory[512];
		struct text out = text_over(memory, sizeof(memory));
		int result = describe(rows[i].body, &out);

		if (result != (rows[i].parts ? 0 : -EINVAL) ||
			(rows[i].parts && !slice_equal(text_slice(&out), slice_of_string(rows[i].parts))))
			fail_msg("%s: %.*s", rows[i].body, (int)out.size, out.data);
	}
}

/* No beginning of a form is a form. */
static void test_cut(void **state)
{
	static const char body[] = "--b\r\n" HEAD "\"model\"\r\n\r\nwhisper\r\n--b--";

	(void)state;
	for (size_t size = 0; size < sizeof(body) - 1; size++) {
		struct multipart_part part;
		struct multipart m;
		int more;

		multipart_init(&m, SLICE("b"), slice_of(body, size));
		while ((more = multipart_next(&m, &part)) == 1)
			;
		if (more != -EINVAL)
			fail_msg("%zu bytes", size);
	}
}

static void test_too_many(void **state)
{
	static const char part_text[] = "--b\r\n" HEAD "a\r\n\r\n1\r\n";
	char memory[(MULTIPART_PARTS_MAX + 1) * sizeof(part_text) + 8];

	(void)state;
	for (unsigned count = MULTIPART_PARTS_MAX; count <= MULTIPART_PARTS_MAX + 1; count++) {
		struct text body = text_over(memory, sizeof(memory));
		struct multipart_part part;
		struct multipart m;
		int more;

		for (unsigned i = 0; i < count; i++)
			text_string(&body, part_text);
		text_literal(&body, "--b--");
		multipart_init(&m, SLICE("b"), text_slice(&body));
		while ((more = multipart_next(&m, &part)) == 1)
			;
		assert_int_equal(more, count <= MULTIPART_PARTS_MAX ? 0 : -EINVAL);
	}
}

static void test_written(void **state)
{
	static const struct multipart_part parts[] = {
		{{"model", 5}, {NULL, 0}, {NULL, 0}, {"whisper-1", 9}},
		{SLICE("file"), SLICE("a \\\"b\\\".wav"), SLICE("audio/wav"), SLICE("\r\n--bb\r\n")},
		{SLICE("prompt"), {NULL, 0}, {NULL, 0}, SLICE("")},
	};
	char memory[1024], type_memory[64];
	struct text body = text_over(memory, sizeof(memory)), type = text_over(type_memory, sizeof(type_memory));
	struct slice boundary;
	struct multipart_part part;
	struct multipart m;

	(void)state;
	multipart_write_type(&type, SLICE("a b?"));
	assert_true(multipart_boundary(text_slice(&type), &boundary) && slice_equal(boundary, SLICE("a b?")));
	for (unsigned i = 0; i < COUNT(parts); i++) {
		multipart_write_head(&body, boundary, &parts[i], i == 0);
		text_add(&body, parts[i].content);
	}
	multipart_write_end(&body, boundary);
	assert_false(body.full);
	multipart_init(&m, boundary, text_slice(&body));
	for (unsigned i = 0; i < COUNT(parts); i++) {
		assert_int_equal(multipart_next(&m, &part), 1);
		assert_true(slice_equal(part.name, parts[i].name) && slice_equal(part.filename, parts[i].filename) &&
			    slice_equal(part.type, parts[i].type) && slice_equal(part.content, parts[i].content));
	}
	assert_int_equal(multipart_next(&m, &part), 0);
}

/* What comes before the boundary, and what behind it, however the bytes are cut. */
static void test_content_in_pieces(void **state)
{
	static const struct {
		const char *bytes, *content, *rest; /* NULL: there is no end */
	} rows[] = {
		{"sound\r\n--b--\r\n", "sound", "--\r\n"},
		{"\r\n--b\r\n", "", "\r\n"},
		{"a\r\n-b\r\n\r\n--\r\n--b", "a\r\n-b\r\n\r\n--", ""},
		{"\r\r\n--b", "\r", ""},
		{"\r\n--\r\n--b", "\r\n--", ""},
		{"a--b\n--b", "a--b\n--b", NULL},
		{"", "", NULL},
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(rows); i++)
		for (size_t cut = 1; cut < 8; cut++) {
			char memory[64];
			struct text content = text_over(memory, sizeof(memory));
			struct slice left = slice_of_string(rows[i].bytes), piece;
			enum multipart_content_result result = MULTIPART_CONTENT_MORE;
			struct multipart_content c;

			multipart_content_init(&c, SLICE("b"));
			while (left.size && result != MULTIPART_CONTENT_END) {
				size_t size = left.size < cut ? left.size : cut;
				struct slice data = slice_of(left.data, size);

				while ((result = multipart_content_next(&c, &data, &piece)) == MULTIPART_CONTENT_PIECE)
					text_add(&content, piece);
				left = slice_after(left, size - data.size);
			}
			assert_true(slice_equal(text_slice(&content), slice_of_string(rows[i].content)));
			assert_int_equal(result == MULTIPART_CONTENT_END, rows[i].rest != NULL);
			if (rows[i].rest)
				assert_true(slice_equal(left, slice_of_string(rows[i].rest)));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_content_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
