;; expect: refused
this is (not a module
