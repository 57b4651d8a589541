/* Walking DER (X.690): one element after the other, never past what is there. Pure. */
#ifndef TLS_DER_H
#define TLS_DER_H

#include "core/slice.h"

enum { DER_OBJECT = 0x06, DER_OCTETS = 0x04, DER_SEQUENCE = 0x30, DER_SET = 0x31 };

struct der_element {
	unsigned tag;
	struct slice content;
};

/* Takes the next element off `der`; false at the end, or when what is there is none. */
bool der_take(struct slice *der, struct der_element *element);

/* `der` becomes the content of its first element; false when that has another tag. */
bool der_enter(struct slice *der, unsigned tag);

#endif
