import wt, { isMainThread, threadId, parentPort, workerData, receiveMessageOnPort } from "node:worker_threads";
check("the main thread", () => [isMainThread, threadId, parentPort, workerData, typeof wt.Worker, typeof wt.resourceLimits]);
check("channels are the global ones", () => [wt.MessageChannel === MessageChannel, wt.MessagePort === MessagePort, wt.BroadcastChannel === BroadcastChannel]);
check("receiveMessageOnPort", () => { const { port1, port2 } = new wt.MessageChannel(); port1.postMessage({ a: [1] }); port1.postMessage(2); const seen = [receiveMessageOnPort(port2), receiveMessageOnPort(port2), receiveMessageOnPort(port2)]; port1.close(); return seen; });
check("on and once", async () => { const { port1, port2 } = new wt.MessageChannel(); const seen = []; port2.once("message", (m) => seen.push(["once", m])); port2.on("message", (m) => seen.push(["on", m])); port1.postMessage(1); port1.postMessage(2); while (seen.length < 3) await sleep(1); port1.close(); return seen; });
check("environment data", () => { wt.setEnvironmentData("k", 5); return wt.getEnvironmentData("k"); });
