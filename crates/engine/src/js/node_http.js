// node:http: the client, and servers on loopback addresses.

import { register } from "marsh:core";
import { Agent, ClientRequest, IncomingMessage } from "marsh:node_http_client";
import { Writable } from "node:stream";
import { Server, ServerResponse, createServer } from "marsh:node_http_server";

export { Agent, ClientRequest, IncomingMessage, Server, ServerResponse, createServer };
export const globalAgent = new Agent({ keepAlive: true });
export const request = (input, options, callback) => new ClientRequest("http:", input, options, callback);
export function get(input, options, callback) {
  const made = request(input, options, callback);
  made.end();
  return made;
}
export const METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
export const STATUS_CODES = {
  100: "Continue", 101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content",
  205: "Reset Content", 206: "Partial Content", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Found", 303: "See Other",
  304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
  403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
  408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required", 412: "Precondition Failed", 413: "Payload Too Large",
  414: "URI Too Long", 415: "Unsupported Media Type", 416: "Range Not Satisfiable", 417: "Expectation Failed", 418: "I'm a Teapot",
  422: "Unprocessable Entity", 423: "Locked", 424: "Failed Dependency", 425: "Too Early", 426: "Upgrade Required", 428: "Precondition Required",
  429: "Too Many Requests", 431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons", 500: "Internal Server Error",
  501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
  507: "Insufficient Storage", 511: "Network Authentication Required",
};
export class OutgoingMessage extends Writable {}
export const maxHeaderSize = 16384;
export const validateHeaderName = (name) => void new Headers([[name, ""]]);
export const validateHeaderValue = (name, value) => void new Headers([[name, value]]);
export default register("node:http", {
  Agent, ClientRequest, IncomingMessage, OutgoingMessage, globalAgent, request, get, METHODS, STATUS_CODES, maxHeaderSize, validateHeaderName,
  validateHeaderValue, createServer, Server, ServerResponse,
});
