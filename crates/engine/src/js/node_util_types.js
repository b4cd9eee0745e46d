// node:util/types

import { register } from "marsh:core";
import { types } from "node:util";

export const {
  isDate, isRegExp, isMap, isSet, isPromise, isWeakMap, isWeakSet, isNativeError, isArrayBuffer, isSharedArrayBuffer, isUint8Array, isDataView,
  isAnyArrayBuffer, isArrayBufferView, isTypedArray, isAsyncFunction, isGeneratorFunction, isBoxedPrimitive, isProxy,
} = types;
export default register("node:util/types", types);
