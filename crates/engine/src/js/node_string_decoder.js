// node:string_decoder

import { register } from "marsh:core";
import { StringDecoder } from "marsh:string_decoder";

export { StringDecoder };
export default register("node:string_decoder", { StringDecoder });
