// Modules that sleep.
//
// The image holds most of the standard library imported already, since importing is what makes Python slow to start. But
// a program must not be able to tell: natively sys.modules is nearly empty, `import xml` does not bring xml.etree, and a
// file random.py of the program's own wins over the library's. So boot.py imports everything, notes which module
// imported which, and takes it all out of sys.modules again. When the program imports a name, the module and all that
// its import would have brought along are put into sys.modules, as if just imported: some dictionary entries, no code.
//
// Whenever something is unusual (another finder, a changed sys.path, a file of the program with that name) we step
// aside and the import takes its natural course; the library's code comes from the table of compiled modules then.
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include "hc_modules.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_gc.h"
#include "internal/pycore_pystate.h"
#include <dirent.h>
#include <marshal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define STDLIB "/usr/lib/python3.11"

// ------------------------------------------------------------------------------------------------- compiled modules

static const struct hc_stdlib_module *find(const char *name)
{
    unsigned low = 0, high = hc_stdlib_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = strcmp(name, hc_stdlib[middle].name);
        if (order == 0) {
            return &hc_stdlib[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

PyObject *hc_code(PyObject *self, PyObject *name)
{
    (void)self;
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    const struct hc_stdlib_module *m = find(text);
    if (m == NULL) {
        Py_RETURN_NONE;
    }
    return PyMarshal_ReadObjectFromString((const char *)hc_stdlib_code + m->offset, m->size);
}

PyObject *hc_kind(PyObject *self, PyObject *name)
{
    (void)self;
    const char *text = PyUnicode_AsUTF8(name);
    const struct hc_stdlib_module *m = text != NULL ? find(text) : NULL;
    PyErr_Clear();
    return PyLong_FromLong(m == NULL ? 0 : m->is_package ? 2 : 1);
}

PyObject *hc_names(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    PyObject *names = PyList_New(0);
    for (unsigned i = 0; names != NULL && i < hc_stdlib_count; i++) {
        PyObject *name = PyUnicode_FromString(hc_stdlib[i].name);
        if (name == NULL || PyList_Append(names, name) < 0) {
            return NULL;
        }
        Py_DECREF(name);
    }
    return names;
}

// What Python imports before any code of ours can run.
const struct _frozen *hc_bootstrap_modules(void)
{
    static const char *const names[] = {"encodings", "encodings.aliases", "encodings.utf_8"};
    static struct _frozen table[4];
    for (int i = 0; i < 3; i++) {
        const struct hc_stdlib_module *m = find(names[i]);
        if (m != NULL) {
            table[i].name = m->name;
            table[i].code = hc_stdlib_code + m->offset;
            table[i].size = (int)m->size;
            table[i].is_package = m->is_package;
        }
    }
    return table;
}

// ------------------------------------------------------------------------------------------------- sleeping modules

static PyObject *asleep;          // name -> (module, (names of what it imports, its package first), is built in, has a package,
                                  //          (what it registers with atexit: (args, keywords), …))
static PyObject *image_modules;   // name -> module, of all modules of the image
static PyObject *find_and_load;   // importlib's
static PyObject *finders;         // sys.meta_path, as a tuple

int hc_is_image_module(PyObject *name, PyObject *module)
{
    return PyDict_GetItem(image_modules, name) == module;
}

static int exists(const char *folder, const char *name, const char *rest)
{
    char path[512];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s%s", folder, name, rest);
    return n < 0 || (size_t)n >= sizeof path || stat(path, &st) == 0;
}

// Does /workspace hold anything that could be a module, apart from the program itself? Asked once in an import, and
// looked up again only when the folder has changed.
static int asked;

static int workspace_has_modules(void)
{
    static struct timespec seen;
    static int answer = -1;
    struct stat st;
    if (asked) {
        return answer;
    }
    if (stat("/workspace", &st) != 0) {
        return 0;
    }
    asked = 1;
    if (answer >= 0 && st.st_mtim.tv_sec == seen.tv_sec && st.st_mtim.tv_nsec == seen.tv_nsec) {
        return answer;
    }
    seen = st.st_mtim;
    answer = 0;
    DIR *folder = opendir("/workspace");
    for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;) {
        size_t n = strlen(e->d_name);
        int plain = e->d_name[0] == '.' || strcmp(e->d_name, "main.py") == 0 ||
                    (e->d_type == DT_REG && !(n > 3 && strcmp(e->d_name + n - 3, ".py") == 0) &&
                     !(n > 4 && strcmp(e->d_name + n - 4, ".pyc") == 0));
        if (!plain) {
            answer = 1;
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return answer;
}

// Would this import, done naturally, end at the standard library?
static int is_unusual(void)
{
    PyObject *list = PySys_GetObject("meta_path");
    if (list == NULL || !PyList_CheckExact(list) || PyList_GET_SIZE(list) != PyTuple_GET_SIZE(finders)) {
        return 1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(finders); i++) {
        if (PyList_GET_ITEM(list, i) != PyTuple_GET_ITEM(finders, i)) {
            return 1;
        }
    }
    return 0;
}

static int is_shadowed(const char *name)
{
    PyObject *path = PySys_GetObject("path");
    if (path == NULL || !PyList_CheckExact(path)) {
        return 1;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(path); i++) {
        PyObject *entry = PyList_GET_ITEM(path, i);
        const char *folder = PyUnicode_Check(entry) ? PyUnicode_AsUTF8(entry) : NULL;
        if (folder == NULL) {
            PyErr_Clear();
            continue;
        }
        if (strcmp(folder, STDLIB) == 0) {
            return 0;
        }
        if (strcmp(folder, "/usr/lib/python311.zip") == 0 || (strcmp(folder, "/workspace") == 0 && !workspace_has_modules())) {
            continue;
        }
        if (folder[0] == 0) {
            folder = ".";
        }
        size_t n = strlen(folder);
        if (n > 4 && strcmp(folder + n - 4, ".zip") == 0) {
            return 1;
        }
        if (exists(folder, name, ".py") || exists(folder, name, "/__init__.py") || exists(folder, name, ".pyc")) {
            return 1;
        }
    }
    return 1;
}

static void bind_to_package(PyObject *name, PyObject *module)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(name), dot = PyUnicode_FindChar(name, '.', 0, size, -1);
    if (dot <= 0) {
        return;
    }
    PyObject *package = PyUnicode_Substring(name, 0, dot), *child = PyUnicode_Substring(name, dot + 1, size);
    PyObject *parent = package != NULL ? PyImport_GetModule(package) : NULL;
    if (parent != NULL && child != NULL && !PyObject_HasAttr(parent, child)) {
        PyObject_SetAttr(parent, child, module);
    }
    Py_XDECREF(parent);
    Py_XDECREF(package);
    Py_XDECREF(child);
    PyErr_Clear();
}

static void register_farewells(PyObject *calls)
{
    if (PyTuple_GET_SIZE(calls) == 0) {
        return;
    }
    PyObject *atexit = PyDict_GetItemString(image_modules, "atexit");
    PyObject *add = atexit != NULL ? PyObject_GetAttrString(atexit, "register") : NULL;
    for (Py_ssize_t i = 0; add != NULL && i < PyTuple_GET_SIZE(calls); i++) {
        PyObject *call = PyTuple_GET_ITEM(calls, i);
        Py_XDECREF(PyObject_Call(add, PyTuple_GET_ITEM(call, 0), PyTuple_GET_ITEM(call, 1)));
    }
    Py_XDECREF(add);
    PyErr_Clear();
}

// 1: sys.modules has it now. 0: leave this import to importlib.
static int wake(PyObject *modules, PyObject *name)
{
    PyObject *row = PyDict_GetItem(asleep, name), *present = PyDict_GetItem(modules, name);
    if (row == NULL) {    // awake already, or none of ours
        return present != NULL && present != Py_None;
    }
    PyObject *module = PyTuple_GET_ITEM(row, 0), *needs = PyTuple_GET_ITEM(row, 1);
    if (present != NULL) {
        return present == module;
    }
    if (PyTuple_GET_ITEM(row, 2) == Py_False && PyUnicode_FindChar(name, '.', 0, PyUnicode_GET_LENGTH(name), 1) < 0 &&
        is_shadowed(PyUnicode_AsUTF8(name))) {
        return 0;
    }
    Py_INCREF(row);
    Py_ssize_t i = 0;
    if (PyTuple_GET_SIZE(needs) > 0 && PyTuple_GET_ITEM(row, 3) == Py_True) {    // the package comes first
        if (!wake(modules, PyTuple_GET_ITEM(needs, 0))) {
            Py_DECREF(row);
            return 0;
        }
        i = 1;
        if (PyDict_GetItem(modules, name) == module) {    // its package brought it along
            Py_DECREF(row);
            return 1;
        }
    }
    PyDict_SetItem(modules, name, module);
    for (; i < PyTuple_GET_SIZE(needs); i++) {
        if (!wake(modules, PyTuple_GET_ITEM(needs, i))) {
            PyDict_DelItem(modules, name);
            PyErr_Clear();
            Py_DECREF(row);
            return 0;
        }
    }
    register_farewells(PyTuple_GET_ITEM(row, 4));
    bind_to_package(name, module);
    if (PyDict_GetItem(asleep, name) != NULL) {
        PyDict_DelItem(asleep, name);
    }
    Py_DECREF(row);
    return 1;
}

// Stands in for importlib._bootstrap._find_and_load(), through which every import of a name that is not in sys.modules
// passes, from C and from Python.
static PyObject *wake_or_load(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (count >= 1 && PyUnicode_CheckExact(args[0]) && PyDict_GetItem(asleep, args[0]) != NULL && !is_unusual()) {
        PyObject *modules = PyInterpreterState_Get()->modules;
        asked = 0;
        if (PyDict_CheckExact(modules) && wake(modules, args[0])) {
            PyObject *module = PyDict_GetItem(modules, args[0]);
            if (module != NULL) {
                return Py_NewRef(module);
            }
        }
        PyErr_Clear();
    }
    return PyObject_Vectorcall(find_and_load, args, (size_t)count, NULL);
}

static PyMethodDef wake_method = {"_find_and_load", (PyCFunction)(void (*)(void))wake_or_load, METH_FASTCALL, NULL};

// sleep(asleep, image_modules, importlib._bootstrap)
PyObject *hc_sleep(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *bootstrap;
    if (!PyArg_ParseTuple(args, "OOO", &asleep, &image_modules, &bootstrap)) {
        return NULL;
    }
    Py_INCREF(asleep);
    Py_INCREF(image_modules);
    find_and_load = PyObject_GetAttrString(bootstrap, "_find_and_load");
    finders = PySequence_Tuple(PySys_GetObject("meta_path"));
    PyObject *function = PyCFunction_New(&wake_method, NULL);
    if (find_and_load == NULL || finders == NULL || function == NULL ||
        PyObject_SetAttrString(bootstrap, "_find_and_load", function) < 0) {
        return NULL;
    }
    Py_DECREF(function);
    Py_RETURN_NONE;
}

// gc.freeze(): the objects of the image are no business of a program's collections, which then touch no pages of it.
void hc_freeze(void)
{
    struct _gc_runtime_state *gc = &PyInterpreterState_Get()->gc;
    for (int i = 0; i < NUM_GENERATIONS; i++) {
        PyGC_Head *from = &gc->generations[i].head, *to = &gc->permanent_generation.head;
        if (_PyGCHead_NEXT(from) != from) {
            PyGC_Head *to_tail = _PyGCHead_PREV(to), *from_first = _PyGCHead_NEXT(from), *from_tail = _PyGCHead_PREV(from);
            _PyGCHead_SET_NEXT(to_tail, from_first);
            _PyGCHead_SET_PREV(from_first, to_tail);
            _PyGCHead_SET_NEXT(from_tail, to);
            _PyGCHead_SET_PREV(to, from_tail);
            from->_gc_next = from->_gc_prev = (uintptr_t)from;
        }
        gc->generations[i].count = 0;
    }
}
