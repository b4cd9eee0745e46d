// Deno.errors

import { register } from "marsh:core";

const names = [
  "NotFound", "PermissionDenied", "ConnectionRefused", "ConnectionReset", "ConnectionAborted", "NotConnected",
  "AddrInUse", "AddrNotAvailable", "BrokenPipe", "AlreadyExists", "InvalidData", "TimedOut", "Interrupted",
  "WriteZero", "WouldBlock", "UnexpectedEof", "BadResource", "Http", "Busy", "NotSupported", "FilesystemLoop",
  "IsADirectory", "NetworkUnreachable", "NotADirectory", "NotCapable",
];

export const errors = {};
for (const name of names) {
  errors[name] = {
    [name]: class extends Error {
      constructor(message, options) {
        super(message, options);
        this.name = name;
      }
    },
  }[name];
}

register("marsh:errors", { errors });
