// Makes the image's objects immortal (patches/00-immortal.patch), so that a program that only looks at them leaves their
// pages as they are: each page that stays clean is one that need not be restored after the run.
//
// Any subset may be immortal: what this walk does not find is counted as ever. Left out is what a program must be able
// to see die: its own module, and the standard streams, whose end flushes them.
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include "internal/pycore_gc.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_object.h"
#include "internal/pycore_pystate.h"
#include <stdlib.h>
#include <string.h>
#include "hc_modules.h"
#include "hc_python.h"

#define FROM_GC(head) ((PyObject *)((PyGC_Head *)(head) + 1))    // gcmodule.c's

struct found {
    PyObject **list;
    size_t count, room;
    PyObject *main_module;
};

static int found_object(PyObject *object, void *arg)
{
    struct found *found = arg;
    if (object == NULL || (Py_REFCNT(object) & _Py_IMMORTAL_BIT) || object == hc_main_dict || object == found->main_module ||
        strncmp(Py_TYPE(object)->tp_name, "_io.", 4) == 0) {
        return 0;
    }
    if (found->count == found->room) {
        size_t room = found->room ? 2 * found->room : 1 << 16;
        PyObject **list = realloc(found->list, room * sizeof *list);
        if (list == NULL) {
            return -1;
        }
        found->list = list;
        found->room = room;
    }
    Py_SET_REFCNT(object, _Py_IMMORTAL_REFCNT);
    found->list[found->count++] = object;
    return 0;
}

// What neither has a traverse function nor is of interest to the collector, but holds objects.
static int visit_rest(PyObject *object, struct found *found)
{
    PyObject *held[9] = {0};
    if (PyCode_Check(object)) {
        PyCodeObject *code = (PyCodeObject *)object;
        PyObject *parts[] = {code->co_consts, code->co_names, code->co_exceptiontable, code->co_localsplusnames,
            code->co_localspluskinds, code->co_filename, code->co_name, code->co_qualname, code->co_linetable};
        memcpy(held, parts, sizeof parts);
    } else if (PyType_Check(object)) {
        PyTypeObject *type = (PyTypeObject *)object;
        PyObject *parts[] = {type->tp_dict, type->tp_bases, type->tp_mro, (PyObject *)type->tp_base, type->tp_cache};
        memcpy(held, parts, sizeof parts);
    }
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        if (found_object(held[i], found) < 0) {
            return -1;
        }
    }
    return 0;
}

int hc_immortalise(void)
{
    struct found found = {.main_module = PyImport_AddModule("__main__")};
    PyGC_Head *end = &PyInterpreterState_Get()->gc.permanent_generation.head;
    int bad = 0;
    for (PyGC_Head *at = _PyGCHead_NEXT(end); !bad && at != end; at = _PyGCHead_NEXT(at)) {
        bad = found_object(FROM_GC(at), &found);
    }
    while (!bad && found.count > 0) {
        PyObject *object = found.list[--found.count];
        traverseproc traverse = PyObject_IS_GC(object) ? Py_TYPE(object)->tp_traverse : NULL;
        bad = (traverse != NULL && traverse(object, found_object, &found) < 0) || visit_rest(object, &found) < 0 ||
              found_object((PyObject *)Py_TYPE(object), &found) < 0;
    }
    free(found.list);
    return bad ? -1 : 0;
}
