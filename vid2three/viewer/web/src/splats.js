// Gaussian splats as three.js draws them: the projection, the low-pass and the harmonics of recon/reference.py
// (3DGS, arXiv:2308.04079; EWA splatting; Mip-Splatting, arXiv:2311.16493, where they were fitted antialiased).
//
// A splat is a quad of an instanced mesh. What it is lies in textures of floats, four to a texel; the instances carry
// nothing but the order, back to front, which is sorted anew when the view turns.

import * as THREE from "three";
import { bytesOf } from "./bytes.js";

const WIDTH = 2048; // texels of a row
const BINS = 65536; // of the sort by depth
const NEAREST = 0.01; // world units, as in recon/reference.py

const VERTEX = `
precision highp float;
precision highp int;
precision highp sampler2D;
uniform sampler2D shapes, colors;
uniform vec2 size;
uniform float lowPass, nearest;
in uint order;
out vec4 tint;
out vec2 place;

vec4 texel(sampler2D from, int index) { return texelFetch(from, ivec2(index % ${WIDTH}, index / ${WIDTH}), 0); }

vec3 harmonics(int first, vec3 d) {
  vec3 sum = 0.28209479177387814 * texel(colors, first).rgb;
#if DEGREE > 0
  sum += 0.4886025119029199 * (-d.y * texel(colors, first + 1).rgb + d.z * texel(colors, first + 2).rgb
    - d.x * texel(colors, first + 3).rgb);
#endif
#if DEGREE > 1
  float xx = d.x * d.x, yy = d.y * d.y, zz = d.z * d.z;
  sum += 1.0925484305920792 * (d.x * d.y * texel(colors, first + 4).rgb - d.y * d.z * texel(colors, first + 5).rgb
    - d.x * d.z * texel(colors, first + 7).rgb)
    + 0.31539156525252005 * (2.0 * zz - xx - yy) * texel(colors, first + 6).rgb
    + 0.5462742152960396 * (xx - yy) * texel(colors, first + 8).rgb;
#endif
#if DEGREE > 2
  sum += -0.5900435899266435 * (d.y * (3.0 * xx - yy) * texel(colors, first + 9).rgb
    + d.x * (xx - 3.0 * yy) * texel(colors, first + 15).rgb)
    + 2.890611442640554 * d.x * d.y * d.z * texel(colors, first + 10).rgb
    - 0.4570457994644658 * (4.0 * zz - xx - yy) * (d.y * texel(colors, first + 11).rgb
    + d.x * texel(colors, first + 13).rgb)
    + 0.3731763325901154 * d.z * (2.0 * zz - 3.0 * xx - 3.0 * yy) * texel(colors, first + 12).rgb
    + 1.445305721320277 * d.z * (xx - yy) * texel(colors, first + 14).rgb;
#endif
  return max(0.5 + sum, 0.0);
}

void main() {
  int index = int(order);
  vec4 centre = texel(shapes, 3 * index), first = texel(shapes, 3 * index + 1), last = texel(shapes, 3 * index + 2);
  vec4 local = modelViewMatrix * vec4(centre.xyz, 1.0);
  float z = -local.z;
  gl_Position = vec4(0.0, 0.0, 2.0, 1.0); // outside: not drawn
  if (z < nearest) return;
  vec2 focal = vec2(projectionMatrix[0][0], projectionMatrix[1][1]), shift = projectionMatrix[2].xy;
  vec2 slope = (clamp(focal * local.xy / z - shift, -1.3, 1.3) + shift) / focal;
  focal *= 0.5 * size;
  mat3 turn = mat3(modelViewMatrix);
  mat3 spread = mat3(first.x, first.y, first.z, first.y, last.x, last.y, first.z, last.y, last.z);
  vec3 across = vec3(focal.x / z, 0.0, focal.x * slope.x / z) * turn;
  vec3 along = vec3(0.0, focal.y / z, focal.y * slope.y / z) * turn;
  float a = dot(across, spread * across), b = dot(across, spread * along), c = dot(along, spread * along);
  float before = a * c - b * b;
  a += lowPass;
  c += lowPass;
  float opacity = centre.w;
#ifdef ANTIALIASED
  opacity *= sqrt(max(before / (a * c - b * b), 1e-12));
#endif
  float reach = 2.0 * log(255.0 * opacity);
  if (!(reach > 0.0)) return;
  float middle = 0.5 * (a + c), apart = length(vec2(0.5 * (a - c), b));
  vec2 lengths = sqrt(max(vec2(middle + apart, middle - apart), 1e-8));
  vec2 axis = apart < 1e-6 ? vec2(1.0, 0.0) : abs(b) > 1e-9 ? normalize(vec2(b, lengths.x * lengths.x - a))
    : a >= c ? vec2(1.0, 0.0) : vec2(0.0, 1.0);
  place = position.xy * sqrt(reach);
  vec2 pixels = place.x * lengths.x * axis + place.y * lengths.y * vec2(-axis.y, axis.x);
  gl_Position = projectionMatrix * local;
  gl_Position.xy += pixels / (0.5 * size) * gl_Position.w;
  tint = vec4(harmonics(index * NUM_COLORS, normalize(centre.xyz - cameraPosition)), opacity);
}`;

