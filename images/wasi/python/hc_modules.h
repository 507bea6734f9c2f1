// The standard library inside the module: its compiled code, and the modules that the image holds asleep.
#ifndef HC_MODULES_H
#define HC_MODULES_H
#include <Python.h>

// One compiled module of the standard library; the table is made by mkstdlib.py.
struct hc_stdlib_module {
    const char *name;
    unsigned offset, size;
    int is_package;
};
extern const struct hc_stdlib_module hc_stdlib[];    // sorted by name
extern const unsigned hc_stdlib_count;
extern const unsigned char hc_stdlib_code[];

const struct _frozen *hc_bootstrap_modules(void);
int hc_is_image_module(PyObject *name, PyObject *module);
void hc_freeze(void);

// Functions of module _hc, for boot.py only.
PyObject *hc_code(PyObject *, PyObject *name);     // the code object, or None
PyObject *hc_kind(PyObject *, PyObject *name);     // 0 unknown, 1 module, 2 package
PyObject *hc_names(PyObject *, PyObject *);        // all of them
PyObject *hc_sleep(PyObject *, PyObject *args);    // see hc_modules.c
#endif
