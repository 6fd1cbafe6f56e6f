/* The version of these headers, and that of the library that runs, which may be another where it is a shared one. */
#ifndef TG_CORE_VERSION_H
#define TG_CORE_VERSION_H

#include "core/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TG_VERSION_MAJOR 0
#define TG_VERSION_MINOR 1
#define TG_VERSION_PATCH 0
#define TG_VERSION "0.1.0"

/* TG_VERSION as the library was built with it; static text. */
TG_API const char *tg_version(void);

#ifdef __cplusplus
}
#endif
#endif
