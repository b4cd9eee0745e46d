// node:url

import { call as host, lazy, register } from "marsh:core";
import { missing } from "marsh:unsupported";

const { URL, URLSearchParams } = lazy("marsh:url");
export { URL, URLSearchParams };
export const fileURLToPath = (url) => {
  if (URL.canParse(url) && new URL(url).protocol !== "file:") {
    throw Object.assign(new TypeError("The URL must be of scheme file"), { code: "ERR_INVALID_URL_SCHEME" });
  }
  return host("url.toPath", String(url));
};
export const pathToFileURL = (path) => new URL(host("url.fromPath", path));
export const domainToASCII = (name) => (URL.canParse(`ws://${name}`) ? new URL(`ws://${name}`).hostname : "");
export const domainToUnicode = missing("url.domainToUnicode");

export class Url {
  protocol = null; slashes = null; auth = null; host = null; port = null; hostname = null;
  hash = null; search = null; query = null; pathname = null; path = null; href = "";
  format() { return format(this); }
}
/** The parser from before the web's, as far as both agree on what a URL is. */
export function parse(text, withQuery = false) {
  text = String(text).trim();
  const found = new Url();
  const [, protocol, slashes, authority, pathname, search, hash] = /^([A-Za-z][A-Za-z0-9+.-]*:)?(?:(\/\/)([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(text);
  found.protocol = protocol?.toLowerCase() ?? null;
  if (slashes && protocol) {
    const at = authority.lastIndexOf("@");
    found.slashes = true;
    found.auth = at < 0 ? null : decodeURIComponent(authority.slice(0, at));
    found.host = authority.slice(at + 1).toLowerCase();
    [, found.hostname, found.port = null] = /^(.*?)(?::(\d*))?$/.exec(found.host);
    if (found.hostname.startsWith("[")) found.hostname = found.hostname.slice(1, -1);
  }
  const rest = slashes && !protocol ? `//${authority}${pathname}` : pathname;
  found.pathname = rest || (found.slashes ? "/" : null);
  found.search = search ?? (withQuery ? "" : null);
  found.query = withQuery ? { ...lazy("node:querystring").parse(search?.slice(1) ?? "") } : search?.slice(1) ?? null;
  found.hash = hash ?? null;
  found.path = found.pathname === null && !found.search ? null : `${found.pathname ?? ""}${found.search ?? ""}`;
  found.href = format(found);
  return found;
}
export function format(url, options = {}) {
  if (typeof url === "string") return parse(url).href;
  if (url instanceof URL) {
    const { auth = true, fragment = true, search = true } = options;
    const shown = new URL(url.href);
    if (!auth) shown.username = shown.password = "";
    if (!fragment) shown.hash = "";
    if (!search) shown.search = "";
    return shown.href;
  }
  const { auth, hash, hostname, pathname, port, query } = url;
  let { host, protocol, search } = url;
  protocol = protocol ? protocol.replace(/:?$/, ":") : "";
  if (!host && hostname) host = (hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname) + (port ? `:${port}` : "");
  const slashes = url.slashes || /^(?:https?|ftp|file|wss?):$/.test(protocol);
  let out = protocol + (host || (slashes && protocol === "file:") ? "//" : "");
  if (host) out += (auth ? `${encodeURIComponent(auth).replace("%3A", ":")}@` : "") + host;
  if (pathname) out += (host && !pathname.startsWith("/") ? "/" : "") + pathname.replace(/[?#]/g, encodeURIComponent);
  search ??= typeof query === "object" && query !== null && Object.keys(query).length ? lazy("node:querystring").stringify(query) : "";
  if (search) out += search.startsWith("?") ? search.replaceAll("#", "%23") : `?${search.replaceAll("#", "%23")}`;
  return out + (hash ? (hash.startsWith("#") ? hash : `#${hash}`) : "");
}
export const urlToHttpOptions = (url) => ({
  protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ""), hash: url.hash, search: url.search, pathname: url.pathname,
  path: `${url.pathname}${url.search}`, href: url.href, ...(url.port ? { port: Number(url.port) } : {}),
  ...(url.username ? { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` } : {}),
});
export const resolve = (from, to) => new URL(to, from).href;
export default register("node:url", { URL, URLSearchParams, fileURLToPath, pathToFileURL, domainToASCII, domainToUnicode, Url, urlToHttpOptions, parse, format, resolve });
