/*
 * Memory for keys: pages of their own that no core dump holds, wiped when they are given back. At set-up only: system
 * calls.
 */
#ifndef TLS_SECRET_H
#define TLS_SECRET_H

#include <stddef.h>

void *secret_take(size_t bytes);              /* zeroed; NULL when memory is out */
void secret_give(void *secret, size_t bytes); /* NULL is let pass */

#endif
