// Reporting an uncaught exception.
//
// The text on stderr is CPython's own, to the byte. The host also wants it in parts (name, message, line, text) without
// parsing stderr, where the program may have written anything; and making the parts must not run the program's code
// (__str__) a second time. So the display hook (patches/03) renders the text once in memory, keeps it and writes it.
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
#include "hc_python.h"

extern int (*hc_display_hook)(PyObject *file, PyObject *type, PyObject *value, PyObject *traceback);    // patches/03

struct hc_report hc_last_report;

uint32_t EXPORT(hc_report)(void) { return (uint32_t)(uintptr_t)&hc_last_report; }

static void point(uint32_t *field, const char *text, Py_ssize_t size)
{
    field[0] = (uint32_t)(uintptr_t)text;
    field[1] = (uint32_t)size;
}

static PyObject *string_io, *pristine_stderr;

// The last line of the program that the exception passed through, or that its syntax error is in.
static uint32_t line_in_program(PyObject *value, PyObject *traceback)
{
    uint32_t line = 0;
    for (PyTracebackObject *t = (PyTracebackObject *)traceback; t != NULL && PyTraceBack_Check((PyObject *)t);
         t = t->tb_next) {
        PyCodeObject *code = PyFrame_GetCode(t->tb_frame);
        if (code->co_filename == hc_main_path || PyUnicode_Compare(code->co_filename, hc_main_path) == 0) {
            int at = t->tb_lineno >= 0 ? t->tb_lineno : PyCode_Addr2Line(code, t->tb_lasti);
            line = at > 0 ? (uint32_t)at : line;
        }
        Py_DECREF(code);
    }
    if (Py_TYPE(value)->tp_flags & Py_TPFLAGS_BASE_EXC_SUBCLASS && PyObject_TypeCheck(value, (PyTypeObject *)PyExc_SyntaxError)) {
        PySyntaxErrorObject *e = (PySyntaxErrorObject *)value;
        if (e->filename != NULL && PyUnicode_Check(e->filename) && PyUnicode_Compare(e->filename, hc_main_path) == 0 &&
            e->lineno != NULL && PyLong_Check(e->lineno)) {
            long at = PyLong_AsLong(e->lineno);
            line = at > 0 ? (uint32_t)at : line;
        }
    }
    PyErr_Clear();
    return line;
}

static const char *kept_utf8(PyObject *text, Py_ssize_t *size)
{
    PyObject *bytes = text && PyUnicode_Check(text) ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;
    if (bytes == NULL) {
        PyErr_Clear();
        *size = 0;
        return NULL;
    }
    *size = PyBytes_GET_SIZE(bytes);
    return PyBytes_AS_STRING(bytes);    // never freed: the host reads it after the run
}

static void report_name(PyObject *type)
{
    PyObject *name = PyObject_GetAttrString(type, "__qualname__"), *module = PyObject_GetAttrString(type, "__module__");
    if (name != NULL && module != NULL && PyUnicode_Check(module) && PyUnicode_CompareWithASCIIString(module, "builtins") != 0 &&
        PyUnicode_CompareWithASCIIString(module, "__main__") != 0) {
        name = PyUnicode_FromFormat("%U.%U", module, name);
    }
    PyErr_Clear();
    Py_ssize_t size;
    const char *text = kept_utf8(name, &size);
    point(&hc_last_report.name, text, size);
}

// str(exception); but where that is the program's own code it has run once already, to print the traceback, and is not
// run again: the message is then cut out of the text.
static void report_message(PyObject *value)
{
    Py_ssize_t size = 0;
    const char *text = NULL;
    if (!(Py_TYPE(value)->tp_flags & Py_TPFLAGS_HEAPTYPE) || _PyType_Lookup(Py_TYPE(value), &_Py_ID(__str__)) ==
        _PyType_Lookup((PyTypeObject *)PyExc_BaseException, &_Py_ID(__str__))) {
        PyObject *message = PyObject_Str(value);
        text = kept_utf8(message, &size);
    } else if (hc_last_report.traceback_size > 0 && hc_last_report.name_size > 0) {
        const char *all = (const char *)(uintptr_t)hc_last_report.traceback, *name = (const char *)(uintptr_t)hc_last_report.name;
        for (uint32_t i = 0; i + hc_last_report.name_size + 2 <= hc_last_report.traceback_size; i++) {
            if ((i == 0 || all[i - 1] == '\n') && memcmp(all + i, name, hc_last_report.name_size) == 0 && all[i + hc_last_report.name_size] == ':') {
                text = all + i + hc_last_report.name_size + 2;
                size = hc_last_report.traceback_size - (i + hc_last_report.name_size + 2);
            }
        }
        if (size > 0 && text[size - 1] == '\n') {
            size--;
        }
    }
    PyErr_Clear();
    point(&hc_last_report.message, text, size);
}

// Runs instead of writing an uncaught exception piece by piece: the text is made in memory, kept, then written at once.
// A program that replaced sys.stderr gets CPython's own many writes.
static int keep_text(PyObject *file, PyObject *type, PyObject *value, PyObject *traceback)
{
    if (file != pristine_stderr || hc_last_report.traceback_size != 0) {
        return 0;
    }
    PyObject *buffer = PyObject_CallNoArgs(string_io);
    if (buffer == NULL) {
        PyErr_Clear();
        return 0;
    }
    _PyErr_Display(buffer, type, value, traceback);
    PyObject *text = PyObject_CallMethod(buffer, "getvalue", NULL);
    Py_DECREF(buffer);
    if (text == NULL) {
        PyErr_Clear();
        return 0;
    }
    Py_ssize_t size;
    const char *bytes = kept_utf8(text, &size);
    point(&hc_last_report.traceback, bytes, size);
    if (PyFile_WriteObject(text, file, Py_PRINT_RAW) < 0) {
        PyErr_Clear();
    }
    Py_DECREF(text);
    hc_flush_quietly(file);
    return 1;
}

static void *reserve;    // so that a MemoryError can be reported
enum { kReserve = 2 << 20 };

int hc_prepare_reports(void)
{
    PyObject *io = PyImport_ImportModule("io");
    string_io = io != NULL ? PyObject_GetAttrString(io, "StringIO") : NULL;
    Py_XDECREF(io);
    pristine_stderr = PySys_GetObject("stderr");
    if (reserve == NULL) {
        reserve = malloc(kReserve);
    }
    return string_io != NULL && pristine_stderr != NULL && reserve != NULL ? 0 : -1;
}

// After execute() failed. Returns the exit status.
int hc_report_exception(void)
{
    int status = 1;
    if (PyErr_ExceptionMatches(PyExc_MemoryError)) {
        free(reserve);
        reserve = NULL;
    }
    if (_Py_HandleSystemExit(&status)) {
        hc_last_report.flags = kSystemExit;
        return status;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XINCREF(type);
    Py_XINCREF(value);
    Py_XINCREF(traceback);
    PyErr_Restore(type, value, traceback);
    hc_display_hook = keep_text;
    PyErr_Print();
    hc_display_hook = NULL;
    hc_last_report.flags = kUncaught;
    hc_last_report.line = line_in_program(value, traceback);
    report_name(type);
    report_message(value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return 1;
}
