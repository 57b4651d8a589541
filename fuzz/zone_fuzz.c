/* Fuzzes the reader of time zone files: what it takes is ahead of UTC by less than 26 hours, whenever it is asked. */
#include "core/zone.h"
#include "fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t moments[] = {0, 1, 951782400, 1767225600, 1774746000, 4102444799, 253402300799};
	char *file = copy_of(slice_of((const char *)data, size));
	struct zone zone;

	if (zone_read(slice_of(file, size), &zone) == 0)
		for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
			int32_t ahead_s = zone_ahead_s(&zone, moments[i]);

			assert(ahead_s > -26 * 3600 - 3600 && ahead_s < 26 * 3600 + 3600);
		}
	free(file);
	return 0;
}
