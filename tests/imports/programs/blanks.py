if 1:
	import tabbed
	if 2:
		import twice
import formfeed

import after
