#!/usr/bin/env node
// Times ONNX Runtime for `runtime bench --versus 'node testdata/ort/bench.mjs'`: npm install onnxruntime-node first, here or in
// the folder that ORT_HOME names.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const { MODEL, INPUTS, THREADS, SECONDS_TO_RUN, ORT_HOME = process.cwd() } = process.env;
const ort = createRequire(path.join(ORT_HOME, 'package.json'))('onnxruntime-node');
const types = {
  float: ['float32', Float32Array], double: ['float64', Float64Array], int64: ['int64', BigInt64Array], int32: ['int32', Int32Array],
  int16: ['int16', Int16Array], int8: ['int8', Int8Array], uint8: ['uint8', Uint8Array], uint16: ['uint16', Uint16Array],
  uint32: ['uint32', Uint32Array], uint64: ['uint64', BigUint64Array], bool: ['bool', Uint8Array], float16: ['float16', Uint16Array],
};
const started = performance.now();
const session = await ort.InferenceSession.create(MODEL, { intraOpNumThreads: Number(THREADS), interOpNumThreads: 1, graphOptimizationLevel: 'all' });
const load_ms = performance.now() - started;
const feeds = {};
for (const { name, type, dims, file } of JSON.parse(fs.readFileSync(path.join(INPUTS, 'inputs.json')))) {
  const [kind, array] = types[type], bytes = fs.readFileSync(path.join(INPUTS, file));
  feeds[name] = new ort.Tensor(kind, new array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)), dims);
}
const times = [], seconds = Number(SECONDS_TO_RUN);
for (let i = 0, end = performance.now() + seconds * 200; i < 5 && performance.now() < end; i++) await session.run(feeds);
for (let end = performance.now() + seconds * 1000; !times.length || performance.now() < end;) {
  const t = performance.now();
  await session.run(feeds);
  times.push(performance.now() - t);
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ load_ms, runs: times.length, min_ms: times[0], median_ms: times[times.length >> 1], p90_ms: times[Math.floor(times.length * 0.9)], peak_rss_bytes: process.resourceUsage().maxRSS * 1024 }));
