"""Holds answers to docs/openapi.json: the parts of JSON Schema that it uses, and an error for any part that it does not."""
import json
import re

KNOWN = {"$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "oneOf",
         "pattern", "minimum", "maximum", "exclusiveMinimum", "minItems", "maxItems", "maxProperties", "description",
         "default", "contentEncoding"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


class Description:
    def __init__(self, path):
        self.document = json.loads(path.read_text())
        self.seen = set()  # of (route, status): what tests have met

    def errors(self, value, schema, at="$"):
        """Every way in which the value is not as the schema says."""
        unknown = set(schema) - KNOWN
        assert not unknown, f"the validator does not know {unknown}"
        if "$ref" in schema:
            target = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            return self.errors(value, target, at)
        out = []
        if "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            if not any(is_type(value, name) for name in names):
                return [f"{at}: {value!r:.80} is not {'/'.join(names)}"]
        if "const" in schema and value != schema["const"]:
            out.append(f"{at}: {value!r:.80} is not {schema['const']!r}")
        if "enum" in schema and value not in schema["enum"]:
            out.append(f"{at}: {value!r:.80} is not one of {schema['enum']}")
        for name, wanted in (("anyOf", lambda n: n >= 1), ("oneOf", lambda n: n == 1)):
            if name in schema:
                tried = [self.errors(value, one, at) for one in schema[name]]
                if not wanted(sum(not errors for errors in tried)):
                    out.append(f"{at}: fits {sum(not errors for errors in tried)} of {name}: {min(tried, key=len)}")
        if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
            out.append(f"{at}: {value!r:.80} does not match {schema['pattern']}")
        if is_type(value, "number"):
            if value < schema.get("minimum", value) or value > schema.get("maximum", value):
                out.append(f"{at}: {value} is out of range")
        if isinstance(value, list):
            for index, item in enumerate(value):
                out += self.errors(item, schema.get("items", {}), f"{at}[{index}]")
        if isinstance(value, dict):
            properties = schema.get("properties", {})
            out += [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
            extra = schema.get("additionalProperties", True)
            for name, item in value.items():
                if name in properties:
                    out += self.errors(item, properties[name], f"{at}.{name}")
                elif extra is False:
                    out.append(f"{at}: {name} is not described")
                elif isinstance(extra, dict):
                    out += self.errors(item, extra, f"{at}.{name}")
        return out

    def operation(self, method, path):
        for pattern, methods in self.document["paths"].items():
            expression = re.sub(r"\\\{path\\\}", ".+", re.escape(pattern))
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", expression), path.split("?")[0]):
                return pattern, methods.get(method.lower())
        return None, None

    def check(self, method, path, status, content_type, body):
        """Raises AssertionError when an answer is not one that the description allows."""
        pattern, operation = self.operation(method, path)
        self.seen.add((pattern, status))
        media = content_type.split(";")[0]
        if media == "application/problem+json" or operation is None:
            schema = {"$ref": "#/components/schemas/Problem"}
            problem = json.loads(body)
            errors = self.errors(problem, schema)
            if problem.get("status") != status:
                errors.append(f"the problem says {problem.get('status')}")
            assert not errors and media == "application/problem+json", (method, path, status, content_type, errors)
            return
        responses = operation["responses"]
        assert str(status) in responses, (method, path, status, body[:300])
        content = responses[str(status)]["content"]
        if "*/*" in content:
            return
        assert media in content, (method, path, status, media)
        schema = content[media]["schema"]
        if media == "application/json":
            values = [json.loads(body)]
        elif media == "application/x-ndjson":
            values = [json.loads(line) for line in body.splitlines()]
        elif media == "text/event-stream":
            values = [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: ")]
        else:
            values = [body.decode()]
        for value in values:
            errors = self.errors(value, schema)
            assert not errors, (method, path, status, errors[:5])
