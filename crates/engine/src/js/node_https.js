// node:https: the client.

import { register } from "marsh:core";
import { Agent as Plain, ClientRequest } from "marsh:node_http_client";
import { missing } from "marsh:unsupported";

export class Agent extends Plain {
  constructor(options) {
    super(options);
    this.defaultPort = 443;
    this.protocol = "https:";
  }
}
export const globalAgent = new Agent({ keepAlive: true });
export const request = (input, options, callback) => new ClientRequest("https:", input, options, callback);
export function get(input, options, callback) {
  const made = request(input, options, callback);
  made.end();
  return made;
}
export const createServer = missing("node:https.createServer");
export const Server = missing("node:https.Server");
export default register("node:https", { Agent, globalAgent, request, get, createServer, Server });
