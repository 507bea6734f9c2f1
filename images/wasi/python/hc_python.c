// CPython as a hotcell guest: the "hc" interface over libpython.
//
// A run must look exactly like `cd /workspace && python3.11 main.py args`, yet cost microseconds. So everything that
// does not depend on the program happens once, in hc_init(), while the image is made: the interpreter starts, the
// standard library is imported and put to sleep (hc_modules.c), the paths that every program takes are warmed up.
// hc_run() then only compiles, executes, reports and ends the program. It may leave any mess behind: the host restores
// the memory. What Py_RunMain() and Py_FinalizeEx() do that a program can notice is done here too, in the same order;
// what only frees memory is left out.
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


extern void hc_random_defer_seed(PyObject *generator);    // patches/04
extern int _Py_UnhandledKeyboardInterrupt;

enum { kHeadroom = 32 << 20, kSmallRequest = 64 << 10 };

PyObject *hc_main_dict, *hc_main_path;
Py_ssize_t hc_main_size, hc_modules_size;

// Where the host writes to raise KeyboardInterrupt at the next check: [b0] = b3, [b1] = 1, [b2] = 1.
static uint32_t break_info[4];

uint32_t EXPORT(hc_break_info)(void) { return (uint32_t)(uintptr_t)break_info; }

static void publish_break_info(void)
{
    PyThreadState *thread = PyThreadState_Get();
    PyInterpreterState *interpreter = thread->interp;
    break_info[0] = (uint32_t)(uintptr_t)&thread->async_exc;
    break_info[1] = (uint32_t)(uintptr_t)&interpreter->ceval.pending.async_exc;
    break_info[2] = (uint32_t)(uintptr_t)&interpreter->ceval.eval_breaker;
    break_info[3] = (uint32_t)(uintptr_t)PyExc_KeyboardInterrupt;
}

// ---------------------------------------------------------------------------------------------------- the request

static char small_request[kSmallRequest];    // no malloc, few pages touched, for nearly every program

uint32_t EXPORT(hc_request)(uint32_t size)
{
    return (uint32_t)(uintptr_t)(size <= kSmallRequest ? small_request : malloc(size));
}

struct reader {
    char *at, *end;
    int bad;
};

static uint32_t take_u32(struct reader *r)
{
    uint32_t v = 0;
    if (r->end - r->at < 4) {
        r->bad = 1;
        return 0;
    }
    memcpy(&v, r->at, 4);
    r->at += 4;
    return v;
}

static char *take_string(struct reader *r, uint32_t *size)
{
    uint32_t n = take_u32(r);
    if (r->bad || (uint32_t)(r->end - r->at) < n) {
        r->bad = 1;
        *size = 0;
        return r->at;
    }
    char *s = r->at;
    r->at += n;
    *size = n;
    return s;
}

static PyObject *argv, *orig_argv;

static int take_arguments(struct reader *r)
{
    for (uint32_t n = take_u32(r); n > 0 && !r->bad; n--) {
        uint32_t size;
        const char *s = take_string(r, &size);
        PyObject *text = PyUnicode_DecodeFSDefaultAndSize(s, size);
        if (text == NULL || PyList_Append(argv, text) < 0 || PyList_Append(orig_argv, text) < 0) {
            return -1;
        }
        Py_DECREF(text);
    }
    return 0;
}

// os.environ was filled (with nothing) when the image was made.
static int take_environment(struct reader *r)
{
    uint32_t n = take_u32(r);
    if (n == 0 || r->bad) {
        return 0;
    }
    PyObject *os = PyImport_ImportModule("os");
    PyObject *environ = os ? PyObject_GetAttrString(os, "environ") : NULL;
    if (environ == NULL) {
        return -1;
    }
    for (; n > 0 && !r->bad; n--) {
        uint32_t size;
        const char *s = take_string(r, &size);
        const char *equals = memchr(s, '=', size);
        if (equals == NULL || equals == s || memchr(s, 0, size) != NULL) {
            continue;
        }
        PyObject *key = PyUnicode_DecodeFSDefaultAndSize(s, equals - s);
        PyObject *value = PyUnicode_DecodeFSDefaultAndSize(equals + 1, s + size - equals - 1);
        if (key == NULL || value == NULL || PyObject_SetItem(environ, key, value) < 0) {
            return -1;
        }
        Py_DECREF(key);
        Py_DECREF(value);
    }
    Py_DECREF(environ);
    Py_DECREF(os);
    return 0;
}

