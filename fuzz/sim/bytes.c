/* See bytes.h. */
#include "fuzz/sim/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *sim_grown(void *memory, size_t size)
{
	void *grown = realloc(memory, size);

	if (!grown) {
		fputs("sim: out of memory\n", stderr);
		abort();
	}
	return grown;
}

static void reserve(struct bytes *bytes, size_t more)
{
	size_t capacity = bytes->capacity ? bytes->capacity : 256;

	if (bytes->size + more <= bytes->capacity)
		return;
	while (capacity < bytes->size + more)
		capacity *= 2;
	bytes->data = sim_grown(bytes->data, capacity);
	bytes->capacity = capacity;
}

void bytes_add(struct bytes *bytes, struct slice more)
{
	if (more.size == 0)
		return;
	reserve(bytes, more.size);
	memcpy(bytes->data + bytes->size, more.data, more.size);
	bytes->size += more.size;
}

void bytes_print(struct bytes *bytes, const char *format, ...)
{
	va_list arguments, again;
	int size;

	va_start(arguments, format);
	va_copy(again, arguments);
	size = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	reserve(bytes, (size_t)size + 1);
	vsnprintf(bytes->data + bytes->size, (size_t)size + 1, format, again);
	va_end(again);
	bytes->size += (size_t)size;
}

void bytes_drop(struct bytes *bytes, size_t count)
{
	bytes->size -= count;
	if (bytes->size)
		memmove(bytes->data, bytes->data + count, bytes->size);
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}
