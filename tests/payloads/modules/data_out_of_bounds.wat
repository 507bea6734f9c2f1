;; expect: refused | trap
(module (memory (export "memory") 1) (data (i32.const 65530) "more than six bytes") (func (export "_start")))
