;; expect: refused
(module (memory (export "memory") 1) (func (export "_start") (i32.add (i64.const 1) (f32.const 2)) drop))
