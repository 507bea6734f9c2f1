# expect: completed | exception | stack_limit | memory_limit
# timeout: 10
import xml.etree.ElementTree as ET
root = ET.fromstring("<a>" * 100_000 + "</a>" * 100_000)
print(len(ET.tostring(root)))
