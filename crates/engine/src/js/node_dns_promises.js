// node:dns/promises

import { register } from "marsh:core";
import { promises } from "node:dns";

export const { lookup, resolve, resolve4, resolve6, resolveMx, resolveTxt, resolveSrv, reverse, getServers, setServers, Resolver } = promises;
export default register("node:dns/promises", promises);
