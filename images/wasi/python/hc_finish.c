// The end of a program: Py_FinalizeEx() as far as the program can see it.
//
// Natively everything is torn down object by object. Here the host restores the memory afterwards, so only what a program
// can notice is done: threads' and atexit functions, flushing, and the destructors of its own objects. The collector
// looks at those alone, because the image's objects are frozen.
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include "internal/pycore_ast.h"
#include "internal/pycore_compile.h"
#include "internal/pycore_gc.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_moduleobject.h"
#include "internal/pycore_object.h"
#include "internal/pycore_parser.h"
#include "internal/pycore_pyarena.h"
#include "internal/pycore_pyerrors.h"
#include "internal/pycore_pylifecycle.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hc_modules.h"
#include "hc_python.h"


static int is_closed(PyObject *file)
{
    PyObject *closed = PyObject_GetAttrString(file, "closed");
    int yes = closed != NULL ? PyObject_IsTrue(closed) : -1;
    if (yes < 0) {
        PyErr_Clear();
    }
    Py_XDECREF(closed);
    return yes > 0;
}

// pylifecycle.c's flush_std_files().
static int flush_std_files(void)
{
    int status = 0;
    PyObject *out = PySys_GetObject("stdout");
    if (out != NULL && out != Py_None && !is_closed(out)) {
        PyObject *done = PyObject_CallMethodNoArgs(out, &_Py_ID(flush));
        if (done == NULL) {
            PyErr_WriteUnraisable(out);
            status = -1;
        }
        Py_XDECREF(done);
    }
    PyObject *err = PySys_GetObject("stderr");
    if (err != NULL && err != Py_None && !is_closed(err)) {
        PyObject *done = PyObject_CallMethodNoArgs(err, &_Py_ID(flush));
        if (done == NULL) {
            PyErr_Clear();
            status = -1;
        }
        Py_XDECREF(done);
    }
    return status;
}

static void shut_down_threading(void)
{
    PyObject *threading = PyImport_GetModule(&_Py_ID(threading));
    if (threading == NULL) {
        return;
    }
    PyObject *done = PyObject_CallMethod(threading, "_shutdown", NULL);
    if (done == NULL) {
        PyErr_WriteUnraisable(threading);
    }
    Py_XDECREF(done);
    Py_DECREF(threading);
}

static int has_young_objects(PyInterpreterState *interpreter)
{
    for (int i = 0; i < NUM_GENERATIONS; i++) {
        PyGC_Head *head = &interpreter->gc.generations[i].head;
        if (_PyGCHead_NEXT(head) != head) {
            return 1;
        }
    }
    return 0;
}

// An object of the image is frozen, i.e. counts as alive for ever. Give it back to the collector.
static void thaw(PyObject *object)
{
    if (PyObject_GC_IsTracked(object)) {
        PyObject_GC_UnTrack(object);
        PyObject_GC_Track(object);
    }
}

// pylifecycle.c's finalize_modules(), for the program's modules only. All other objects belong to the image.
static void drop_program(PyThreadState *thread)
{
    static const char *const forgotten[] = {"path", "argv", "ps1", "ps2", "last_type", "last_value", "last_traceback",
        "path_hooks", "path_importer_cache", "meta_path", "__interactivehook__", NULL};
    static const char *const restored[] = {"stdin", "__stdin__", "stdout", "__stdout__", "stderr", "__stderr__", NULL};
    PyInterpreterState *interpreter = thread->interp;
    PyGC_Collect();
    PyDict_SetItemString(interpreter->builtins, "_", Py_None);
    for (const char *const *name = forgotten; *name != NULL; name++) {
        PyDict_SetItemString(interpreter->sysdict, *name, Py_None);
    }
    for (const char *const *name = restored; *name != NULL; name += 2) {
        PyObject *value = PyDict_GetItemString(interpreter->sysdict, name[1]);
        PyDict_SetItemString(interpreter->sysdict, name[0], value != NULL ? value : Py_None);
    }
    PyObject *modules = interpreter->modules, *weak = PyList_New(0), *name, *module;
    Py_ssize_t at = 0;
    Py_INCREF(modules);
    while (PyDict_CheckExact(modules) && weak != NULL && PyDict_Next(modules, &at, &name, &module)) {
        if (!PyModule_Check(module) || hc_is_image_module(name, module)) {
            continue;
        }
        PyObject *reference = PyWeakref_NewRef(module, NULL);
        if (reference != NULL) {
            PyList_Append(weak, reference);
            Py_DECREF(reference);
        }
        if (PyModule_GetDict(module) == hc_main_dict) {
            thaw(module);
            thaw(hc_main_dict);
        }
        PyDict_SetItem(modules, name, Py_None);
    }
    PyErr_Clear();
    PyObject *empty = PyDict_New();    // sys.modules is empty from here on, without touching its many entries
    if (empty != NULL) {
        interpreter->modules = empty;
        PyDict_SetItemString(interpreter->sysdict, "modules", empty);
    }
    _PyGC_CollectNoFail(thread);
    for (Py_ssize_t i = weak != NULL ? PyList_GET_SIZE(weak) : 0; i-- > 0;) {
        PyObject *left = PyWeakref_GET_OBJECT(PyList_GET_ITEM(weak, i));
        if (left != Py_None) {
            Py_INCREF(left);
            _PyModule_Clear(left);
            Py_DECREF(left);
        }
    }
    PyErr_Clear();
}

// Py_FinalizeEx() as far as a program can see it. Returns the exit status.
int hc_finish(int status)
{
    PyThreadState *thread = PyThreadState_Get();
    shut_down_threading();
    _PyAtExit_Call(thread->interp);
    _PyRuntimeState_SetFinalizing(&_PyRuntime, thread);
    int flushed = flush_std_files();
    if (PyDict_GET_SIZE(hc_main_dict) != hc_main_size || has_young_objects(thread->interp) ||
        PyObject_Size(thread->interp->modules) != hc_modules_size) {
        drop_program(thread);
        hc_flush_io();    // natively the streams are closed here, and errors go unheard
    }
    return (flushed < 0 ? 120 : status) & 0xff;
}
