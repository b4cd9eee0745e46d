// Models: what the export must look like, and what it offers as plain data: everything that commands need to know without
// running its code again.

const CALVER = /^\d{4}\.\d{2}\.\d{2}\.\d+$/;

const checkMethod = (method, path) => {
  wantObject(method, path);
  wantText(method.description, `${path}.description`);
  wantZod(method.arguments, `${path}.arguments`);
  wantFunction(method.execute, `${path}.execute`);
  const kinds = ["create", "read", "update", "delete", "list", "action"];
  if (method.kind !== undefined && !kinds.includes(method.kind)) {
    complain(`${path}.kind`, `must be one of ${kinds.join(", ")}`);
  }
};

const checkOutputs = (outputs, path, extra) => {
  if (outputs === undefined) return;
  wantObject(outputs, path);
  for (const [name, spec] of Object.entries(outputs)) {
    wantObject(spec, `${path}.${name}`);
    extra(spec, `${path}.${name}`);
    wantText(spec.lifetime, `${path}.${name}.lifetime`);
    const gc = spec.garbageCollection;
    if (!(Number.isInteger(gc) && gc > 0) && typeof gc !== "string") {
      complain(`${path}.${name}.garbageCollection`, "must be a positive whole number or a duration");
    }
  }
};

const checkChecks = (checks, path) => {
  if (checks === undefined) return;
  wantObject(checks, path);
  for (const [name, check] of Object.entries(checks)) {
    wantObject(check, `${path}.${name}`);
    wantText(check.description, `${path}.${name}.description`);
    wantFunction(check.execute, `${path}.${name}.execute`);
  }
};

const compareCalVer = (a, b) => {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let i = 0; i < 4; i++) if (left[i] !== right[i]) return left[i] - right[i];
  return 0;
};

const checkUpgrades = (upgrades, version) => {
  if (upgrades === undefined) return;
  if (!Array.isArray(upgrades)) complain("model.upgrades", "must be an array");
  let previous;
  upgrades.forEach((upgrade, index) => {
    const path = `model.upgrades[${index}]`;
    wantObject(upgrade, path);
    if (!CALVER.test(upgrade.toVersion)) complain(`${path}.toVersion`, "must be a version YYYY.MM.DD.MICRO");
    wantFunction(upgrade.upgradeAttributes, `${path}.upgradeAttributes`);
    // Two steps to one version are applied in their order; published models have them. A push refuses them.
    if (previous !== undefined && compareCalVer(previous, upgrade.toVersion) > 0) {
      complain(`${path}.toVersion`, `must not be earlier than the one before it (${previous})`);
    }
    previous = upgrade.toVersion;
  });
  if (previous !== undefined && previous !== version) {
    complain("model.upgrades", `must end at the model's version ${version}, not at ${previous}`);
  }
};

const checkModel = (model) => {
  wantObject(model, "model");
  wantText(model.type, "model.type");
  wantText(model.version, "model.version");
  if (!CALVER.test(model.version)) complain("model.version", "must be a version YYYY.MM.DD.MICRO");
  if (model.globalArguments !== undefined) wantZod(model.globalArguments, "model.globalArguments");
  wantObject(model.methods, "model.methods");
  for (const [name, method] of Object.entries(model.methods)) checkMethod(method, `model.methods.${name}`);
  checkOutputs(model.resources, "model.resources", (spec, path) => wantZod(spec.schema, `${path}.schema`));
  checkOutputs(model.files, "model.files", (spec, path) => wantText(spec.contentType, `${path}.contentType`));
  checkChecks(model.checks, "model.checks");
  checkUpgrades(model.upgrades, model.version);
  return model;
};

let checkedModel = null;

const wantModel = (namespace) => {
  if (namespace?.model === undefined) {
    throw coded("contract_violation", "the module does not export `model`", { field: "model" });
  }
  return namespace.model;
};

const theModel = () => {
  // A module version with method extensions has parts: the base first, then the method extensions.
  checkedModel ??= loadedNamespace?.marshParts
    ? joinParts(loadedNamespace.marshParts)
    : checkModel(wantModel(loadedNamespace));
  return checkedModel;
};

/** The declared kind of a method, or the one its name says. */
const methodKind = (name, method) => {
  if (method.kind) return method.kind;
  const lower = name.toLowerCase();
  if (lower === "create") return "create";
  if (["get", "read", "describe", "show"].includes(lower)) return "read";
  if (["update", "patch"].includes(lower)) return "update";
  if (["delete", "destroy", "remove"].includes(lower)) return "delete";
  if (["list", "search", "find"].includes(lower)) return "list";
  return undefined;
};

const describeOutput = (spec) => ({
  description: spec.description,
  contentType: spec.contentType,
  lifetime: spec.lifetime,
  garbageCollection: spec.garbageCollection,
  streaming: spec.streaming,
  tags: spec.tags,
});

const mapValues = (record, convert) =>
  Object.fromEntries(Object.entries(record ?? {}).map(([name, value]) => [name, convert(value, name)]));

const describeModel = (model) => {
  return {
    kind: "model",
    type: model.type,
    version: model.version,
    globalArguments: model.globalArguments ? describeSchema(model.globalArguments) : null,
    methods: mapValues(model.methods, (method, name) => ({
      description: method.description,
      kind: methodKind(name, method),
      rollbackOnFailure: method.rollbackOnFailure === true,
      graft: partOf.methods[name],
      arguments: describeSchema(method.arguments),
    })),
    resources: mapValues(model.resources, (spec) => ({
      ...describeOutput(spec),
      schema: toJsonSchema(spec.schema),
      sensitive: sensitiveFields(spec.schema),
      sensitiveOutput: spec.sensitiveOutput === true,
      vaultName: spec.vaultName,
    })),
    files: mapValues(model.files, describeOutput),
    checks: mapValues(model.checks, (check) => ({
      description: check.description,
      labels: check.labels ?? [],
      appliesTo: check.appliesTo,
    })),
    upgrades: (model.upgrades ?? []).map(({ toVersion, description }) => ({ toVersion, description })),
    reports: model.reports ?? [],
    graftTypes: (loadedNamespace.marshParts ?? []).slice(1).map((part) => part.extension.type),
  };
};

registerKind("model", { check: checkModel, describe: describeModel, checkedExport: () => theModel() });
