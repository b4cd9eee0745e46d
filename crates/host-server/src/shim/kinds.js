// What all kinds share: registration, the checked export, configuration, instances.

const PLUGIN_TYPE = /^@?[a-z0-9_-]+(\/[a-z0-9_-]+)+$/i;

const checkIdentity = (value, kind, pattern = PLUGIN_TYPE) => {
  wantObject(value, kind);
  wantText(value.type, `${kind}.type`);
  if (!pattern.test(value.type)) {
    complain(`${kind}.type`, "must be a name like `@collective/name` of letters, digits, `-` and `_`");
  }
  wantText(value.name, `${kind}.name`);
  wantText(value.description, `${kind}.description`);
  if (value.configSchema !== undefined) wantZod(value.configSchema, `${kind}.configSchema`);
};

const wantTextsIfAny = (value, path) => {
  if (value === undefined) return;
  if (!Array.isArray(value) || value.some((text) => typeof text !== "string")) complain(path, "must be an array of texts");
};

const checkProvided = (kind) => (value) => {
  checkIdentity(value, kind);
  wantFunction(value.createProvider, `${kind}.createProvider`);
};

const describePlugin = (kind) => (value) => ({
  kind,
  type: value.type,
  name: value.name,
  description: value.description,
  version: value.version,
  config: value.configSchema ? describeSchema(value.configSchema) : null,
});

/** The kinds by the name of the export. Each file below `kinds/` registers its own. */
const KINDS = new Map();

/**
 * Registers a kind. `check` throws when an export breaks the contract, `describe` says what the export offers, and
 * `operations` are what marsh can ask of it, as the row of the kind in `crates/types/src/kind.rs` lists them.
 */
const registerKind = (kind, { check, describe, operations = {}, checkedExport }) => {
  KINDS.set(kind, { check, describe, operations, checkedExport });
};

/** What the module exports; `init` sets it. */
let loadedNamespace = null;

const checkedExports = new Map();

/** The export of a kind, checked once. */
const theExport = (kind) => {
  if (checkedExports.has(kind)) return checkedExports.get(kind);
  if (!KINDS.has(kind)) throw coded("unsupported", `unknown kind \`${kind}\``);
  const { check, checkedExport } = KINDS.get(kind);
  if (checkedExport) return checkedExport();
  const value = loadedNamespace?.[kind];
  if (value === undefined) {
    throw coded("contract_violation", `the module does not export \`${kind}\``, { field: kind });
  }
  check(value);
  checkedExports.set(kind, value);
  return value;
};

const describeKind = (kind) => {
  const value = theExport(kind);
  return KINDS.get(kind).describe(value);
};

/** The configuration as the schema reads it, or as it is. */
const parsedConfig = (kind, value, config) => {
  if (!value.configSchema) return config;
  const parsed = value.configSchema.safeParse(config);
  if (!parsed.success) throw validationError(`configuration of the ${kind} \`${value.type}\``, parsed.error);
  return parsed.data;
};

const instances = new Map();
const MAX_INSTANCES = 64;

/**
 * What a factory made for a configuration. Kept for the life of the module version, so that a session that a provider
 * opened serves more than one call; a factory that fails is asked again.
 */
const instanceOf = async (kind, params, make) => {
  const value = theExport(kind);
  const key = JSON.stringify([kind, params.name ?? null, params.config ?? {}]);
  if (instances.has(key)) return instances.get(key);
  const made = await make(value, parsedConfig(kind, value, params.config ?? {}));
  if (made === null || typeof made !== "object") {
    throw coded("contract_violation", `the factory of the ${kind} \`${value.type}\` did not return an object`, { field: kind });
  }
  if (instances.size >= MAX_INSTANCES) instances.delete(instances.keys().next().value);
  instances.set(key, made);
  return made;
};

/** Calls a member that the contract of a kind names. */
const callMember = (object, what, member, ...args) => {
  if (typeof object[member] !== "function") {
    throw coded("unsupported", `${what} has no \`${member}\``, { member });
  }
  return object[member](...args);
};