// -------------------------------------------------------------------------------------------------- compile and run

// Python reads a program as a file: encoding lines, byte-order marks, NUL bytes and their error texts are the business
// of the tokenizer's file mode, which is slow to set up here (a host file). Plain text means the same in string mode.
static int is_plain(const char *s, size_t n)
{
    size_t lines = 0, first_two = 0;
    int ascii = 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == 0) {
            return 0;
        }
        if (c >= 0x80) {
            ascii = 0;
        }
        if (lines < 2 && (c == '\n' || c == '\r')) {
            lines++;
            first_two = i;
        }
    }
    if (lines < 2) {
        first_two = n;
    }
    for (size_t i = 0; i + 6 <= first_two; i++) {
        if (memcmp(s + i, "coding", 6) == 0) {
            return 0;
        }
    }
    if (!ascii) {
        PyObject *text = PyUnicode_DecodeUTF8(s, (Py_ssize_t)n, NULL);
        if (text == NULL) {
            PyErr_Clear();
            return 0;
        }
        Py_DECREF(text);
        return n < 3 || memcmp(s, "\xef\xbb\xbf", 3) != 0;
    }
    return 1;
}

static int warming;

static mod_ty parse_as_file(char *code, size_t size, PyCompilerFlags *flags, PyArena *arena)
{
    FILE *file = warming ? NULL : fopen("/workspace/main.py", "rb");
    if (file == NULL) {
        file = fmemopen(code, size, "rb");
    }
    if (file == NULL) {
        PyErr_SetFromErrno(PyExc_OSError);
        return NULL;
    }
    mod_ty tree = _PyParser_ASTFromFile(file, hc_main_path, NULL, Py_file_input, NULL, NULL, flags, NULL, arena);
    fclose(file);
    return tree;
}

static PyObject *compile_program(char *code, size_t size)
{
    PyArena *arena = _PyArena_New();
    if (arena == NULL) {
        return NULL;
    }
    mod_ty tree = NULL;
    PyCompilerFlags flags = _PyCompilerFlags_INIT;
    if (is_plain(code, size)) {
        char after = code[size];    // the buffer goes on: hc_run() sees to it
        code[size] = 0;
        PyCompilerFlags as_utf8 = _PyCompilerFlags_INIT;
        as_utf8.cf_flags |= PyCF_IGNORE_COOKIE;
        tree = _PyParser_ASTFromString(code, hc_main_path, Py_file_input, &as_utf8, arena);
        code[size] = after;
        if (tree == NULL) {    // for the error exactly as the file mode words it
            PyErr_Clear();
        }
    }
    if (tree == NULL) {
        tree = parse_as_file(code, size, &flags, arena);
    }
    PyObject *program = NULL;
    if (tree != NULL) {
        program = (PyObject *)_PyAST_Compile(tree, hc_main_path, &flags, -1, arena);
    }
    _PyArena_Free(arena);
    return program;
}

void hc_flush_quietly(PyObject *file)
{
    if (file != NULL && file != Py_None) {
        PyObject *done = PyObject_CallMethodNoArgs(file, &_Py_ID(flush));
        if (done == NULL) {
            PyErr_Clear();
        }
        Py_XDECREF(done);
    }
}

// pythonrun.c's hc_flush_io().
void hc_flush_io(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    hc_flush_quietly(PySys_GetObject("stderr"));
    hc_flush_quietly(PySys_GetObject("stdout"));
    PyErr_Restore(type, value, traceback);
}

