#ifndef RUN_MODULE_LIST_H
#define RUN_MODULE_LIST_H

/* All modules, in the order of run/modules.h. */
extern const struct module *const module_list[];
extern const unsigned module_list_count;
/* Names of directives that are known and not supported yet; NULL ends it. */
extern const char *const later_directives[];

#endif
