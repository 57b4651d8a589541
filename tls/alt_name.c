/* Walks DER just as far as the names lie; what is malformed ends the walk. */
#include "tls/alt_name.h"

enum { TAG_OCTETS = 0x04, TAG_SEQUENCE = 0x30, TAG_EXTENSIONS = 0xa3, TAG_ADDRESS = 0x87 /* [7] of GeneralName */ };

struct element {
	unsigned tag;
	struct slice content;
};

/* Takes the next element off `der`; false at the end, or when what is there is none. */
static bool take(struct slice *der, struct element *element)
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
	*element = (struct element){bytes[0], slice_of(der->data + head, size)};
	*der = slice_after(*der, head + size);
	return true;
}

static bool enter(struct slice *der, unsigned tag)
{
	struct element element;

	if (!take(der, &element) || element.tag != tag)
		return false;
	*der = element.content;
	return true;
}

static bool names_address(struct slice names, struct slice address)
{
	struct element name;

	if (!enter(&names, TAG_SEQUENCE))
		return false;
	while (take(&names, &name))
		if (name.tag == TAG_ADDRESS && slice_equal(name.content, address))
			return true;
	return false;
}

bool tls_alt_name_has_address(struct slice extensions, struct slice address)
{
	struct element extension, part;

	if (extensions.size && (unsigned char)extensions.data[0] == TAG_EXTENSIONS &&
		!enter(&extensions, TAG_EXTENSIONS))
		return false;
	if (!enter(&extensions, TAG_SEQUENCE))
		return false;
	while (take(&extensions, &extension)) {
		if (!take(&extension.content, &part) ||
			!slice_equal(part.content, SLICE("\x55\x1d\x11"))) /* 2.5.29.17 */
			continue;
		while (take(&extension.content, &part)) /* "critical" may stand between */
			if (part.tag == TAG_OCTETS)
				return names_address(part.content, address);
	}
	return false;
}
