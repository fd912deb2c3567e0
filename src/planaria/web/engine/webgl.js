// The engine on the graphics card: WebGL2, float32 textures, four channels to a layer, as many layers a pass as it draws.

import { derive } from "./model.js";
import { COVER, deathShader, gaugeShader, pack, pictureShader, plan, stepShader } from "./shader.js";

const BLOCK = 16; // cells on a side of what one pixel of the gauge looks over

/** Whether this browser only imitates a graphics card, so that WebAssembly is many times faster. */
export function imitated() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

/** Throws an Error in words where this browser or card can't run the model. */
export class GraphicsEngine {
  constructor(model, size) {
    this.kind = "webgl2";
    this.size = size;
    this.shape = plan(model);
    const [h, w] = size;
    this.canvas = Object.assign(document.createElement("canvas"), { width: w, height: h });
    const gl = this.canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    if (!gl) throw new Error("this browser has no WebGL2");
    this.gl = gl;
    try {
      this.prepare(model);
    } catch (error) {
      this.dispose();
      throw error;
    }
    this.canvas.addEventListener("webglcontextlost", () => this.onlost?.());
  }

  prepare(model) {
    const gl = this.gl;
    if (!gl.getExtension("EXT_color_buffer_float")) throw new Error("this graphics card can't draw float32");
    const { groups, vectors, inputs, outputs } = this.shape;
    const [h, w] = this.size;
    const most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    if (Math.max(h, w) > most) throw new Error(`this graphics card's textures end at ${most} cells`);
    const local = inputs[0] + outputs.slice(0, -2).reduce((a, b) => a + b, 0);
    if (local > 512 || groups > gl.getParameter(gl.MAX_ARRAY_TEXTURE_LAYERS)) {
      throw new Error("the rule is too wide for a shader");
    }
    const draws = gl.getParameter(gl.MAX_DRAW_BUFFERS);
    this.spans = [];
    for (let first = 0; first < groups; first += draws) this.spans.push([first, Math.min(draws, groups - first)]);
    this.block = vectors * 16 <= gl.getParameter(gl.MAX_UNIFORM_BLOCK_SIZE);
    this.states = [0, 1, 2].map(() => this.texture(groups));
    gl.bindVertexArray(gl.createVertexArray());
    this.steps = this.spans.map((span) => this.program(stepShader(model, this.block, ...span), { x: 0, w: 2 }));
    const dies = model.rule.life !== "none";
    const death = (span) => this.program(deathShader(model, this.block, ...span), { x: 0, y: 1, w: 2 });
    this.deaths = dies ? this.spans.map(death) : [];
    this.painter = this.program(pictureShader(model), { x: 0 });
    this.gauger = this.blocks(gaugeShader(model, BLOCK));
    this.setModel(model);
    if (gl.getError() !== gl.NO_ERROR) throw new Error("this graphics card has no room for the grid");
  }

