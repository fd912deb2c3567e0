// The step as GLSL ES 3, written for one model's shape: its channels, layers, filters, edge and life.

import { bodyOf, firstBias, labelsOf, taps, threshold } from "./model.js";

const GLSL_ACTIVATIONS = {
  relu: "max(v, 0.0)",
  leaky_relu: "max(v, 0.0) + 0.01 * min(v, 0.0)",
  elu: "mix(exp(min(v, 0.0)) - 1.0, v, greaterThan(v, vec4(0.0)))",
  gelu: "0.5 * v * (1.0 + erf4(v * 0.70710678))",
  silu: "v / (1.0 + exp(-v))",
  tanh: "tanh(clamp(v, -15.0, 15.0))",
};

/** Vertices of one triangle that covers everything. */
export const COVER = `#version 300 es
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}`;

/** How many groups of four channels, and where each layer's blocks of 4x4 weights begin. */
export function plan({ rule, kernels, own, widths }) {
  const four = (n) => Math.ceil(n / 4);
  const groups = four(rule.channels);
  const inputs = [groups * kernels.length, ...rule.hidden.map(four)];
  const outputs = [...rule.hidden.map(four), four(own)];
  const starts = [0];
  inputs.forEach((n, i) => starts.push(starts[i] + n * outputs[i]));
  const biasAt = [starts.at(-1) * 4];
  outputs.forEach((n, i) => biasAt.push(biasAt[i] + n));
  return { groups, inputs, outputs, starts, biasAt, vectors: biasAt.at(-1), layers: widths.length - 1 };
}

/** All weights and biases as the shader reads them: blocks of 4x4, column by column, then biases, zeros between. */
export function pack(model) {
  const { rule, kernels, widths, weights, biases } = model;
  const { groups, inputs, starts, biasAt, vectors } = plan(model);
  const packed = new Float32Array(vectors * 4);
  const c = rule.channels;
  const f = kernels.length;
  weights.forEach((w, i) => {
    const count = i === 0 ? c * f : widths[i];
    for (let from = 0; from < count; from++) {
      // perception comes filter by filter here, and channel by channel in the file
      const place = i === 0 ? (from % f) * groups * 4 + Math.floor(from / f) : from;
      for (let to = 0; to < widths[i + 1]; to++) {
        const block = starts[i] + Math.floor(to / 4) * inputs[i] + Math.floor(place / 4);
        packed[block * 16 + (place % 4) * 4 + (to % 4)] = w[to * widths[i] + from];
      }
    }
    const bias = i === 0 ? firstBias(model) : biases[i];
    if (bias) packed.set(bias, biasAt[i] * 4);
  });
  return packed;
}

function head(model, block) {
  const { rule, reaches, blurs } = model;
  const { vectors } = plan(model);
  const farthest = Math.max(2, ...reaches, ...blurs.map(([, n]) => n >> 1));
  const nearest = "texelFetch(x, ivec3(clamp(q, ivec2(0), size - 1), g), 0)";
  const edges = {
    zero: `bool inside = all(greaterThanEqual(q, ivec2(0))) && all(lessThan(q, size));
  return inside ? ${nearest} : vec4(0.0);`,
    circular: `q = (q + ${farthest} * size) % size;\n  return texelFetch(x, ivec3(q, g), 0);`,
    replicate: `return ${nearest};`,
  };
  const weights = block
    ? `layout(std140) uniform Weights { vec4 w[${vectors}]; };\nvec4 W(int i) { return w[i]; }`
    : "uniform highp sampler2D w;\nvec4 W(int i) { return texelFetch(w, ivec2(i & 1023, i >> 10), 0); }";
  return `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2DArray;
uniform ivec2 size;
vec4 at(sampler2DArray x, int g, ivec2 q) {
  ${edges[rule.edge]}
}
bool lives(sampler2DArray x, ivec2 q) {
  ${rule.life_edge === "zero" ? "if (any(lessThan(q, ivec2(0))) || any(greaterThanEqual(q, size))) return false;" : ""}
  return at(x, ${Math.floor(rule.life_channel / 4)}, q)[${rule.life_channel % 4}] > ${real(rule.life_threshold)};
}
bool near(sampler2DArray x, ivec2 q, int reach) {
  for (int i = -reach; i <= reach; i++)
    for (int j = -reach; j <= reach; j++)
      if (lives(x, q + ivec2(j, i))) return true;
  return false;
}
${weights}
mat4 M(int i) { return mat4(W(4 * i), W(4 * i + 1), W(4 * i + 2), W(4 * i + 3)); }
`;
}

