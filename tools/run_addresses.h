/* The addresses that `tollgate run` is to listen on, looked at before anything is opened. */
#ifndef TOOLS_RUN_ADDRESSES_H
#define TOOLS_RUN_ADDRESSES_H

#include "route/settings/settings.h"

/* 0, or -errno and why one of them cannot be had: above all, that another process listens there. */
int run_addresses_try(const struct settings *settings, char *why, size_t why_bytes);

#endif