  setModel(model) {
    const gl = this.gl;
    this.model = model;
    const packed = pack(model);
    if (this.block) {
      this.buffer ??= gl.createBuffer();
      gl.bindBufferBase(gl.UNIFORM_BUFFER, 0, this.buffer);
      gl.bufferData(gl.UNIFORM_BUFFER, packed, gl.DYNAMIC_DRAW);
      return;
    }
    const rows = Math.ceil(packed.length / 4096);
    const padded = new Float32Array(rows * 4096);
    padded.set(packed);
    gl.activeTexture(gl.TEXTURE2);
    if (!this.table) {
      this.table = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, this.table);
      gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, 1024, rows);
      this.nearest(gl.TEXTURE_2D);
    }
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 1024, rows, gl.RGBA, gl.FLOAT, padded);
  }

  /** `n` steps; cells act by the hash of (`seed`, `t`). */
  step(seed, t, n = 1) {
    const [h, w] = this.size;
    this.gl.viewport(0, 0, w, h);
    for (let k = 0; k < n; k++) this.draw(derive(seed, t + k) >>> 0);
  }

  /** One step: the card makes it while the page goes on, so it counts as done. */
  flow(seed, t) {
    this.step(seed, t);
    return true;
  }

  /** One step by the passes that make it; cells act by the hash of `key`. */
  draw(key) {
    const gl = this.gl;
    const [x, y, z] = this.states;
    this.bind(0, x);
    this.steps.forEach(({ program, places }, i) => {
      gl.useProgram(program);
      gl.uniform1ui(places.key, key);
      gl.bindFramebuffer(gl.FRAMEBUFFER, y.frames[i]);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    });
    if (!this.deaths.length) {
      this.states = [y, z, x];
      return;
    }
    this.bind(1, y);
    this.deaths.forEach(({ program }, i) => {
      gl.useProgram(program);
      gl.bindFramebuffer(gl.FRAMEBUFFER, z.frames[i]);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    });
    this.bind(1, null);
    this.states = [z, x, y];
  }

  /** Numbers of a rectangle of cells, channel by channel. */
  read([row, column, h, w]) {
    const gl = this.gl;
    const { channels } = this.model.rule;
    const out = new Float32Array(channels * h * w);
    const four = new Float32Array(4 * h * w);
    this.spans.forEach(([first, count], i) => {
      gl.bindFramebuffer(gl.FRAMEBUFFER, this.states[0].frames[i]);
      for (let j = 0; j < count; j++) {
        gl.readBuffer(gl.COLOR_ATTACHMENT0 + j);
        gl.readPixels(column, row, w, h, gl.RGBA, gl.FLOAT, four);
        const base = 4 * (first + j);
        for (let k = 0; k < 4 && base + k < channels; k++) {
          for (let n = 0; n < h * w; n++) out[(base + k) * h * w + n] = four[4 * n + k];
        }
      }
    });
    return out;
  }

  /** Do `edit`, which reads and writes cells. */
  apply(edit) {
    edit();
  }

  /** Give a rectangle of cells other numbers, channel by channel from `first` on. */
  write(values, rect, first = 0) {
    const [row, column, h, w] = rect;
    if (first > 0) {
      const all = this.read(rect); // a texture holds four channels together
      all.set(values, first * h * w);
      return this.write(all, rect);
    }
    const gl = this.gl;
    const { channels } = this.model.rule;
    const four = new Float32Array(4 * h * w);
    this.bind(0, this.states[0]);
    for (let group = 0; group < this.shape.groups; group++) {
      for (let k = 0; k < 4; k++) {
        const from = (4 * group + k) * h * w;
        for (let n = 0; n < h * w; n++) four[4 * n + k] = 4 * group + k < channels ? values[from + n] : 0;
      }
      gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, column, row, group, w, h, 1, gl.RGBA, gl.FLOAT, four);
    }
  }

  /** Paint one pixel a cell onto a canvas of its own, and give that. */
  picture({ background, channel }) {
    const gl = this.gl;
    const [h, w] = this.size;
    const { program, places } = this.painter;
    gl.useProgram(program);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, w, h);
    this.bind(0, this.states[0]);
    gl.uniform1i(places.rows, h);
    gl.uniform1i(places.channel, channel ?? -1);
    gl.uniform3f(places.background, ...background);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    return this.canvas;
  }

  /** A small picture of the largest numbers, and a buffer that it comes back in. */
  blocks(source) {
    const gl = this.gl;
    const [h, w] = this.size.map((n) => Math.ceil(n / BLOCK));
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, w, h);
    const frame = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    const found = new Float32Array(4 * w * h);
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
    gl.bufferData(gl.PIXEL_PACK_BUFFER, found.byteLength, gl.STREAM_READ);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    return { ...this.program(source, { x: 0 }), frame, w, h, found, buffer, fence: null, when: null };
  }

  /** What `World.gauge` says, of when it was last asked: nothing waits for the card. */
  gauge(when) {
    const gl = this.gl;
    const { program, frame, w, h, found, buffer, fence } = this.gauger;
    const ready = fence ? gl.clientWaitSync(fence, 0, 0) : gl.ALREADY_SIGNALED;
    if (ready !== gl.ALREADY_SIGNALED && ready !== gl.CONDITION_SATISFIED) return null;
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
    let result = null;
    if (fence) {
      gl.deleteSync(fence);
      gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, found);
      const most = [0, 1, 2].map((k) => found.reduce((m, v, i) => (i % 4 === k && v > m ? v : m), -Infinity));
      result = { shown: most[0], held: most[1], living: most[2], ...this.gauger.when };
    }
    gl.useProgram(program);
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.viewport(0, 0, w, h);
    this.bind(0, this.states[0]);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.readPixels(0, 0, w, h, gl.RGBA, gl.FLOAT, 0);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    Object.assign(this.gauger, { fence: gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0), when });
    gl.flush();
    return result;
  }

  bind(unit, state) {
    this.gl.activeTexture(this.gl.TEXTURE0 + unit);
    this.gl.bindTexture(this.gl.TEXTURE_2D_ARRAY, state?.texture ?? null);
  }

  /** A state: a texture of `groups` layers, and a frame for each pass that draws into it. */
  texture(groups) {
    const gl = this.gl;
    const [h, w] = this.size;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.RGBA32F, w, h, groups);
    this.nearest(gl.TEXTURE_2D_ARRAY);
    const frames = this.spans.map(([first, count]) => {
      const frame = gl.createFramebuffer();
      gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
      const places = Array.from({ length: count }, (_, i) => gl.COLOR_ATTACHMENT0 + i);
      places.forEach((place, i) => gl.framebufferTextureLayer(gl.FRAMEBUFFER, place, texture, 0, first + i));
      gl.drawBuffers(places);
      if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) {
        throw new Error("this graphics card can't draw into float32 layers");
      }
      return frame;
    });
    return { texture, frames };
  }

  nearest(target) {
    const gl = this.gl;
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(target, side, gl.NEAREST);
  }

  /** A shader made, with its textures' units set and the places of its uniforms. */
  program(source, units) {
    const gl = this.gl;
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, COVER], [gl.FRAGMENT_SHADER, source]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      gl.deleteShader(shader);
      this.log = gl.getShaderInfoLog(shader) || this.log;
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      throw new Error(`this graphics card refuses the shader: ${gl.getProgramInfoLog(program) || this.log || "unknown"}`);
    }
    gl.useProgram(program);
    const places = {};
    for (const name of ["key", "rows", "channel", "background"]) places[name] = gl.getUniformLocation(program, name);
    for (const [name, unit] of Object.entries(units)) {
      const place = gl.getUniformLocation(program, name);
      if (place) gl.uniform1i(place, unit);
    }
    const size = gl.getUniformLocation(program, "size");
    if (size) gl.uniform2i(size, this.size[1], this.size[0]);
    return { program, places };
  }

  dispose() {
    this.onlost = null;
    this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