static PyObject *execute(char *code, size_t size)
{
    PyObject *program = compile_program(code, size);
    PyObject *result = NULL;
    _Py_UnhandledKeyboardInterrupt = 0;
    if (program != NULL) {
        result = PyEval_EvalCode(program, hc_main_dict, hc_main_dict);
        Py_DECREF(program);
        if (result == NULL && PyErr_Occurred() == PyExc_KeyboardInterrupt) {
            _Py_UnhandledKeyboardInterrupt = 1;
        }
    }
    hc_flush_io();
    return result;
}

int EXPORT(hc_run)(char *request, uint32_t size)
{
    struct reader r = {request, request + size, 0};
    if (size < 16) {
        return 125;
    }
    r.at += 16;    // flags, reserved, seed: the host's random_get does what they ask for
    uint32_t code_size;
    char *code = take_string(&r, &code_size);
    if (take_arguments(&r) < 0 || take_environment(&r) < 0) {
        PyErr_Print();
        return 125;
    }
    if (r.bad) {
        fputs("hotcell: damaged request\n", stderr);
        return 125;
    }
    int status = 0;
    PyObject *result = execute(code, code_size);
    if (result == NULL) {
        status = hc_report_exception();
    }
    Py_XDECREF(result);
    if (!(hc_last_report.flags & kSystemExit)) {    // natively, SystemExit ends the process before this
        PyDict_DelItemString(hc_main_dict, "__file__");
        PyDict_DelItemString(hc_main_dict, "__cached__");
        hc_main_size -= 2;
        PyErr_Clear();
    }
    status = hc_finish(status);
    return _Py_UnhandledKeyboardInterrupt ? 130 : status;
}

// --------------------------------------------------------------------------------------------------- making the image

// _hc.warm(source): compiles and runs it as a program, without ending one.
static PyObject *warm(PyObject *self, PyObject *source)
{
    (void)self;
    char *copy = strdup(PyBytes_AS_STRING(source));
    warming = 1;
    PyObject *result = execute(copy, (size_t)PyBytes_GET_SIZE(source));
    free(copy);
    warming = 0;
    if (result == NULL) {
        hc_prepare_reports();    // sys.stderr is another one at each warm-up
        hc_report_exception();
        memset(&hc_last_report, 0, sizeof hc_last_report);
    }
    Py_XDECREF(result);
    Py_RETURN_NONE;
}

static PyObject *defer_seed(PyObject *self, PyObject *generator)
{
    (void)self;
    hc_random_defer_seed(generator);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"warm", warm, METH_O, NULL},
    {"defer_seed", defer_seed, METH_O, NULL},
    {"code", hc_code, METH_O, NULL},
    {"kind", hc_kind, METH_O, NULL},
    {"names", hc_names, METH_NOARGS, NULL},
    {"sleep", hc_sleep, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_hc", NULL, -1, methods, NULL, NULL, NULL, NULL};

static int failed(const char *what)
{
    fprintf(stderr, "hc_init: %s\n", what);
    if (PyErr_Occurred()) {
        PyErr_Print();
    }
    return 1;
}

static PyStatus start_interpreter(void)
{
    PyPreConfig before;
    PyPreConfig_InitPythonConfig(&before);
    before.utf8_mode = 0;
    before.coerce_c_locale = 0;
    PyStatus status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) {
        return status;
    }
    PyConfig c;
    PyConfig_InitPythonConfig(&c);
    c.install_signal_handlers = 0;
    c.pathconfig_warnings = 0;
    c.use_hash_seed = 1;    // as with PYTHONHASHSEED=0
    c.hash_seed = 0;
    c.parse_argv = 0;
    PyConfig_SetString(&c, &c.program_name, L"python3.11");
    PyConfig_SetString(&c, &c.executable, L"/usr/bin/python3.11");
    PyConfig_SetString(&c, &c.base_executable, L"/usr/bin/python3.11");
    PyConfig_SetString(&c, &c.prefix, L"/usr");
    PyConfig_SetString(&c, &c.base_prefix, L"/usr");
    PyConfig_SetString(&c, &c.exec_prefix, L"/usr");
    PyConfig_SetString(&c, &c.base_exec_prefix, L"/usr");
    PyConfig_SetString(&c, &c.stdlib_dir, L"/usr/lib/python3.11");
    PyConfig_SetString(&c, &c.filesystem_encoding, L"utf-8");
    PyConfig_SetString(&c, &c.filesystem_errors, L"surrogateescape");
    PyConfig_SetString(&c, &c.stdio_encoding, L"utf-8");
    PyConfig_SetString(&c, &c.stdio_errors, L"surrogateescape");    // as natively with LC_ALL=C.UTF-8
    c.module_search_paths_set = 1;
    PyWideStringList_Append(&c.module_search_paths, L"/usr/lib/python311.zip");
    PyWideStringList_Append(&c.module_search_paths, L"/usr/lib/python3.11");
    PyWideStringList_Append(&c.module_search_paths, L"/usr/lib/python3.11/lib-dynload");
    PyWideStringList_Append(&c.argv, L"main.py");
    PyWideStringList_Append(&c.orig_argv, L"python3.11");
    PyWideStringList_Append(&c.orig_argv, L"main.py");
    status = Py_InitializeFromConfig(&c);
    PyConfig_Clear(&c);
    return status;
}

