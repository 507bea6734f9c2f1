# expect: exception | memory_limit | timeout
# A billion laughs: expat refuses the amplification.
import xml.etree.ElementTree as ET
levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 20))
ET.fromstring(f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]><x>&e19;</x>')
