/*
 * The build's choices (Kconfig). Each source has the generated header before its first line, so CONFIG_RECEIVE_BUFFERS
 * and its like are there; CONFIG(X) makes an option that is off a 0 in an expression, so both branches are compiled and
 * checked.
 */
#ifndef CORE_KCONFIG_H
#define CORE_KCONFIG_H

#define KCONFIG_COMMA_1 0,
#define KCONFIG_SECOND(a, b, ...) b
#define KCONFIG_PICK(...) KCONFIG_SECOND(__VA_ARGS__, 0, 0)
#define KCONFIG_GLUE(value) KCONFIG_PICK(KCONFIG_COMMA_##value 1, 0)
#define KCONFIG_VALUE(value) KCONFIG_GLUE(value)

/* 1 where option X is y, else 0. */
#define CONFIG(X) KCONFIG_VALUE(CONFIG_##X)

#endif
