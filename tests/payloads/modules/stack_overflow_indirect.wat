;; expect: stack_limit
(module (memory (export "memory") 1) (table 1 funcref) (elem (i32.const 0) $f)
  (type $t (func (param i64 i64 i64 i64) (result i64)))
  (func $f (type $t) (i64.add (i64.const 1) (call_indirect (type $t) (local.get 3) (local.get 2) (local.get 1) (local.get 0) (i32.const 0))))
  (func (export "_start") (drop (call $f (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)))))
