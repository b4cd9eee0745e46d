// Shared by both models: a file whose name starts with `_`, or that is in such a directory, does not declare a type.

/** `3 files`, `1 file`. */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** A bar of at most `width` characters, as long as `part` of `whole`. */
export function bar(part: number, whole: number, width = 24): string {
  const length = whole === 0 ? 0 : Math.max(1, Math.round((part / whole) * width));
  return "#".repeat(length);
}
