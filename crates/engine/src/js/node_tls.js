// node:tls: connections to others, from the start or on top of a node:net socket.

import { register } from "marsh:core";
import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { missing } from "marsh:unsupported";

const pems = (given) => (given === undefined || given === null ? undefined : [given].flat().map((pem) => Buffer.from(pem).toString()));

export class TLSSocket extends Socket {
  encrypted = true;
  authorized = false;
  alpnProtocol = false;
  constructor(options = {}) {
    super(options);
    this._after = () => {
      this.authorized = !this._insecure;
      this.emit("secureConnect");
    };
  }
  async _dial(options) {
    const D = globalThis.Deno;
    const { host, hostname, port, socket, servername, ca, cert, key, rejectUnauthorized, ALPNProtocols, secureContext } = { ...options.secureContext?.options, ...options };
    this._insecure = rejectUnauthorized === false;
    const trust = {
      caCerts: pems(ca), cert: pems(cert)?.[0], key: pems(key)?.[0], insecure: this._insecure, alpnProtocols: ALPNProtocols?.map(String),
    };
    let conn;
    if (socket) conn = await D.startTls(await socket._ready(), { ...trust, hostname: servername || host || hostname });
    else conn = await D.connectTls({ ...trust, hostname: hostname ?? host ?? "localhost", port, serverName: servername || undefined });
    this.alpnProtocol = (await conn.handshake()).alpnProtocol ?? false;
    return conn;
  }
  getPeerCertificate() { return missing("tls.TLSSocket.getPeerCertificate")(); }
  getProtocol() { return "TLSv1.3"; }
  getCipher() { return missing("tls.TLSSocket.getCipher")(); }
}
export function connect(...args) {
  const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
  let options = {};
  if (typeof args[0] === "object") [options] = args;
  else options = { port: args[0], ...(typeof args[1] === "string" ? { host: args[1], ...args[2] } : args[1]) };
  const socket = new TLSSocket(options);
  if (callback) socket.once("secureConnect", callback);
  return socket.connect(options);
}
export const createSecureContext = (options) => ({ options: { ...options } });
export const checkServerIdentity = () => undefined;
export const rootCertificates = [];
export const DEFAULT_MIN_VERSION = "TLSv1.2";
export const DEFAULT_MAX_VERSION = "TLSv1.3";
export const Server = missing("node:tls.Server");
export const createServer = missing("node:tls.createServer");
export default register("node:tls", {
  TLSSocket, connect, createSecureContext, checkServerIdentity, rootCertificates, DEFAULT_MIN_VERSION, DEFAULT_MAX_VERSION, Server, createServer,
});
