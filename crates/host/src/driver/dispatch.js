// The two functions that the engine calls.

export const init = ({ namespace, externals }) => {
  loadedNamespace = namespace;
  zodNamespace = findZod(externals);
};

/** What can be called on an export, by kind. */
const OPERATIONS = {
  vault: VAULT_OPERATIONS,
  report: REPORT_OPERATIONS,
  datastore: DATASTORE_OPERATIONS,
  driver: DRIVER_OPERATIONS,
};

export const dispatch = (op, params, call) => {
  const [kind, operation] = op.split(".");
  if (operation !== undefined && Object.hasOwn(OPERATIONS, kind) && Object.hasOwn(OPERATIONS[kind], operation)) {
    return OPERATIONS[kind][operation](params, call);
  }
  switch (op) {
    case "describe":
      return describeKind(params?.kind ?? "model");
    case "load":
      return null;
    case "exports":
      return Object.keys(loadedNamespace ?? {});
    case "prepare":
      return prepareMethod(params, call);
    case "run":
      return runMethod(params, call);
    default:
      throw coded("unsupported", `the driver has no operation \`${op}\``);
  }
};
