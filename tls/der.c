/* See der.h. */
#include "tls/der.h"

bool der_take(struct slice *der, struct der_element *element)
{
	const unsigned char *bytes = (const unsigned char *)der->data;
	size_t head = 2, size;

	if (der->size < head)
		return false;
	size = bytes[1];
	if (size & 0x80) {
		size_t count = size & 0x7f;

		if (count == 0 || count > 3 || der->size < head + count)
			return false;
		for (size = 0; count; count--)
			size = size << 8 | bytes[head++];
	}
	if (der->size - head < size)
		return false;
	*element = (struct der_element){bytes[0], slice_of(der->data + head, size)};
	*der = slice_after(*der, head + size);
	return true;
}

bool der_enter(struct slice *der, unsigned tag)
{
	struct der_element element;

	if (!der_take(der, &element) || element.tag != tag)
		return false;
	*der = element.content;
	return true;
}
