// Reading zod schemas without owning zod: extensions bring their own instance, of version 3 or 4.

const isZod = (schema) =>
  schema !== null && typeof schema === "object" && "_def" in schema &&
  typeof schema.parse === "function" && typeof schema.safeParse === "function";

/** The schema's type name in zod 4's spelling: "object", "string", "optional", … */
const zodType = (schema) => {
  const def = schema?._zod?.def ?? schema?._def;
  if (!def) return undefined;
  if (typeof def.type === "string") return def.type;
  if (typeof def.typeName === "string") return def.typeName.replace(/^Zod/, "").toLowerCase();
  return undefined;
};

const zodDef = (schema) => schema?._zod?.def ?? schema?._def ?? {};

/** Without optional, nullable, default and zod 3's effects. Pipes, lazies and catches stay wrapped. */
const leafOf = (schema) => {
  let current = schema;
  for (let depth = 0; depth < 32; depth++) {
    const def = zodDef(current);
    const type = zodType(current);
    if (type === "optional" || type === "nullable" || type === "default") current = def.innerType;
    else if (type === "effects") current = def.schema;
    else return current;
  }
  return current;
};

/** The fields of an object schema, or null for any other schema. */
const shapeOf = (schema) => {
  if (!isZod(schema)) return null;
  const leaf = leafOf(schema);
  if (zodType(leaf) !== "object") return null;
  const shape = leaf.shape ?? zodDef(leaf).shape;
  return typeof shape === "function" ? shape() : shape ?? {};
};

/** Whether an object schema lets unknown keys through (`passthrough`, `loose`, `catchall`). */
const isOpen = (schema) => {
  const def = zodDef(leafOf(schema));
  if (def.unknownKeys === "passthrough") return true;
  const catchall = def.catchall;
  const type = catchall ? zodType(catchall) : undefined;
  return type !== undefined && type !== "never";
};

const isRecord = (schema) => isZod(schema) && zodType(leafOf(schema)) === "record";

/**
 * Strings from a command line become what a field's schema wants: booleans, numbers, arrays, objects. Only top-level
 * strings, only where the leaf type is plain; an empty string is not a number.
 */
const coerceStrings = (schema, values) => {
  const shape = shapeOf(schema);
  if (!shape) return values;
  const result = { ...values };
  for (const [key, value] of Object.entries(values)) {
    if (typeof value !== "string" || !(key in shape)) continue;
    const type = zodType(leafOf(shape[key]));
    if (type === "boolean") {
      if (value === "true") result[key] = true;
      else if (value === "false") result[key] = false;
    } else if (type === "number" || type === "int") {
      const number = Number(value);
      if (value.trim() !== "" && !Number.isNaN(number)) result[key] = number;
    } else if (type === "array" || type === "object" || type === "record" || type === "tuple") {
      try {
        const parsed = JSON.parse(value);
        if (parsed !== null && typeof parsed === "object") result[key] = parsed;
      } catch {
        // Not JSON: the schema's own message about the string is the better one.
      }
    }
  }
  return result;
};

/** An Error that the other side shows with a stable code and structured data. */
const coded = (code, message, data) => Object.assign(new Error(message), { code, data });

const issuePath = (issue) => (issue.path ?? []).map(String).join(".");

/** One error that names every field that is wrong. */
const validationError = (what, error) => {
  const issues = (error?.issues ?? error?.errors ?? []).map((issue) => ({
    field: issuePath(issue),
    message: issue.message,
    code: issue.code,
    ...(issue.expected === undefined ? {} : { expected: String(issue.expected) }),
  }));
  const lines = issues.map((issue) => (issue.field ? `\`${issue.field}\`: ${issue.message}` : issue.message));
  const text = lines.length > 0 ? lines.join("; ") : String(error?.message ?? error);
  return coded("validation_failed", `${what}: ${text}`, { issues });
};

let zodNamespace = null;

const findZod = (externals) => {
  for (const [specifier, namespace] of Object.entries(externals)) {
    if (/^npm:zod@/.test(specifier)) return namespace.z ?? namespace.default ?? namespace;
  }
  return null;
};

/** The metadata that `.meta()` put on a schema, looked up through its wrappers. */
const metaOf = (schema) => {
  let current = schema;
  for (let depth = 0; depth < 32 && current; depth++) {
    let meta;
    try {
      meta = zodNamespace?.globalRegistry?.get(current) ?? (typeof current.meta === "function" ? current.meta() : undefined);
    } catch {
      meta = undefined;
    }
    if (meta && Object.keys(meta).length > 0) return meta;
    const def = zodDef(current);
    current = def.innerType ?? def.schema;
  }
  return undefined;
};

/** Dotted paths of the fields that are marked sensitive, with the vault they ask for. */
const sensitiveFields = (schema, prefix = "", depth = 0) => {
  const shape = depth < 16 ? shapeOf(schema) : null;
  if (!shape) return [];
  const found = [];
  for (const [key, field] of Object.entries(shape)) {
    const path = prefix ? `${prefix}.${key}` : key;
    const meta = metaOf(field);
    if (meta?.sensitive === true) found.push({ path, vaultName: meta.vaultName, vaultKey: meta.vaultKey });
    else found.push(...sensitiveFields(field, path, depth + 1));
  }
  return found;
};

/** A JSON Schema of a zod schema; keys with a default are not required, as callers may leave them out. */
const toJsonSchema = (schema) => {
  if (!isZod(schema)) return undefined;
  let result;
  try {
    if (!zodNamespace?.toJSONSchema) throw new Error("no zod 4 here");
    result = zodNamespace.toJSONSchema(schema);
  } catch {
    result = approximateSchema(schema, 0);
  }
  if (Array.isArray(result?.required) && result.properties) {
    const required = result.required.filter((key) => !(result.properties[key] && "default" in result.properties[key]));
    if (required.length > 0) result.required = required;
    else delete result.required;
  }
  return result;
};

/** What zod itself cannot express: the shape as far as it is known, `{}` for the rest. */
const approximateSchema = (schema, depth) => {
  if (depth > 16) return {};
  const def = zodDef(schema);
  switch (zodType(schema)) {
    case "string":
    case "boolean":
    case "number":
      return { type: zodType(schema) };
    case "optional":
    case "nullable":
      return approximateSchema(def.innerType, depth + 1);
    case "default": {
      const value = typeof def.defaultValue === "function" ? def.defaultValue() : def.defaultValue;
      return { ...approximateSchema(def.innerType, depth + 1), default: value };
    }
    case "effects":
      return approximateSchema(def.schema, depth + 1);
    case "array":
      return { type: "array", items: approximateSchema(def.element ?? def.type, depth + 1) };
    case "record":
      return { type: "object", additionalProperties: approximateSchema(def.valueType, depth + 1) };
    case "enum":
      return { type: "string", enum: Object.values(def.entries ?? def.values ?? {}) };
    case "literal":
      return { enum: def.values ?? [def.value] };
    case "object": {
      const shape = shapeOf(schema) ?? {};
      const properties = {};
      const required = [];
      for (const [key, field] of Object.entries(shape)) {
        properties[key] = approximateSchema(field, depth + 1);
        const type = zodType(field);
        if (type !== "optional" && type !== "default") required.push(key);
      }
      return { type: "object", properties, ...(required.length > 0 ? { required } : {}) };
    }
    default:
      return {};
  }
};

