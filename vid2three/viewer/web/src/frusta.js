// The cameras as small pyramids of lines, the one that is looked through in another colour.

import * as THREE from "three";

const QUIET = new THREE.Color(0x8a8a92);
const FIRST = new THREE.Color(0xb03bd6);
const CHOSEN = new THREE.Color(0x2f7bf6);

/** Return the position and the orientation that three.js wants of a camera (y up, looking along -z). */
export function poseOf(cameras, index) {
  const m = cameras.c2w[index]; // 12 numbers, rows of [R t], x right, y down, z forward
  const matrix = new THREE.Matrix4().set(
    m[0], -m[1], -m[2], m[3], m[4], -m[5], -m[6], m[7], m[8], -m[9], -m[10], m[11], 0, 0, 0, 1,
  );
  const position = new THREE.Vector3();
  const quaternion = new THREE.Quaternion();
  matrix.decompose(position, quaternion, new THREE.Vector3());
  return { position, quaternion, matrix };
}

export class Frusta extends THREE.LineSegments {
  constructor(cameras, length) {
    const points = [];
    for (let index = 0; index < cameras.c2w.length; index++) {
      const [fx, fy, cx, cy] = cameras.K[index];
      const { width, height } = cameras;
      const corner = (x, y) => new THREE.Vector3(((x - cx) / fx) * length, (-(y - cy) / fy) * length, -length);
      const [a, b, c, d] = [corner(0, 0), corner(width, 0), corner(width, height), corner(0, height)];
      const eye = new THREE.Vector3();
      const tip = corner(width / 2, -0.22 * height);
      const { matrix } = poseOf(cameras, index);
      for (const point of [eye, a, eye, b, eye, c, eye, d, a, b, b, c, c, d, d, a, a, tip, tip, b]) {
        points.push(point.clone().applyMatrix4(matrix));
      }
    }
    const geometry = new THREE.BufferGeometry().setFromPoints(points);
    geometry.setAttribute("color", new THREE.Float32BufferAttribute(new Float32Array(3 * points.length), 3));
    super(geometry, new THREE.LineBasicMaterial({ vertexColors: true, transparent: true, opacity: 0.9 }));
    this.perCamera = points.length / Math.max(cameras.c2w.length, 1);
    this.length = length;
    this.frustumCulled = false;
    this.choose(-1);
  }

  choose(chosen) {
    const colors = this.geometry.attributes.color;
    for (let i = 0; i < colors.count; i++) {
      const index = Math.floor(i / this.perCamera);
      const color = index === chosen ? CHOSEN : index === 0 ? FIRST : QUIET;
      colors.setXYZ(i, color.r, color.g, color.b);
    }
    colors.needsUpdate = true;
  }
}
