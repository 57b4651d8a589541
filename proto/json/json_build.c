/*
 * One walk over a document's tokens: checks the grammar (RFC 8259), numbers and words, and leaves a node for each
 * value. Strings without escapes need no look, since the engine has checked their bytes; those with escapes are found
 * by a search for the next backslash, which passes over the document once.
 */
#include "proto/json/json_view.h"

#include "proto/json/json_error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { TEXTS_FIRST = 64 };

/* Where the walk is goes by value: through memory it would be the slowest thing here. 0: nowhere, something is wrong.
 */
struct walk {
	struct json_parser *p;
	const char *document;
	const uint32_t *tokens;
	uint32_t token_count, depth;
	const char *escape; /* the first backslash from the last string looked at on; the document's end: none */
	struct {
		struct json_node *node;
		char closing;
	} open[JSON_DEPTH_MAX];
	bool memory_out;
};

/* The token's first byte; NUL behind the last. */
static inline char peek(const struct walk *w, uint32_t token)
{
	return token < w->token_count ? w->document[w->tokens[token]] : '\0';
}

uint32_t json_token_end(const struct json_parser *p, uint32_t token)
{
	uint32_t end = token + 1 < p->token_count ? p->tokens[token + 1] : (uint32_t)p->document.size;

	for (;; end--) {
		char c = p->document.data[end - 1];

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return end;
	}
}

static inline struct json_node *add_node(struct json_parser *p, uint32_t token)
{
	struct json_node *node = &p->nodes[p->node_count++];

	assert(p->node_count <= p->node_capacity);
	*node = (struct json_node){token, token, p->node_count, 0};
	return node;
}

/* ---- strings ---- */

static bool reserve_texts(struct json_parser *p)
{
	if (p->text_bytes_capacity < p->document.size) {
		free(p->text_bytes);
		p->text_bytes = malloc(p->document.size);
		p->text_bytes_capacity = p->text_bytes ? p->document.size : 0;
	}
	if (p->text_count == p->text_capacity) {
		size_t capacity = p->text_capacity ? 2 * p->text_capacity : TEXTS_FIRST;
		struct json_text *texts = realloc(p->texts, capacity * sizeof(*texts));

		if (!texts)
			return false;
		p->texts = texts;
		p->text_capacity = capacity;
	}
	return p->text_bytes != NULL;
}

/* A string that has escapes, or may have: the search for the next one has to go on. */
static bool read_escaped(struct walk *w, uint32_t token)
{
	struct json_parser *p = w->p;
	const char *begin = w->document + w->tokens[token], *end = w->document + p->document.size;
	const char *behind = token + 1 < w->token_count ? w->document + w->tokens[token + 1] : end;

	if (w->escape < begin)
		w->escape = json_find_escape(begin, end);
	if (w->escape >= behind)
		return true;
	w->memory_out = !reserve_texts(p);
	if (w->memory_out)
		return false;
	p->texts[p->text_count++] = (struct json_text){token, JSON_TEXT_UNWRITTEN};
	w->escape = json_check_escapes(w->escape, behind, end);
	return w->escape != NULL;
}

static inline bool read_string(struct walk *w, uint32_t token)
{
	if (token + 1 < w->token_count && w->escape >= w->document + w->tokens[token + 1])
		return true;
	return read_escaped(w, token);
}

/* ---- other scalars ---- */

static const char *skip_digits(const char *c, const char *end)
{
	while (c < end && *c >= '0' && *c <= '9')
		c++;
	return c;
}

/* The usual number: few digits, no exponent. What is neither clearly right nor wrong is left to who knows all the
 * bounds. */
static bool is_number(struct slice number)
{
	enum { DIGITS_SURE = 18 };
	const char *end = number.data + number.size, *begin = number.data, *c;

	if (*begin == '-')
		begin++;
	c = skip_digits(begin, end);
	if (c == begin || (*begin == '0' && c - begin > 1))
		return false;
	if (c - begin > DIGITS_SURE)
		return json_is_number(number);
	if (c < end && *c == '.') {
		const char *fraction = ++c;

		c = skip_digits(c, end);
		if (c == fraction)
			return false;
	}
	return c == end || json_is_number(number);
}

