import bom
