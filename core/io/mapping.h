/* Private. Elements that stay in their file, and come to memory page by page when they are touched. */
#ifndef TG_CORE_IO_MAPPING_H
#define TG_CORE_IO_MAPPING_H

#include "core/io/elements.h"
#include "core/io/stream.h"

/* Fills *a, which was laid out, with the elements of a plain file from `offset` on, where as many bytes are; its memory is
 * read-only. The file may be closed after that. TG_ERR_FORMAT where they cannot be used as they lie there: the file is
 * compressed, the elements are in the other byte order or not at a multiple of their size, or they are bools, of which each
 * has to be looked at. The message says that `otherwise` reads them. */
tg_status tg_map_elements(const tg_reader *r, int64_t offset, tg_byte_order order, const char *otherwise,
                          tg_array *a);

#endif