static bool is_scalar(const struct walk *w, uint32_t token)
{
	uint32_t begin = w->tokens[token];
	struct slice text = slice_of(w->document + begin, json_token_end(w->p, token) - begin);

	switch (text.data[0]) {
	case 't':
		return slice_equal(text, SLICE("true"));
	case 'f':
		return slice_equal(text, SLICE("false"));
	case 'n':
		return slice_equal(text, SLICE("null"));
	default:
		return is_number(text);
	}
}

/* ---- the grammar: each step begins at a token, and gives the one that follows ---- */

/* A key and its colon. */
static inline uint32_t read_key(struct walk *w, uint32_t token)
{
	bool right = peek(w, token) == '"' && read_string(w, token) && peek(w, token + 1) == ':';

	return right ? token + 2 : 0;
}

static inline uint32_t close_container(struct walk *w, uint32_t token)
{
	struct json_node *node = w->open[--w->depth].node;

	node->close = token;
	node->after = w->p->node_count;
	return token + 1;
}

/* Behind a value: closes what ends here. *more: another value is to follow. */
static inline uint32_t read_between(struct walk *w, uint32_t token, bool *more)
{
	while (w->depth > 0) {
		char c = peek(w, token), closing = w->open[w->depth - 1].closing;

		w->open[w->depth - 1].node->count++;
		if (c == ',')
			return closing == ']' ? token + 1 : read_key(w, token + 1);
		if (c != closing)
			return 0;
		token = close_container(w, token);
	}
	*more = false;
	return token;
}

/* A bracket, and the key behind it; an empty container is closed. *inside: its first value is to follow. */
static uint32_t open_container(struct walk *w, uint32_t token, char bracket, bool *inside)
{
	char closing = bracket == '{' ? '}' : ']';

	if (w->depth == JSON_DEPTH_MAX)
		return 0;
	w->open[w->depth].node = add_node(w->p, token);
	w->open[w->depth++].closing = closing;
	*inside = peek(w, token + 1) != closing;
	if (!*inside)
		return close_container(w, token + 1);
	return bracket == '[' ? token + 1 : read_key(w, token + 1);
}

static inline uint32_t read_value(struct walk *w, uint32_t token, bool *inside)
{
	char c = peek(w, token);

	*inside = false;
	if (c == '{' || c == '[')
		return open_container(w, token, c, inside);
	if (c == '\0')
		return 0;
	add_node(w->p, token);
	return (c == '"' ? read_string(w, token) : is_scalar(w, token)) ? token + 1 : 0;
}

/* A valid document has a comma between any two values and two brackets around any container; one that is not, may lack
 * these. */
static int reserve_nodes(struct json_parser *p)
{
	size_t needed = p->token_count / 2 + 1 + JSON_DEPTH_MAX, capacity = 1024;

	if (needed <= p->node_capacity)
		return 0;
	while (capacity < needed)
		capacity *= 2;
	free(p->nodes);
	p->nodes = malloc(capacity * sizeof(*p->nodes));
	p->node_capacity = p->nodes ? capacity : 0;
	return p->nodes ? 0 : -ENOMEM;
}

static int walk(struct walk *w)
{
	enum {
		AHEAD = 32
	}; /* a long document lies in no near cache: asking early saves a twentieth of a request of 200 kB */
	bool more = true, inside;
	uint32_t token = 0;

	while (more) {
		if (token + AHEAD < w->token_count)
			__builtin_prefetch(w->document + w->tokens[token + AHEAD]);
		token = read_value(w, token, &inside);
		if (token && !inside)
			token = read_between(w, token, &more);
		if (!token)
			return w->memory_out ? -ENOMEM : -EINVAL;
	}
	return token == w->token_count ? 0 : -EINVAL;
}

int json_build(struct json_parser *p)
{
	struct walk w; /* `open` is as long as it is deep: clearing it would take longer than a short document */
	int rc = reserve_nodes(p);

	if (rc < 0)
		return rc;
	p->text_count = 0;
	w.p = p;
	w.document = p->document.data;
	w.tokens = p->tokens;
	w.token_count = p->token_count;
	w.depth = 0;
	w.escape = json_find_escape(w.document, w.document + p->document.size);
	w.memory_out = false;
	return walk(&w);
}
