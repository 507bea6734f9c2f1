;; expect: trap
(module (memory (export "memory") 1) (func (export "_start") (i64.store offset=0xffffffff (i32.const -1) (i64.const 1))))
