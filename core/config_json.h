/* A part of a configuration tree as JSON, for what is kept as it is written: schemas, say. Pure. */
#ifndef CORE_CONFIG_JSON_H
#define CORE_CONFIG_JSON_H

#include "core/config_tree.h"

/* NUL-terminated. NULL: memory->failed. Scalars without quotes are null, booleans and numbers where JSON writes those
 * so. */
char *config_print_json(const struct config_node *node, struct config_memory *memory);

#endif
