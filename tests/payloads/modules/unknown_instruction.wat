;; expect: refused
(module (func (export "_start") i32.launch_missiles))
