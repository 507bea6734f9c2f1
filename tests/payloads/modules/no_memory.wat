;; expect: completed | refused
;; A command without a memory calls nothing that needs one.
(module (func (export "_start")))
