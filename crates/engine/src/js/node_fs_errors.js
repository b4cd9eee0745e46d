// Errors of the file system as Node says them: text, code, errno, syscall, path.

import { register } from "marsh:core";

const texts = {
  ENOENT: "no such file or directory", EEXIST: "file already exists", EACCES: "permission denied", EPERM: "operation not permitted",
  ENOTDIR: "not a directory", EISDIR: "illegal operation on a directory", ENOTEMPTY: "directory not empty", ELOOP: "too many symbolic links encountered",
  EBADF: "bad file descriptor", EINVAL: "invalid argument", EXDEV: "cross-device link not permitted", ENOSPC: "no space left on device",
  ENAMETOOLONG: "name too long", EBUSY: "resource busy or locked", ETXTBSY: "text file is busy",
};

const shown = (path) => (path instanceof Uint8Array ? new TextDecoder().decode(path) : path instanceof URL ? decodeURIComponent(path.pathname) : String(path));

export function nodeError(code, errno, syscall, path, dest) {
  let message = `${code}: ${texts[code] ?? "unknown error"}, ${syscall}`;
  if (path !== undefined) message += ` '${shown(path)}'`;
  if (dest !== undefined) message += ` -> '${shown(dest)}'`;
  const error = Object.assign(new Error(message), { errno, code, syscall });
  if (path !== undefined) error.path = shown(path);
  if (dest !== undefined) error.dest = shown(dest);
  return error;
}

const ofTwo = new Set(["rename", "copyfile", "link", "symlink", "cp"]);

/** What the system said, in Node's words; anything else as it is. */
export function told(error, syscall, [path, dest]) {
  const broken = [path, dest].find((each) => typeof each === "string" && each.includes("\0"));
  if (error?.code === "EINVAL" && broken !== undefined) {
    const message = `The argument 'path' must be a string or Uint8Array without null bytes. Received ${JSON.stringify(broken)}`;
    return Object.assign(new TypeError(message), { code: "ERR_INVALID_ARG_VALUE" });
  }
  const number = /\(os error (\d+)\)/.exec(error?.message)?.[1];
  if (number === undefined || typeof error.code !== "string" || error.syscall) return error;
  return nodeError(error.code, -Number(number), syscall, path, ofTwo.has(syscall) ? dest : undefined);
}

export const sync = (syscall, method) => (...args) => {
  try {
    return method(...args);
  } catch (error) {
    throw told(error, syscall, args);
  }
};
export const later = (syscall, method) => async (...args) => {
  try {
    return await method(...args);
  } catch (error) {
    throw told(error, syscall, args);
  }
};

register("marsh:node_fs_errors", { nodeError, told, sync, later });
