// node:tty: nothing here is a terminal.

import { register } from "marsh:core";
import { missing } from "marsh:unsupported";

export const isatty = () => false;
export const ReadStream = missing("tty.ReadStream");
export const WriteStream = missing("tty.WriteStream");
export default register("node:tty", { isatty, ReadStream, WriteStream });
