// A training in node, as a test in Python asks for it: JSON in and out, bytes as base64.
//
// In: `config`, `target`, `grid`, `workers`, and `plan`, a list of: a number of iterations; the text of a damage to the
// pool; "restore", which saves the training and goes on from what was saved.
// Out: `reports` of the iterations, `damaged` counts, `pictures` of the pool, and the files `checkpoint`, `model`, `folder`.

import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";

import { compile } from "../../src/planaria/web/engine/kernel.js";
import { checkpointFile, modelFile, readCheckpoint, runFolder } from "../../src/planaria/web/learn/files.js";
import { Training } from "../../src/planaria/web/learn/training.js";

const { config, target, grid, workers = 0, weights = null, plan } = JSON.parse(readFileSync(0, "utf8"));
const file = new URL("../../src/planaria/web/engine/kernel.wasm", import.meta.url);
const module = await compile(new Uint8Array(readFileSync(file)));
const floats = (text) => new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
const out = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");

const hands = [];
function ports() {
  return Array.from({ length: workers }, () => {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(new URL("learn_worker.mjs", import.meta.url));
    worker.postMessage({ port: port2 }, [port2]);
    hands.push(worker);
    return port1;
  });
}

const given = { target: floats(target), grid, config, weights: weights && floats(weights), name: "test run" };
let training = new Training(module, { ...given, ports: ports() });
const reports = [];
const damaged = [];
for (const one of plan) {
  if (typeof one === "number") for (let k = 0; k < one; k++) reports.push(await training.step());
  else if (one !== "restore") damaged.push(training.damage(one, damaged.length));
  else {
    const saved = checkpointFile(training);
    training.close();
    training = Training.restore(module, readCheckpoint(saved), ports());
  }
}
const files = { checkpoint: checkpointFile(training), model: modelFile(training), folder: runFolder(training, reports) };
const pictures = Array.from({ length: training.poolSize }, (_, place) => training.pool(place).data);
training.close();
for (const worker of hands) await worker.terminate();
const answer = { reports, damaged, pictures: out(Uint8Array.from(pictures.flatMap((data) => [...data]))) };
for (const [name, bytes] of Object.entries(files)) answer[name] = out(bytes);
process.stdout.write(JSON.stringify(answer));