/** The pass that perceives, thinks and adds, for `count` groups of channels from `first` on. */
export function stepShader(model, block, first, count) {
  const { rule, kernels, reaches } = model;
  const { groups, inputs, outputs, starts, biasAt, layers } = plan(model);
  const may = { none: "true", after: "true", before: "near(x, q, 1)", both: "near(x, q, 2)" }[rule.life];
  const limit = threshold(rule.fire_rate);
  const acts = limit >= 2 ** 32 ? "true" : `fold(fold(fold(key, 0u), uint(q.y)), uint(q.x)) < ${limit}u`;
  const outs = Array.from({ length: count }, (_, i) => `layout(location = ${i}) out vec4 y${i};`);
  const [lines, lists] = [[], []];
  const nine = kernels.map((kernel) => kernel.length === 9);
  for (const reach of new Set(reaches.filter((_, k) => nine[k]))) {
    lines.push(`    for (int i = 0; i < 9; i++) n[i] = at(x, g, q + ${reach} * ivec2(i % 3 - 1, i / 3 - 1));`);
    kernels.forEach((kernel, k) => {
      if (reaches[k] !== reach || !nine[k]) return;
      const terms = [...kernel].map((v, i) => (v ? `${real(v)} * n[${i}]` : "")).filter(Boolean);
      lines.push(`    p[${k * groups} + g] = ${terms.join(" + ") || "vec4(0.0)"};`);
    });
  }
  kernels.forEach((kernel, k) => {
    if (nine[k]) return;
    const list = taps(kernel);
    lists.push(`const ivec3 taps${k}[${list.length}] = ivec3[](${list.map(tap).join(", ")});`);
    lines.push(`    vec4 sum${k} = vec4(0.0);
    for (int i = 0; i < ${list.length}; i++) sum${k} += intBitsToFloat(taps${k}[i].z) * at(x, g, q + taps${k}[i].xy);
    p[${k * groups} + g] = sum${k};`);
  });
  const thinking = [];
  for (let i = 0; i < layers - 2; i++) {
    const from = i === 0 ? "p" : `h${i - 1}`;
    thinking.push(`  vec4 h${i}[${outputs[i]}];
  for (int j = 0; j < ${outputs[i]}; j++) {
    vec4 v = W(${biasAt[i]} + j);
    for (int k = 0; k < ${inputs[i]}; k++) v += M(${starts[i]} + j * ${inputs[i]} + k) * ${from}[k];
    h${i}[j] = activate(v);
  }`);
  }
  const [last, penult] = [layers - 1, layers - 2];
  const adds = Array.from({ length: count }, (_, i) => i).filter((i) => first + i < outputs[last]);
  const terms = (from, j) =>
    adds.map((i) => `    d${i} += M(${starts[last]} + ${(first + i) * inputs[last]} + ${j}) * ${from};`).join("\n");
  const before = layers === 1 ? "" : layers === 2 ? "p" : `h${layers - 3}`;
  thinking.push(
    layers === 1
      ? `  for (int k = 0; k < ${inputs[0]}; k++) {\n${terms("p[k]", "k")}\n  }`
      : `  for (int j = 0; j < ${outputs[penult]}; j++) {
    vec4 v = W(${biasAt[penult]} + j);
    for (int k = 0; k < ${inputs[penult]}; k++) v += M(${starts[penult]} + j * ${inputs[penult]} + k) * ${before}[k];
    v = activate(v);
${terms("v", "j")}
  }`,
  );
  return `${head(model, block)}
uniform sampler2DArray x;
uniform uint key;
${lists.join("\n")}
${outs.join("\n")}
uint fold(uint key, uint v) {
  v ^= key + 0x9e3779b9u;
  v = (v ^ (v >> 16)) * 0x7feb352du;
  v = (v ^ (v >> 15)) * 0x846ca68bu;
  return v ^ (v >> 16);
}
vec4 erf4(vec4 v) { // Numerical Recipes, erfc by Chebyshev fit: relative error below 1.2e-7
  vec4 t = 1.0 / (1.0 + 0.5 * abs(v));
  vec4 e = t * exp(-v * v - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
  return sign(v) * (1.0 - e);
}
vec4 activate(vec4 v) { return ${GLSL_ACTIVATIONS[rule.activation]}; }
void main() {
  ivec2 q = ivec2(gl_FragCoord.xy);
${adds.map((i) => `  vec4 d${i} = vec4(0.0);`).join("\n")}
  if (${acts} && ${may}) {
  vec4 p[${inputs[0]}];
  for (int g = 0; g < ${groups}; g++) {
    vec4 n[9];
${lines.join("\n")}
  }
${thinking.join("\n")}
${blurring(model, first, adds)}
${adds.map((i) => `  d${i} = ${real(rule.dt)} * (d${i} + W(${biasAt[last]} + ${first + i}));`).join("\n")}
  }
${outs.map((_, i) => `  y${i} = texelFetch(x, ivec3(q, ${first + i}), 0)${adds.includes(i) ? ` + d${i}` : ""};`).join("\n")}
}`;
}

