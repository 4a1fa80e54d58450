// The mesh: what the GLB holds, lit softly since its colours hold light already, or as clay, or by its normals.

import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { bytesOf } from "./bytes.js";

const WIRES = new THREE.MeshBasicMaterial({ color: 0x101014, wireframe: true, transparent: true, opacity: 0.28 });
const CLAY = new THREE.MeshLambertMaterial({ color: 0xc9c4bc });
const NORMALS = new THREE.MeshNormalMaterial();

/** Load a mesh into the world of the cameras; `look` is textured, clay or normals. */
export async function loadMesh({ glb, worldFromFile }) {
  const { scene } = await new GLTFLoader().parseAsync(bytesOf(glb).buffer, "");
  const root = new THREE.Group();
  root.add(scene);
  scene.applyMatrix4(new THREE.Matrix4().set(...worldFromFile));
  const parts = [];
  scene.traverse((node) => node.isMesh && parts.push({ node, own: matte(node.material) }));
  for (const { node } of parts) {
    const wires = new THREE.Mesh(node.geometry, WIRES);
    wires.visible = false;
    wires.renderOrder = 1;
    node.add(wires);
    node.userData.wires = wires;
  }
  root.userData.show = (look, hasWires) => {
    for (const { node, own } of parts) {
      node.material = look === "clay" ? CLAY : look === "normals" ? NORMALS : own;
      node.userData.wires.visible = hasWires;
    }
  };
  return root;
}

/** Return a material without gloss for one that has next to none, as ours have: no highlight on top of the baked one. */
function matte(material) {
  const { map, normalMap, aoMap, vertexColors, side, color, roughness, metalness, roughnessMap, metalnessMap } = material;
  if (!material.isMeshStandardMaterial || roughness < 0.8 || metalness > 0 || roughnessMap || metalnessMap) return material;
  return new THREE.MeshLambertMaterial({ map, normalMap, aoMap, vertexColors, side, color });
}

/** Return the lamps: as bright from all sides as the colours are, and a little more from the camera's shoulder. */
export function lamps(camera) {
  const key = new THREE.DirectionalLight(0xffffff, 0.42 * Math.PI);
  key.position.set(-0.6, 0.9, 1);
  camera.add(key, key.target);
  key.target.position.set(0, 0, -1);
  return new THREE.AmbientLight(0xffffff, 0.7 * Math.PI);
}
