// The two functions that the engine calls.

export const init = ({ namespace, externals }) => {
  loadedNamespace = namespace;
  zodNamespace = findZod(externals);
};

export const dispatch = (op, params, call) => {
  switch (op) {
    case "describe":
      return describeModel();
    case "load":
      return null;
    case "exports":
      return Object.keys(loadedNamespace ?? {});
    case "run":
      return runMethod(params, call);
    default:
      throw coded("unsupported", `the driver has no operation \`${op}\``);
  }
};
