# expect: completed
import sys
class Hook:
    def find_spec(self, name, path=None, target=None):
        raise SystemError(f"no imports for you: {name}")
sys.meta_path[:] = [Hook()]
sys.path_hooks.clear()
sys.path.clear()
sys.path_importer_cache.clear()
print("imports are gone")
