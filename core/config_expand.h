/* Variables in configuration values. */
#ifndef CORE_CONFIG_EXPAND_H
#define CORE_CONFIG_EXPAND_H

#include "core/config_tree.h"

/* Replaces the variables of a scalar; what is wrong is told at the scalar's position, and its text stays. */
void config_expand(struct config_node *scalar, const struct config_source *source, struct config_memory *memory,
	struct config_report *errors);

#endif