// What is added for channels that melt into their neighbours, of those in the groups `first + adds`.
function blurring({ blurs }, first, adds) {
  return blurs
    .filter(([channel]) => adds.includes(Math.floor(channel / 4) - first))
    .map(([channel, n, kernel]) => {
      const [group, k, r] = [Math.floor(channel / 4), channel % 4, n >> 1];
      const line = kernel.slice(r * n, r * n + n).map((v) => v / Math.sqrt(kernel[r * n + r])); // it is a product of two
      return `  {
    float line[${n}] = float[](${line.map(real).join(", ")});
    float sum = -at(x, ${group}, q)[${k}];
    for (int i = 0; i < ${n}; i++)
      for (int j = 0; j < ${n}; j++) sum += line[i] * line[j] * at(x, ${group}, q + ivec2(j, i) - ${r})[${k}];
    d${group - first}[${k}] += sum;
  }`;
    })
    .join("\n");
}

/** The pass that ends cells without living neighbours: `x` before the step, `y` after it. */
export function deathShader(model, block, first, count) {
  const { rule, own } = model;
  const judged = { before: ["x"], after: ["y"], both: ["x", "y"] }[rule.life].map((s) => `near(${s}, q, 1)`);
  const outs = Array.from({ length: count }, (_, i) => `layout(location = ${i}) out vec4 z${i};`);
  const lines = outs.map((_, i) => {
    const mortal = [0, 1, 2, 3].map((k) => 4 * (first + i) + k < own);
    const kept = mortal.some(Boolean) ? `mix(v${i}, vec4(0.0), bvec4(${mortal.map((m) => (m ? "dead" : "false"))}))` : "";
    return `  vec4 v${i} = texelFetch(y, ivec3(q, ${first + i}), 0);\n  z${i} = ${kept || `v${i}`};`;
  });
  return `${head(model, block)}
uniform sampler2DArray x;
uniform sampler2DArray y;
${outs.join("\n")}
void main() {
  ivec2 q = ivec2(gl_FragCoord.xy);
  bool dead = !(${judged.join(" && ")});
${lines.join("\n")}
}`;
}

