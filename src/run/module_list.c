/* The list of modules as an array, and the names that wait for a later version. */
#include "run/module_list.h"

#include "base/span.h"

#define MODULE(name) extern const struct module name##_module;
#include "run/modules.h"
#undef MODULE

const struct module *const module_list[] = {
#define MODULE(name) &name##_module,
#include "run/modules.h"
#undef MODULE
};

const unsigned module_list_count = COUNT(module_list);