const FRAGMENT = `
precision highp float;
in vec4 tint;
in vec2 place;
out vec4 color;

void main() {
  float alpha = min(tint.a * exp(-0.5 * dot(place, place)), 0.999);
  if (alpha < 1.0 / 255.0) discard;
  color = vec4(tint.rgb * alpha, alpha);
}`;

/** Splats that keep themselves sorted; `packed` is what vid2three/viewer/pack.py makes. */
export class SplatCloud extends THREE.Mesh {
  constructor(packed) {
    const { centres, shapes, colors, degree, count } = unpacked(packed);
    const quad = new THREE.InstancedBufferGeometry();
    const corners = [-1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 1, 0];
    quad.setAttribute("position", new THREE.Float32BufferAttribute(corners, 3));
    quad.setIndex([0, 1, 2, 0, 2, 3]);
    const order = new THREE.InstancedBufferAttribute(new Uint32Array(count), 1);
    order.gpuType = THREE.IntType;
    quad.setAttribute("order", order.setUsage(THREE.DynamicDrawUsage));
    quad.instanceCount = count;
    const defines = { DEGREE: degree, NUM_COLORS: (degree + 1) ** 2, ...(packed.antialiased && { ANTIALIASED: 1 }) };
    const material = new THREE.RawShaderMaterial({
      glslVersion: THREE.GLSL3,
      defines,
      uniforms: {
        shapes: { value: table(shapes) },
        colors: { value: table(colors) },
        size: { value: new THREE.Vector2(1, 1) },
        lowPass: { value: packed.lowPass },
        nearest: { value: NEAREST },
      },
      vertexShader: `uniform mat4 modelViewMatrix, projectionMatrix;\nuniform vec3 cameraPosition;\nin vec3 position;\n${VERTEX}`,
      fragmentShader: FRAGMENT,
      transparent: true,
      depthWrite: false,
      side: THREE.DoubleSide,
      blending: THREE.CustomBlending,
      blendSrc: THREE.OneFactor,
      blendDst: THREE.OneMinusSrcAlphaFactor,
    });
    super(quad, material);
    this.frustumCulled = false;
    this.centres = centres;
    this.count = count;
    this.keys = new Uint16Array(count);
    this.along = new THREE.Vector3(); // the direction that the order is right for
  }

  /** Sort for a camera, and tell the shader how many pixels there are. */
  prepare(renderer, camera) {
    renderer.getDrawingBufferSize(this.material.uniforms.size.value);
    const along = camera.getWorldDirection(new THREE.Vector3());
    if (along.distanceToSquared(this.along) < 1e-8) return;
    this.along.copy(along);
    this.sort(along);
  }

  sort({ x, y, z }) {
    const { centres, count, keys } = this;
    const order = this.geometry.attributes.order;
    const depths = (this.depths ??= new Float32Array(count));
    let low = Infinity;
    let high = -Infinity;
    for (let i = 0; i < count; i++) {
      const depth = centres[3 * i] * x + centres[3 * i + 1] * y + centres[3 * i + 2] * z;
      depths[i] = depth;
      if (depth < low) low = depth;
      if (depth > high) high = depth;
    }
    const scale = (BINS - 1) / Math.max(high - low, 1e-12);
    const starts = new Uint32Array(BINS + 1);
    for (let i = 0; i < count; i++) {
      keys[i] = (high - depths[i]) * scale; // the farthest first
      starts[keys[i] + 1]++;
    }
    for (let bin = 0; bin < BINS; bin++) starts[bin + 1] += starts[bin];
    for (let i = 0; i < count; i++) order.array[starts[keys[i]]++] = i;
    order.needsUpdate = true;
  }

