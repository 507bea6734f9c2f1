;; expect: trap
(module (memory (export "memory") 1) (table 1 funcref) (elem (i32.const 0) $f) (func $f (param i32))
  (func (export "_start") (call_indirect (result f64) (i32.const 0)) drop))
