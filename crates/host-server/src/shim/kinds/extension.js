// Method extensions: methods, checks and resources that other modules add to a model type. What is attached follows from the module
// version alone: its parts are the base and every method extension, and they are joined once, when the version is loaded.

/** The entries of a method extension's records, in order; `methods` may be an array of records or one record. */
const addedEntries = (records) => (Array.isArray(records) ? records : [records ?? {}]).flatMap((record) => Object.entries(record ?? {}));

const wantRecords = (value, path) => {
  const records = Array.isArray(value) ? value : [value];
  records.forEach((record, index) => wantObject(record, Array.isArray(value) ? `${path}[${index}]` : path));
};

const wantOnce = (entries, path) => {
  const seen = new Set();
  for (const [name] of entries) {
    if (seen.has(name)) complain(`${path}.${name}`, "is declared twice");
    seen.add(name);
  }
};

const checkExtension = (added) => {
  wantObject(added, "extension");
  wantText(added.type, "extension.type");
  if (added.methods === undefined) complain("extension.methods", "must be an array of objects");
  wantRecords(added.methods, "extension.methods");
  const methods = addedEntries(added.methods);
  wantOnce(methods, "extension.methods");
  for (const [name, method] of methods) checkMethod(method, `extension.methods.${name}`);
  if (added.checks !== undefined) wantRecords(added.checks, "extension.checks");
  const checks = addedEntries(added.checks);
  wantOnce(checks, "extension.checks");
  checkChecks(Object.fromEntries(checks), "extension.checks");
  checkOutputs(added.resources, "extension.resources", (spec, path) => wantZod(spec.schema, `${path}.schema`));
  return added;
};

/** A schema that takes anything: what marsh's own types declare is checked by marsh. */
const anySchema = { _def: { type: "any" }, parse: (value) => value, safeParse: (data) => ({ success: true, data }) };

/** A built-in type as method extensions see it; its own methods run elsewhere. */
const builtinModel = ({ type, version, methods, resources, files }) => ({
  type,
  version,
  methods: {},
  taken: methods,
  resources: Object.fromEntries(Object.entries(resources).map(([name, spec]) => [name, { ...spec, schema: anySchema }])),
  files,
});

let partOf = { methods: {}, checks: {}, resources: {} };

/** The model that all parts make together. */
const joinParts = (parts) => {
  const base = parts[0].builtin ? builtinModel(parts[0].builtin) : checkModel(wantModel(parts[0]));
  const joined = { ...base, methods: { ...base.methods }, checks: { ...base.checks }, resources: { ...base.resources } };
  const owner = { methods: {}, checks: {}, resources: {} };
  const add = (group, name, value, part) => {
    const first = Object.hasOwn(joined[group], name) ? owner[group][name] ?? 0 : base.taken?.includes(name) && group === "methods" ? 0 : undefined;
    if (first !== undefined) {
      throw coded("graft_conflict", `\`${name}\` is declared twice`, { group, name, parts: [first, part] });
    }
    joined[group][name] = value;
    owner[group][name] = part;
  };
  parts.slice(1).forEach((namespace, index) => {
    const part = index + 1;
    let added;
    try {
      if (namespace.extension === undefined) complain("extension", "is not exported");
      added = checkExtension(namespace.extension);
    } catch (error) {
      if (error?.data) error.data.part = part;
      throw error;
    }
    for (const [name, method] of addedEntries(added.methods)) add("methods", name, method, part);
    for (const [name, check] of addedEntries(added.checks)) add("checks", name, check, part);
    for (const [name, spec] of Object.entries(added.resources ?? {})) add("resources", name, spec, part);
  });
  partOf = owner;
  return joined;
};

const describeExtension = (added) => ({
  kind: "extension",
  type: added.type,
  methods: addedEntries(added.methods).map(([name]) => name),
});

registerKind("extension", { check: checkExtension, describe: describeExtension });
