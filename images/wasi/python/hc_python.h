// What the parts of the Python guest share: hc_python.c (requests, running, the image), hc_report.c (uncaught exceptions),
// hc_finish.c (the end of a program) and hc_immortal.c (the objects of the image).
#ifndef HC_PYTHON_H
#define HC_PYTHON_H
#include <Python.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((used, visibility("default"), export_name(#name))) name

enum { kUncaught = 1, kSystemExit = 2 };

// Read by the host after a run, by address: see hc_report().
struct hc_report {
    uint32_t flags, line;
    uint32_t name, name_size, message, message_size, traceback, traceback_size, value, value_size;
};
extern struct hc_report hc_last_report;

extern PyObject *hc_main_dict, *hc_main_path;    // __main__'s names; "/workspace/main.py"
extern Py_ssize_t hc_main_size;                  // how many names __main__ has before the program runs
extern Py_ssize_t hc_modules_size;               // the same for sys.modules

void hc_flush_quietly(PyObject *file);
void hc_flush_io(void);             // pythonrun.c's flush_io()
int hc_prepare_reports(void);       // while the image is made; 0: good
int hc_report_exception(void);      // the current exception; returns the exit status
int hc_immortalise(void);           // while the image is made; 0: good
int hc_finish(int status);          // Py_FinalizeEx() as far as a program can see it; returns the exit status
#endif
