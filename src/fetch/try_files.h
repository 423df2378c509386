#ifndef FETCH_TRY_FILES_H
#define FETCH_TRY_FILES_H

/* `try_files`: the first file that exists, else the last word. */
extern const struct module try_files_module;

#endif
