// node:os

import { call as host, register } from "marsh:core";
import { missing } from "marsh:unsupported";

const info = host("os.info");
export const EOL = "\n";
export const devNull = "/dev/null";
export const platform = () => info.os;
export const type = () => info.sysname;
export const release = () => info.release;
export const version = () => info.version;
export const machine = () => info.machine;
export const arch = () => (info.arch === "x86_64" ? "x64" : info.arch === "aarch64" ? "arm64" : info.arch);
export const hostname = () => host("os.hostname");
export const homedir = () => host("env.get", "HOME") ?? "/";
export const tmpdir = () => (host("env.get", "TMPDIR") ?? "/tmp").replace(/(?<=.)\/$/, "");
export const endianness = () => (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? "LE" : "BE");
export const availableParallelism = () => info.cpus;
export const cpus = () => Array.from({ length: info.cpus }, () => ({ model: "", speed: 0, times: {} }));
export const userInfo = () => ({ uid: info.uid, gid: info.gid, username: host("env.get", "USER") ?? "", homedir: homedir(), shell: host("env.get", "SHELL") ?? null });
export const loadavg = () => host("os.load").loads;
export const networkInterfaces = missing("os.networkInterfaces");
export const totalmem = () => host("os.systemMemory").total;
export const freemem = () => host("os.systemMemory").available;
export const uptime = () => host("os.load").uptime;
export const constants = { signals: { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 } };
export default register("node:os", {
  EOL, devNull, platform, type, release, version, machine, arch, hostname, homedir, tmpdir, endianness, availableParallelism,
  cpus, userInfo, loadavg, networkInterfaces, totalmem, freemem, uptime, constants,
});
