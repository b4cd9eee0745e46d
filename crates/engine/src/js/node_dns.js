// node:dns, as far as the system's own resolver answers.

import { register, start } from "marsh:core";
import { isIP } from "node:net";
import { missing } from "marsh:unsupported";

async function lookupAll(name, family) {
  try {
    const found = await start("dns.lookup", String(name), { IPv4: 4, IPv6: 6 }[family] ?? family ?? 0);
    if (found.length) return found.map((address) => ({ address, family: isIP(address) }));
  } catch (cause) {
    throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`, { cause }), { code: "ENOTFOUND", syscall: "getaddrinfo", hostname: name });
  }
  throw Object.assign(new Error(`queryA ENODATA ${name}`), { code: "ENODATA", hostname: name });
}
const addresses = (family) => async (name) => (await lookupAll(name, family)).map(({ address }) => address);
export const promises = {
  async lookup(name, options = {}) {
    const { family, all } = typeof options === "number" ? { family: options } : options;
    const found = await lookupAll(name, family);
    return all ? found : found[0];
  },
  resolve4: addresses(4),
  resolve6: addresses(6),
  resolve: (name, type = "A") => ({ A: promises.resolve4, AAAA: promises.resolve6 }[type] ?? missing(`dns.resolve of ${type} records`))(name),
  setDefaultResultOrder() {},
  getServers: missing("dns.getServers"),
};
for (const name of ["resolveMx", "resolveTxt", "resolveSrv", "resolveNs", "resolveCname", "reverse", "lookupService", "setServers", "Resolver"]) promises[name] = missing(`dns.${name}`);
const later = (promise, callback) => promise.then((value) => setTimeout(callback, 0, null, value), (error) => setTimeout(callback, 0, error));
export function lookup(name, options, callback = options) {
  if (typeof options === "function") options = {};
  const all = typeof options === "object" && options?.all;
  promises.lookup(name, options).then((found) => setTimeout(() => (all ? callback(null, found) : callback(null, found.address, found.family)), 0), (error) => setTimeout(callback, 0, error));
}
export const resolve4 = (name, options, callback = options) => later(promises.resolve4(name), callback);
export const resolve6 = (name, options, callback = options) => later(promises.resolve6(name), callback);
export function resolve(name, type, callback = type) { later(promises.resolve(name, typeof type === "string" ? type : "A"), callback); }
export const { setDefaultResultOrder, getServers, setServers, resolveMx, resolveTxt, resolveSrv, resolveNs, resolveCname, reverse, lookupService, Resolver } = promises;
export default register("node:dns", {
  promises, lookup, resolve, resolve4, resolve6, setDefaultResultOrder, getServers, setServers, resolveMx, resolveTxt, resolveSrv, resolveNs,
  resolveCname, reverse, lookupService, Resolver,
});