// Start-up leaves holes of every size all over the heap; objects made in a run would land in them, each dirtying a page
// that must be restored. Fill the holes (for good), so that every size starts on a page of its own.
static void settle_heap(void)
{
    enum { kPool = 4096, kPoolHead = 64, kLargest = 512, kStep = 8, kTries = 200000 };
    for (size_t size = kStep; size <= kLargest; size += kStep) {
        for (int i = 0; i < kTries; i++) {
            void *block = PyObject_Malloc(size);
            if (block == NULL || ((uintptr_t)block & (kPool - 1)) < kPoolHead) {    // the first block of a new pool
                break;
            }
        }
    }
}

int EXPORT(hc_init)(void)
{
    clearenv();
    if (chdir("/workspace") != 0) {
        return failed("there is no /workspace");
    }
    PyImport_FrozenModules = hc_bootstrap_modules();    // until boot.py has taken over: Python needs encodings to start
    PyStatus status = start_interpreter();
    if (PyStatus_Exception(status)) {
        return failed(status.err_msg != NULL ? status.err_msg : "Python does not start");
    }
    PyImport_FrozenModules = NULL;
    PyObject *hc = PyModule_Create(&definition), *scope = PyDict_New();
    PyObject *main_module = PyImport_AddModule("__main__");
    PyObject *boot = PyObject_CallMethod(hc, "code", "s", "_hc_boot");
    if (hc == NULL || scope == NULL || main_module == NULL || boot == NULL || boot == Py_None) {
        return failed("cannot start");
    }
    hc_main_dict = PyModule_GetDict(main_module);
    hc_main_path = PyUnicode_InternFromString("/workspace/main.py");
    argv = PySys_GetObject("argv");
    orig_argv = PySys_GetObject("orig_argv");
    PyDict_SetItemString(scope, "__builtins__", PyEval_GetBuiltins());
    PyDict_SetItemString(scope, "__name__", PyUnicode_FromString("_hc_boot"));
    PyDict_SetItemString(scope, "_hc", hc);
    PyObject *result = PyEval_EvalCode(boot, scope, scope);
    if (result == NULL) {
        return failed("boot.py failed");
    }
    Py_DECREF(result);
    Py_DECREF(boot);
    PyDict_Clear(scope);
    Py_DECREF(scope);
    hc_main_size = PyDict_GET_SIZE(hc_main_dict);
    hc_modules_size = PyObject_Size(PyInterpreterState_Get()->modules);
    publish_break_info();
    void *volatile headroom = malloc(kHeadroom);    // volatile: or the pair is optimised away. Ordinary programs then never grow the memory, which would cost the cell
    if (hc_prepare_reports() < 0 || headroom == NULL) {
        return failed("no memory");
    }
    free(headroom);
    PyGC_Collect();
    hc_freeze();
    if (hc_immortalise() < 0) {
        return failed("no memory");
    }
    settle_heap();
    return 0;
}
