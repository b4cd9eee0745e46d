// What a model offers, as plain data: everything that commands need to know without running its code again.

const describeSchema = (schema) => {
  const shape = shapeOf(schema);
  return {
    schema: toJsonSchema(schema),
    keys: shape ? Object.keys(shape) : null,
    open: shape ? isOpen(schema) : true,
    record: isRecord(schema),
    sensitive: sensitiveFields(schema),
  };
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

const describeModel = () => {
  const model = theModel();
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