  dispose() {
    this.geometry.dispose();
    this.material.uniforms.shapes.value.dispose();
    this.material.uniforms.colors.value.dispose();
    this.material.dispose();
  }
}

function table(values) {
  const height = Math.ceil(values.length / (4 * WIDTH));
  const padded = new Float32Array(4 * WIDTH * height);
  padded.set(values);
  const texture = new THREE.DataTexture(padded, WIDTH, height, THREE.RGBAFormat, THREE.FloatType);
  texture.needsUpdate = true;
  return texture;
}

/** Undo pack.py: centres, three texels a splat (centre and opacity, the six entries of its covariance), colours. */
function unpacked({ count, degree, data, ranges }) {
  const bytes = bytesOf(data);
  let at = 0;
  const next = (Type, length) => {
    const found = new Type(bytes.buffer, at, length);
    at += found.byteLength;
    return found;
  };
  const numRest = (degree + 1) ** 2 - 1;
  const centres = next(Float32Array, 3 * count);
  const logScales = next(Uint16Array, 3 * count);
  const base = next(Uint16Array, 3 * count);
  const quats = next(Int8Array, 4 * count);
  const opacities = next(Uint8Array, count);
  const rest = next(Int8Array, 3 * numRest * count);
  const [[scaleLow, scaleHigh], [baseLow, baseHigh]] = ranges.slice(0, 2);
  const shapes = new Float32Array(12 * count);
  const colors = new Float32Array(4 * (numRest + 1) * count);
  const axes = new Float64Array(9);
  for (let i = 0; i < count; i++) {
    rotation(quats, 4 * i, axes);
    for (let axis = 0; axis < 3; axis++) {
      const scale = Math.exp(scaleLow + (logScales[3 * i + axis] / 65535) * (scaleHigh - scaleLow));
      for (let row = 0; row < 3; row++) axes[3 * row + axis] *= scale;
    }
    const entry = (r, c) => axes[3 * r] * axes[3 * c] + axes[3 * r + 1] * axes[3 * c + 1] + axes[3 * r + 2] * axes[3 * c + 2];
    shapes.set([centres[3 * i], centres[3 * i + 1], centres[3 * i + 2], opacities[i] / 255], 12 * i);
    shapes.set([entry(0, 0), entry(0, 1), entry(0, 2), 0], 12 * i + 4);
    shapes.set([entry(1, 1), entry(1, 2), entry(2, 2), 0], 12 * i + 8);
    for (let channel = 0; channel < 3; channel++) {
      colors[4 * (numRest + 1) * i + channel] = baseLow + (base[3 * i + channel] / 65535) * (baseHigh - baseLow);
    }
    for (let k = 0; k < numRest; k++) {
      const most = ranges[2][k < 3 ? 0 : k < 8 ? 1 : 2];
      for (let channel = 0; channel < 3; channel++) {
        const value = rest[3 * (numRest * i + k) + channel];
        colors[4 * ((numRest + 1) * i + k + 1) + channel] = (value / 127) * most;
      }
    }
  }
  return { centres, shapes, colors, degree, count };
}

function rotation(quats, at, out) {
  const length = Math.hypot(quats[at], quats[at + 1], quats[at + 2], quats[at + 3]) || 1;
  const [w, x, y, z] = [0, 1, 2, 3].map((k) => quats[at + k] / length);
  out[0] = 1 - 2 * (y * y + z * z);
  out[1] = 2 * (x * y - w * z);
  out[2] = 2 * (x * z + w * y);
  out[3] = 2 * (x * y + w * z);
  out[4] = 1 - 2 * (x * x + z * z);
  out[5] = 2 * (y * z - w * x);
  out[6] = 2 * (x * z - w * y);
  out[7] = 2 * (y * z + w * x);
  out[8] = 1 - 2 * (x * x + y * y);
}
