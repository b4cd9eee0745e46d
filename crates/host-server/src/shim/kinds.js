// The kinds beside models: what each export must look like, how it is described, what can be called on it. Adding a kind
// adds a row here.

const PLUGIN_TYPE = /^@?[a-z0-9_-]+(\/[a-z0-9_-]+)+$/i;
const DRIVER_TYPE = /^@?[a-z0-9_-]+(\/[a-z0-9_-]+)*$/i;

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

const checkReport = (report) => {
  wantObject(report, "report");
  wantText(report.name, "report.name");
  if (!PLUGIN_TYPE.test(report.name)) complain("report.name", "must be a name like `@collective/name`");
  wantText(report.description, "report.description");
  if (!["method", "model", "workflow"].includes(report.scope)) {
    complain("report.scope", "must be one of method, model, workflow");
  }
  wantTextsIfAny(report.labels, "report.labels");
  wantFunction(report.execute, "report.execute");
};

const checkDriver = (driver) => {
  checkIdentity(driver, "driver", DRIVER_TYPE);
  wantFunction(driver.createDriver, "driver.createDriver");
};

const describePlugin = (kind) => (value) => ({
  kind,
  type: value.type,
  name: value.name,
  description: value.description,
  version: value.version,
  config: value.configSchema ? describeSchema(value.configSchema) : null,
});

const describeReport = (report) => ({
  kind: "report",
  type: report.name,
  name: report.name,
  description: report.description,
  scope: report.scope,
  labels: report.labels ?? [],
});

const describeExtension = (added) => ({
  kind: "extension",
  type: added.type,
  methods: addedEntries(added.methods).map(([name]) => name),
});

const KINDS = {
  model: { check: checkModel, describe: () => describeModel() },
  extension: { check: checkExtension, describe: describeExtension },
  vault: { check: checkProvided("vault"), describe: describePlugin("vault") },
  datastore: { check: checkProvided("datastore"), describe: describePlugin("datastore") },
  driver: { check: checkDriver, describe: describePlugin("driver") },
  report: { check: checkReport, describe: describeReport },
};

const checkedExports = new Map();

/** The export of a kind, checked once. */
const theExport = (kind) => {
  if (checkedExports.has(kind)) return checkedExports.get(kind);
  if (!Object.hasOwn(KINDS, kind)) throw coded("unsupported", `there is no kind \`${kind}\``);
  const value = loadedNamespace?.[kind];
  if (value === undefined) {
    throw coded("contract_violation", `the module does not export \`${kind}\``, { field: kind });
  }
  KINDS[kind].check(value);
  checkedExports.set(kind, value);
  return value;
};

const describeKind = (kind) => (kind === "model" ? describeModel() : KINDS[kind].describe(theExport(kind)));

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
