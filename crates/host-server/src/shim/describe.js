// Schemas as plain data.

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
