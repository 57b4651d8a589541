/* Shapes that configuration is read into, shared by the schema walk below and the settings above it. */
#ifndef CORE_CONFIG_VALUES_H
#define CORE_CONFIG_VALUES_H

struct strings {
	unsigned count;
	char **list;
};

struct named_value {
	char *name, *value;
};

#endif
