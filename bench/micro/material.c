/* What the steps are given: a conversation as clients send it, an event as providers do. */
#include "bench/micro/micro.h"

#include "core/buffer.h"
#include "core/text.h"

enum { MESSAGE_BYTES_MAX = 2000, FRAME_BYTES = 40 }; /* a message with and without its text */

#define OPENING                                                                                                        \
	"{\"model\":\"gpt-4o-mini\",\"temperature\":0.7,\"max_tokens\":4096,\"user\":\"bench\",\"messages\":["         \
	"{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"}"
#define MESSAGE_OPENING ",{\"role\":\"user\",\"content\":\""
#define MESSAGE_END "\"}"
#define CLOSING "]}"

struct slice micro_padded(const char *bytes, size_t size)
{
	char *copy = calloc(1, size + BUFFER_PADDING_BYTES);

	if (!copy)
		return slice_of(NULL, 0);
	memcpy(copy, bytes, size);
	return slice_of(copy, size);
}

/* Words and, now and then, what JSON escapes: `size` bytes of a string's inside. */
static void add_words(struct text *t, size_t size)
{
	static const char words[] =
		"The quick brown fox jumps over the lazy dog,\\n and the dog, being \\\"lazy\\\", lets it pass. ";
	size_t size_of_words = sizeof(words) - 1;

	for (; size > size_of_words; size -= size_of_words)
		text_add(t, slice_of(words, size_of_words));
	while (size--)
		text_char(t, 'x');
}

struct slice micro_request(size_t size)
{
	struct text t = text_over(calloc(1, size + BUFFER_PADDING_BYTES), size);
	size_t end = size - (sizeof(CLOSING) - 1);

	if (!t.data)
		return slice_of(NULL, 0);
	text_literal(&t, OPENING);
	while (t.size < end) {
		size_t left = end - t.size, whole = left <= MESSAGE_BYTES_MAX ? left : MESSAGE_BYTES_MAX;

		/* What would be left is too little for a message of its own. */
		if (left - whole < FRAME_BYTES)
			whole = left;
		text_literal(&t, MESSAGE_OPENING);
		add_words(&t, whole - (sizeof(MESSAGE_OPENING) - 1) - (sizeof(MESSAGE_END) - 1));
		text_literal(&t, MESSAGE_END);
	}
	text_literal(&t, CLOSING);
	micro_expect(!t.full && t.size == size, "making a request");
	return text_slice(&t);
}

struct slice micro_event(void)
{
	static const char event[] =
		"{\"id\":\"chatcmpl-327d6925a45e32e0\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,"
		"\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":"
		"0,"
		"\"delta\":{\"content\":\" event\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}";

	return micro_padded(event, sizeof(event) - 1);
}
