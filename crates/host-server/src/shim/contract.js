// Complaints about an export: each names the field.

const complain = (path, problem) => {
  throw coded("contract_violation", `\`${path}\` ${problem}`, { field: path });
};

const wantObject = (value, path) => {
  if (value === null || typeof value !== "object" || Array.isArray(value)) complain(path, "must be an object");
};
const wantText = (value, path) => {
  if (typeof value !== "string" || value === "") complain(path, "must be a non-empty string");
};
const wantFunction = (value, path) => {
  if (typeof value !== "function") complain(path, "must be a function");
};
const wantZod = (value, path) => {
  if (!isZod(value)) complain(path, "must be a zod schema");
};
