/* Names of the kernel features that can be masked, for the command line and the start-up report. */
#include "core/ring.h"

#include <errno.h>
#include <string.h>

#include "core/slice.h"

static const struct {
	uint32_t bit;
	const char *name;
} feature_names[] = {
	{RING_NO_SQARRAY, "no_sqarray"},
	{RING_SOCKET_OPTIONS, "socket_options"},
	{RING_RECEIVE_LIMIT, "receive_limit"},
};

enum { FEATURE_COUNT = sizeof(feature_names) / sizeof(feature_names[0]) };

static uint32_t feature_bit(struct slice name)
{
	if (slice_equal(name, SLICE("all")))
		return UINT32_MAX;
	for (unsigned i = 0; i < FEATURE_COUNT; i++)
		if (slice_equal(name, slice_of_string(feature_names[i].name)))
			return feature_names[i].bit;
	return 0;
}

int ring_features_parse(const char *list, uint32_t *mask)
{
	*mask = 0;
	while (*list) {
		size_t size = strcspn(list, ",");
		uint32_t bit = feature_bit(slice_of(list, size));

		if (!bit)
			return -EINVAL;
		*mask |= bit;
		list += size;
		list += *list == ',';
	}
	return 0;
}

void ring_features_name(uint32_t features, char *text, size_t text_bytes)
{
	size_t used = 0;

	assert(text_bytes > 0);
	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		size_t size = strlen(feature_names[i].name);

		if (!(features & feature_names[i].bit) || used + size + 2 > text_bytes)
			continue;
		if (used)
			text[used++] = ',';
		memcpy(text + used, feature_names[i].name, size);
		used += size;
	}
	text[used] = '\0';
}