/** One pixel a cell: what a person sees, or one channel from blue over white to red. */
export function pictureShader(model) {
  const { visible, offset, straight } = model.layout;
  const colour = straight ? "v.rgb * v.a" : "v.rgb";
  const labels = labelsOf(model.layout);
  const mixed = labels.map((label, k) => {
    const fetch = k % 4 ? "" : `    v = texelFetch(x, ivec3(q, ${k / 4}), 0);
    v = clamp(mix(v, vec4(0.0), isnan(v)) + ${real(offset)}, 0.0, 1.0);\n`;
    return `${fetch}    sum += v[${k % 4}]; c += v[${k % 4}] * vec3(${label.map(real).join(", ")});`;
  });
  const rgb = visible === 1 ? "vec3(v.r)" : visible === 3 ? "v.rgb" : `${colour} + (1.0 - v.a) * background`;
  return `#version 300 es
precision highp float;
precision highp sampler2DArray;
uniform sampler2DArray x;
uniform int rows;
uniform int channel;
uniform vec3 background;
out vec4 colour;
void main() {
  ivec2 q = ivec2(gl_FragCoord.x, rows - 1 - int(gl_FragCoord.y));
  vec4 v = texelFetch(x, ivec3(q, max(channel, 0) / 4), 0);
  v = mix(v, vec4(0.0), isnan(v));
  if (channel >= 0) {
    float s = clamp(v[channel % 4], -1.0, 1.0);
    colour = vec4(1.0 + min(s, 0.0), 1.0 - abs(s), 1.0 - max(s, 0.0), 1.0);
  } else {
${labels.length ? `    float sum = 0.0;
    vec3 c = vec3(0.0);
${mixed.join("\n")}
    colour = vec4(c / max(sum, 1.0) + max(1.0 - sum, 0.0) * background, 1.0);` : `    v = clamp(v + ${real(offset)}, 0.0, 1.0);
    colour = vec4(${rgb}, 1.0);`}
  }
}`;
}

/** For each block of cells of `side`: the largest size of what is shown, of what else they hold, and their life. */
export function gaugeShader(model, side) {
  const { rule, layout } = model;
  const body = bodyOf(layout);
  const lines = Array.from({ length: plan(model).groups }, (_, g) => {
    const parts = [0, 1, 2, 3].map((k) => {
      const channel = 4 * g + k;
      const part = channel < layout.visible ? "m.x" : "m.y";
      return (channel < body ? `${part} = max(${part}, a[${k}]);` : "") + (channel === rule.life_channel ? ` m.z = max(m.z, v[${k}]);` : "");
    });
    return `      v = texelFetch(x, ivec3(j, i, ${g}), 0);
      a = mix(min(abs(v), vec4(1e38)), vec4(1e38), isnan(v));
      ${parts.join(" ")}`;
  });
  return `#version 300 es
precision highp float;
precision highp sampler2DArray;
uniform sampler2DArray x;
uniform ivec2 size;
out vec4 m;
void main() {
  ivec2 first = ${side} * ivec2(gl_FragCoord.xy);
  ivec2 end = min(first + ${side}, size);
  vec4 v, a;
  m = vec4(0.0, 0.0, -1e38, 0.0);
  for (int i = first.y; i < end.y; i++) {
    for (int j = first.x; j < end.x; j++) {
${lines.join("\n")}
    }
  }
}`;
}

/** A tap as GLSL writes it: columns to the right, rows down, and the bits of its weight. */
function tap([row, column, weight]) {
  return `ivec3(${column}, ${row}, ${new Int32Array(Float32Array.of(weight).buffer)[0]})`;
}

/** A number as GLSL writes it, to float32's last digit. */
function real(v) {
  const text = Math.fround(v).toPrecision(9);
  return text.includes("e") || text.includes(".") ? text : `${text}.0`;
}
