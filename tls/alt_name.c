/* Walks DER just as far as the names lie; what is malformed ends the walk. */
#include "tls/alt_name.h"

#include "tls/der.h"

enum { TAG_EXTENSIONS = 0xa3 };

/* Of one extension, behind its object identifier. */
static struct slice names_of(struct slice extension)
{
	struct der_element part;

	while (der_take(&extension, &part)) /* "critical" may stand before them */
		if (part.tag == DER_OCTETS)
			return der_enter(&part.content, DER_SEQUENCE) ? part.content : slice_of(NULL, 0);
	return slice_of(NULL, 0);
}

struct slice tls_alt_names(struct slice extensions)
{
	struct der_element extension, part;

	if (extensions.size && (unsigned char)extensions.data[0] == TAG_EXTENSIONS &&
		!der_enter(&extensions, TAG_EXTENSIONS))
		return slice_of(NULL, 0);
	if (!der_enter(&extensions, DER_SEQUENCE))
		return slice_of(NULL, 0);
	while (der_take(&extensions, &extension))
		if (der_take(&extension.content, &part) &&
			slice_equal(part.content, SLICE("\x55\x1d\x11"))) /* 2.5.29.17 */
			return names_of(extension.content);
	return slice_of(NULL, 0);
}

bool tls_alt_name_next(struct slice *names, unsigned *kind, struct slice *name)
{
	struct der_element element;

	if (!der_take(names, &element))
		return false;
	*kind = element.tag;
	*name = element.content;
	return true;
}

bool tls_alt_name_has_address(struct slice extensions, struct slice address)
{
	struct slice names = tls_alt_names(extensions), name;
	unsigned kind;

	while (tls_alt_name_next(&names, &kind, &name))
		if (kind == TLS_ALT_NAME_ADDRESS && slice_equal(name, address))
			return true;
	return false;
}
